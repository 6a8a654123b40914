"""Detectors compared: what a line says, the page, and the command."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.judge import benching
from terradrift.cli import app
from terradrift.errors import ArchiveError, SourceError, UnknownPluginError
from terradrift.evaluate.bench.lines import Site, alarms, ground_of, lines, threshold
from terradrift.evaluate.bench.page import markdown, tables, text
from terradrift.evaluate.bench.result import Bench
from terradrift.evaluate.methods import methods
from terradrift.evaluate.truth import Truth
from tests.detect.worlds import part, planted, series

BANDS = tuple("abcdefghijkl")
CHANGED = np.isin(np.arange(60), [7, 44])


@pytest.fixture(scope="module")
def plain():
    return series(seed=5)


@pytest.fixture(scope="module")
def site(plain):
    world = planted(planted(plain, 7, 15), 44, 18)
    onset = np.full(60, "NaT", "datetime64[D]")
    onset[[7, 44]] = world.days[[15, 18]]
    truth = Truth(
        changed=CHANGED,
        known=np.ones(60, bool),
        kind=np.where(np.arange(60) == 7, "road", np.where(CHANGED, "house", "")),
        onset=onset,
        share=CHANGED.astype(float),
    )
    return Site(
        model="tiny", series=[world], ground=ground_of([world], 40, 70), truth=truth
    )


@pytest.fixture(scope="module")
def control(plain):
    return Site(model="tiny", series=[plain], ground=ground_of([plain], 40, 70))


def judged(names, site, control=None):
    return tuple(lines(methods(names, bands=BANDS, threads=1), site, control))


@pytest.fixture(scope="module")
def found(site, control):
    return judged(
        ["changes", "temporal-median", "index-difference", "drift"], site, control
    )


def bench_of(lines, control="quiet.td"):
    return Bench(
        archive="small.td",
        patch_size=40,
        patches=60,
        dates=30,
        control=control,
        notes=("dates are read from onset",),
        lines=lines,
    )


def test_the_whole_detection_beats_chance_and_dates_what_it_finds(found):
    first = found[0]
    assert first.detector == "changes"
    assert first.evaluation.ranking.average_precision.value > 0.9
    assert first.dated.found == 1  # half of two
    assert abs(first.dated.bias) <= 24  # two acquisitions
    assert first.cpu_s > 0
    assert "WholeDetection" in first.how


def test_only_a_method_that_reports_has_a_threshold(found):
    assert [each.reported is not None for each in found] == [True, False, False, False]
    reported = found[0].reported
    assert reported.patches == 58
    km2_years = 0.04**2 * sum(
        ground_of([part(series(seed=5), np.flatnonzero(~CHANGED))], 40, 70).years
    )
    assert reported.rate.value == pytest.approx(1000 * reported.count / km2_years)


def test_the_control_is_judged_at_the_threshold_of_half_recall(site, control, found):
    for each in found:
        (method,) = methods([each.detector], bands=BANDS, threads=1)
        least = threshold(CHANGED, method.judge(site.series).score)
        expected = int((method.judge(control.series).score >= least).sum())
        assert each.control.count == expected
        assert each.control.patches == 60


def test_columns_of_scores_share_the_detection_and_are_what_they_are_alone(site):
    both = judged(["changes", "scores-drift"], site)
    (alone,) = judged(["scores-drift"], site)
    assert both[1].cpu_s == both[0].cpu_s
    for name in ("ranking", "dating", "at_recall"):
        assert getattr(both[1].evaluation, name) == getattr(alone.evaluation, name)
    assert both[1].reported is None
    assert both[0].reported is not None


def test_a_detector_that_judges_nothing_is_left_out_and_named(site):
    blind = [replace(part, indices=part.indices * np.nan) for part in site.series]
    seen = judged(["index-difference-nbr", "drift"], replace(site, series=blind))
    assert seen[0].judged == 0
    bench = bench_of(seen, "")
    (_, _, rows), *_ = tables(bench)
    assert [row[0] for row in rows if "index" in row[0]] == []
    assert "judged no patch, and left out: `index-difference-nbr`" in markdown(bench)


def test_detectors_of_indices_have_no_model(found):
    assert [each.model for each in found] == ["tiny", "tiny", "", "tiny"]


def test_where_nothing_changed_p_values_are_counted(control):
    found = judged(["changes"], control)[0]
    assert found.evaluation is None
    assert found.dated is None
    assert found.reported.patches == 60
    shares = found.calibrated.observations + found.calibrated.patches
    assert all(0 <= share <= 1 for share in shares)
    assert found.calibrated.observations[0] >= found.calibrated.observations[1]
    assert judged(["drift"], control)[0].calibrated is None


def test_the_threshold_finds_half_of_what_changed():
    changed = np.array([True, True, True, False, True])
    score = np.array([3.0, 5.0, np.nan, 9.0, 1.0])
    assert threshold(changed, score) == 3
    assert threshold(changed, score, 0.75) == 1
    assert np.isnan(threshold(changed, score, 1.0))  # one of them is not judged


def test_alarms_count_judged_ground_only(site):
    score = np.where(np.arange(60) < 30, 1.0, np.nan)
    passed = np.arange(60) % 2 == 0
    found = alarms(score, passed, ~CHANGED, site.ground)
    assert (found.count, found.patches) == (15, 29)
    assert found.share == 15 / 29
    assert found.rate.low < found.rate.value < found.rate.high


def test_ground_knows_when_each_patch_was_clear(plain):
    world = replace(plain, clear_percent=plain.clear_percent.copy())
    world.clear_percent[3] = 10
    world.clear_percent[4] = np.nan
    world.clear_percent[4, [2, 12]] = 90
    ground = ground_of(
        [part(world, np.arange(4)), part(world, np.arange(4, 60))], 40, 70
    )
    assert ground.years[3] == 0
    assert ground.years[4] == pytest.approx(120 / 365.25)
    assert len(ground) == 60
    own = slice(*ground.clear.start[4:6])
    np.testing.assert_array_equal(ground.clear.days[own], plain.days[[2, 12]])


def test_the_page_ranks_methods_and_chance(found):
    bench = bench_of(found)
    (ranked, classes, told) = tables(bench)
    precisions = [float(row[2].split()[0]) for row in ranked[2]]
    assert precisions == sorted(precisions, reverse=True)
    assert "chance" in [row[0] for row in ranked[2]]
    assert classes[1][2:] == ("house: 1 (floor 0.017)", "road: 1 (floor 0.017)")
    assert [row[0] for row in told[2]] == ["`changes`"]
    page = markdown(bench)
    for head, rows in ((each[1], each[2]) for each in (ranked, classes, told)):
        assert {len(row) for row in rows} == {len(head)}
        assert "| " + " | ".join(head) + " |" in page
    assert "floor of the AP 0.033" in page
    assert "control: quiet.td" in page
    assert "dates are read from onset" in page
    assert "`changes`" in page
    assert "`" not in text(bench).split("*")[0]


def test_without_truth_the_page_shows_what_is_reported(control):
    quiet = bench_of(
        (judged(["changes"], control)[0], judged(["drift"], control)[0]), ""
    )
    ((title, head, rows),) = tables(quiet)
    assert title == "Where nothing changed"
    assert len(rows) == 1
    assert len(rows[0]) == len(head)
    assert "only rank, and have no row where nothing changed: `drift`" in markdown(
        quiet
    )
    ((title, _, rows),) = tables(bench_of((judged(["drift"], control)[0],), ""))
    assert title == "None has a threshold"
    assert rows[0][0] == "`drift`"
    assert "only rank" not in markdown(bench_of(judged(["drift"], control), ""))
    assert "only rank" not in markdown(bench_of(judged(["changes"], control), ""))


def named(site, name):
    kind = np.where(site.truth.kind == "road", name, site.truth.kind)
    return replace(site, truth=replace(site.truth, kind=kind))


def test_the_text_fits_a_terminal_of_100_columns(site, control, found):
    quiet = judged(["changes", "drift"], control)
    long = judged(
        ["changes", "previous-date-euclidean"],
        named(site, "a very long name of a class of change"),
        control,
    )
    for each in (found, quiet, long):
        for model in ("tiny", "ssl4eo-resnet50-moco-tokens"):
            shown = text(
                bench_of(tuple(replace(line, model=model) for line in each))
            ).splitlines()
            assert max(map(len, shown)) <= 100
            whole = " ".join(" ".join(shown).split())
            assert "dates are read from onset" in whole
            assert "CPU s" in whole


def test_a_class_with_a_bar_in_its_name_keeps_the_columns(site):
    page = markdown(bench_of(judged(["changes", "drift"], named(site, "road|rail"))))
    _, _, rest = page.partition("## AP / ROC-AUC by class of change\n\n")
    head, *rows = rest.partition("\n\n")[0].splitlines()
    assert r"road\|rail: 1" in head
    columns = {each.replace(r"\|", "").count("|") for each in [head, *rows]}
    assert columns == {5}


def test_classes_are_called_so_in_the_record(found):
    record = found[0].to_dict()["evaluation"]
    assert {each["name"] for each in record["classes"]} == {"road", "house"}
    assert "kinds" not in record


def test_files_appear_whole(found, tmp_path, monkeypatch):
    place = tmp_path / "new" / "out"
    paths = benching.write(bench_of(found), place)
    assert sorted(paths) == sorted(place.iterdir())
    before = [path.read_bytes() for path in paths]

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        benching.write(bench_of(found[:1]), place)
    assert [path.read_bytes() for path in paths] == before


def test_the_record_is_plain(found):
    record = json.loads(json.dumps(bench_of(found).to_dict(), allow_nan=False))
    assert record["lines"][0]["evaluation"]["ranking"]["floor"] == pytest.approx(1 / 30)
    assert record["lines"][0]["reported"]["patches"] == 58
    assert record["lines"][1]["reported"] is None


@pytest.fixture(scope="module")
def archive(scenes, tmp_path_factory):
    place = tmp_path_factory.mktemp("bench") / "small.td"
    td.create(place, td.Grid(80)).ingest(scenes)
    return place


def test_the_command_embeds_compares_and_writes_a_page(archive, scenes, tmp_path):
    labels = scenes.parent / "truth.geojson"
    run = CliRunner().invoke(
        app,
        [
            *("bench", str(archive), "--labels", str(labels), "--json", "--quiet"),
            *("--detectors", "changes,rx-difference,index-difference-nbr,lof"),
            *("--models", "spectral", "--threads", "1", "--any-touch"),
            *("--control", str(archive), "-o", str(tmp_path / "out")),
        ],
    )
    assert run.exit_code == 0, run.output
    rows = [json.loads(each) for each in run.stdout.splitlines() if each[:1] == "{"]
    assert {row["detector"] for row in rows} == {
        "changes",
        "rx-difference",
        "index-difference-nbr",
        "lof",
    }
    assert all(row["evaluation"]["patches"]["changed"] > 0 for row in rows)
    assert all(row["control"]["patches"] > 0 for row in rows if row["control"])
    page = (tmp_path / "out" / "bench.md").read_text()
    assert "`rx-difference` | spectral" in page
    assert json.loads((tmp_path / "out" / "bench.json").read_text())["patches"] == 576


def current(place):
    opened = td.open(place)
    return opened.store.settings.model, opened.model


def test_the_current_model_stays_what_it_was(scenes, tmp_path):
    for name in ("own", "control"):
        td.create(tmp_path / name, td.Grid(160)).ingest(scenes)
    own, control = tmp_path / "own", tmp_path / "control"
    td.open(own).embed("mosaiks", quiet=True)
    before = current(own), current(control)
    assert before == (("mosaiks", "mosaiks"), (None, "mosaiks"))
    found = td.open(own).bench(
        scenes.parent / "truth.geojson",
        detectors=["rx"],
        control=control,
        any_touch=True,
        quiet=True,
    )
    assert [each.model for each in found.lines] == ["spectral"]
    assert (current(own), current(control)) == before
    assert td.open(control).store.exists("embeddings_spectral")
    td.open(own).bench(models=["spectral"], detectors=["drift"], quiet=True)
    assert current(own) == before[0]
    td.open(own).embed("spectral", quiet=True)
    assert current(own) == ("spectral", "spectral")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"models": ["spectral", "foo"]}, "named 'foo'"),
        ({"detectors": ["rx", "foo"]}, "named 'foo'"),
        ({"labels": "no.geojson"}, "got no file no.geojson"),
    ],
)
def test_names_are_checked_before_anything_is_embedded(scenes, tmp_path, wrong, said):
    place = tmp_path / "new.td"
    td.create(place, td.Grid(160)).ingest(scenes)
    with pytest.raises((UnknownPluginError, SourceError), match=said):
        td.open(place).bench(quiet=True, **wrong)
    assert td.open(place).store.tables() == ["patches", "runs", "scenes"]
    assert current(place) == (None, "mosaiks")


def test_a_control_of_other_patches_is_refused(archive, scenes, tmp_path):
    other = td.create(tmp_path / "other.td", td.Grid(160))
    other.ingest(scenes)
    with pytest.raises(
        ArchiveError, match=r"control of 80 m patches.*other\.td with 160 m"
    ):
        td.open(archive).bench(
            control=other.store.root, detectors=["rx"], models=["spectral"], quiet=True
        )
    assert not other.store.exists("embeddings_spectral")


def test_the_archive_refuses_what_it_cannot_compare(archive, scenes, tmp_path):
    opened = td.open(archive)
    with pytest.raises(UnknownPluginError, match="'rxx'; did you mean rx"):
        opened.bench(detectors=["rxx"], quiet=True)
    with pytest.raises(SourceError, match="no file"):
        opened.bench(
            tmp_path / "no.tif", models=["spectral"], detectors=["rx"], quiet=True
        )
    other = td.create(tmp_path / "other.td", td.Grid(80))
    with pytest.raises(ArchiveError, match="expected a control of the bands"):
        opened.bench(control=other.store.root, detectors=["rx"], quiet=True)
    run = CliRunner().invoke(
        app, ["bench", str(archive), "-o", str(tmp_path / "a.pdf")]
    )
    assert run.exit_code == 2
    assert "expected a page (.md) or a folder" in run.stderr.replace("\n", " ")
