"""The simulated archive that the map is timed on: whole, the same every time, of use."""

from pathlib import Path

import numpy as np
import pytest

import terradrift as td
from terradrift.serve.columns import changes, events
from terradrift.serve.held import Held

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        import _million

        folder = tmp_path_factory.mktemp("million")
        for name in ("one.td", "two.td"):
            _million.make(folder / name, 1500, 4)
    return folder


def test_it_is_a_whole_archive(made: Path) -> None:
    archive = td.open(made / "one.td")
    assert archive.validate() == []
    counted = "SELECT count(*), count(DISTINCT change_id) FROM changes"
    ((rows, ids),) = archive.sql(counted).fetchall()
    assert rows == ids >= 1500
    ((zones,),) = archive.sql("SELECT count(DISTINCT crs) FROM patches").fetchall()
    assert zones == 2


def test_it_is_the_same_every_time(made: Path) -> None:
    one, two = (td.open(made / name).store for name in ("one.td", "two.td"))
    assert one.tables() == two.tables()
    for table in set(one.tables()) - {"runs"}:
        assert one.dataset(table).to_table().equals(two.dataset(table).to_table()), (
            table
        )


def test_a_search_finds_the_same_kind(made: Path) -> None:
    archive = td.open(made / "one.td")
    strongest = (
        "SELECT change_id, kind FROM changes WHERE kind IS NOT NULL "
        "ORDER BY score DESC, change_id LIMIT 1"
    )
    ((change_id, kind),) = archive.sql(strongest).fetchall()
    found = archive.similar(change=change_id, k=20).to_arrow()["kind"].to_pylist()
    alike = [one == kind for one in found if one is not None]
    assert len(alike) >= 15
    assert np.mean(alike) > 0.8


def test_every_change_is_of_an_event_that_is_there(made: Path) -> None:
    held = Held(made / "one.td")
    generation = held.newest()
    every, found = changes.of(held, generation), events.of(held, generation)
    assert (found.numbers(every) >= 0).all()
    assert (found.passing(every, every.everything) > 0).all()
    assert (found.score == every.score[found.peaks(every)]).all()
