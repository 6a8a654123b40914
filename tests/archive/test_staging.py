from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import terradrift as td
from terradrift import schema
from terradrift.archive.staging import with_q_values
from terradrift.detect.discovery import q_values
from tests.detect.worlds import part, planted, run, series


def test_rows_in_any_blocks_carry_q_values_of_their_whole_day(tmp_path: Path) -> None:
    made = td.create(tmp_path / "a.td", grid=td.Grid(patch_size=40))
    world = planted(series(n=60), 7, 20)
    blocks = run(*(part(world, rows) for rows in np.array_split(np.arange(60), 3)))
    before = sorted(path.name for path in made.store.root.iterdir())
    rows = with_q_values(made.store, iter(blocks), made.store.settings.grid, "run")
    table = pa.Table.from_batches(rows)
    assert table.schema == schema.scores()
    frame = table.to_pandas()
    assert len(frame) == np.isfinite(world.clear_percent).sum()
    for _, day in frame.groupby(frame["datetime"].dt.date):
        p, q = (day[name].to_numpy(np.float32) for name in ("p_value", "q_value"))
        np.testing.assert_allclose(q, q_values(p), rtol=1e-6)
    assert frame["q_value"].notna().sum() == frame["p_value"].notna().sum() > 500
    assert (frame["ewma"].notna() == frame["z"].notna()).all()
    assert sorted(path.name for path in made.store.root.iterdir()) == before


def test_what_goes_wrong_in_a_block_leaves_nothing_behind(tmp_path: Path) -> None:
    made = td.create(tmp_path / "a.td", grid=td.Grid(patch_size=40))
    (block,) = run(series(n=20, t=6))
    before = sorted(path.name for path in made.store.root.iterdir())

    def broken():
        yield block
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(with_q_values(made.store, broken(), made.store.settings.grid, "run"))
    assert sorted(path.name for path in made.store.root.iterdir()) == before
