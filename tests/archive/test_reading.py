from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import terradrift as td
from terradrift.archive.bundles import OBSERVATIONS, bundles
from terradrift.archive.reading import Reading, alone, with_days_before
from terradrift.grid import Grid
from terradrift.ingest.plan import Plan, plan

GRID = Grid(40, 10.0)


@pytest.fixture(scope="module")
def archive(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> td.Archive:
    made = td.create(tmp_path_factory.mktemp("reading") / "a.td", GRID)
    made.ingest(scenes)
    return made


def planned(archive: td.Archive, done: set[tuple[str, str]]) -> Plan:
    scenes, patches = (
        archive.store.scan(name).read_all() for name in ("scenes", "patches")
    )
    return plan(scenes, patches, GRID, archive.store.settings.bands, done)


def some_done(whole: Plan, share: float, seed: int) -> set[tuple[str, str]]:
    random = np.random.default_rng(seed)
    return {
        (scene, unit.tile)
        for unit in whole.units
        for scene in unit.scene_ids
        if random.random() < share
    }


def days_of(units: Plan) -> dict[str, list[np.datetime64]]:
    days = defaultdict(list)
    for unit in units.units:
        days[unit.tile].append(unit.day)
    return days


def check_looks_back(reading: Reading, whole: Plan, dates: int) -> None:
    """Before every day asked for come exactly the last `dates` - 1 days of its tile."""
    everything = {tile: sorted(days) for tile, days in days_of(whole).items()}
    for tile, days in days_of(reading.plan).items():
        assert days == sorted(days)
        assert reading.visits[tile] == len(days)
        for position, day in enumerate(days):
            if (tile, day) in reading.asked:
                before = [one for one in everything[tile] if one < day]
                wanted = before[-(dates - 1) :]
                assert days[max(0, position - dates + 1) : position] == wanted


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
@pytest.mark.parametrize("dates", [2, 3, 9])
def test_the_days_before_are_read_again_and_no_others(
    archive: td.Archive, share: float, dates: int
) -> None:
    whole = planned(archive, set())
    todo = planned(archive, some_done(whole, share, dates))
    reading = with_days_before(todo, whole, dates, GRID)
    assert reading.asked == {(unit.tile, unit.day) for unit in todo.units}
    check_looks_back(reading, whole, dates)
    needed = {
        (tile, day)
        for tile, days in days_of(whole).items()
        for day in days
        for n, asked in enumerate(sorted(days))
        if (tile, asked) in reading.asked
        and day in sorted(days)[max(0, n - dates + 1) : n]
    }
    read = {(unit.tile, unit.day) for unit in reading.plan.units}
    assert read == reading.asked | needed
    assert {name for unit in reading.plan.units for name in unit.scene_ids} <= set(
        reading.plan.acquisitions
    )


@pytest.mark.parametrize("workers", [1, 4, 1000])
def test_bundles_hold_every_unit_once_in_whole_strips(
    archive: td.Archive, workers: int
) -> None:
    whole = planned(archive, set())
    found = list(bundles(alone(whole), GRID, frozenset(), workers=workers))
    assert tuple(u for one in found for u in one.reading.plan.units) == whole.units
    assert [one.number for one in found] == list(range(len(found)))
    assert sum(one.asked for one in found) == len(whole.units)
    assert len(found) >= min(4 * workers, 14) * 0.7
    most = max(one.reading.plan.observations for one in found)
    assert most <= OBSERVATIONS + 6 * 1024
    for one in found:
        names = {name for unit in one.reading.plan.units for name in unit.scene_ids}
        assert names == set(one.reading.plan.acquisitions)


def test_bundles_that_look_back_need_no_other_bundle(archive: td.Archive) -> None:
    whole = planned(archive, set())
    todo = planned(archive, some_done(whole, 0.5, 1))
    reading = with_days_before(todo, whole, 3, GRID)
    found = list(bundles(reading, GRID, frozenset(), workers=2))
    asked = [place for one in found for place in one.reading.asked]
    assert sorted(asked) == sorted(reading.asked)
    for one in found:
        check_looks_back(one.reading, whole, 3)


def test_bundles_know_the_days_that_the_store_holds(archive: td.Archive) -> None:
    whole = planned(archive, set())
    unit = whole.units[5]
    stored = frozenset({(unit.tile, int(unit.day.astype(int))), ("elsewhere", 1)})
    found = list(bundles(alone(whole), GRID, stored, workers=2))
    assert [one.clash for one in found if one.clash] == [
        frozenset({(unit.tile, int(unit.day.astype(int)))})
    ]
