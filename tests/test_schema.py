from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from terradrift import schema
from terradrift.errors import SchemaError


def test_a_table_with_the_columns_passes_in_any_order() -> None:
    want = schema.units()
    schema.check(pa.schema(list(reversed(list(want)))), want)


def test_all_problems_stand_in_one_message() -> None:
    wrong = pa.schema([("scene_id", pa.int64()), ("tile", pa.string()), ("x", "int8")])
    with pytest.raises(SchemaError) as caught:
        schema.check(wrong, schema.units(), "ledger")
    message = str(caught.value)
    assert message.startswith("ledger does not match units/1: ")
    assert "scene_id: expected string, got int64" in message
    assert "rows: expected int32, got no such column" in message
    assert "x: not part of the schema" in message


def test_another_version_is_named() -> None:
    want = schema.units()
    other = want.with_metadata({"terradrift:schema": "units/2"})
    with pytest.raises(SchemaError, match="is units/2"):
        schema.check(other, want)


def test_vectors_of_another_length_do_not_pass() -> None:
    with pytest.raises(SchemaError, match=r"embedding: expected .*\[8\].*got .*\[4\]"):
        schema.check(schema.embeddings(4), schema.embeddings(8))


def test_a_model_name_becomes_part_of_a_table_name() -> None:
    assert schema.suffix("clay-v1.5") == "clay_v1_5"
    assert schema.suffix("mosaiks") == "mosaiks"


def test_metadata_names_the_model() -> None:
    made = schema.embeddings(4, model="m", revision="1")
    assert made.metadata[b"model"] == b"m"
    assert schema.name(made) == "embeddings/1"


@pytest.mark.parametrize("dimensions", [1, 384, 2046, 2047, 2048])
def test_vectors_of_any_length_can_be_stored(tmp_path: Path, dimensions: int) -> None:
    values = np.random.default_rng(0).random((100, dimensions)).astype(np.float16)
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dimensions)
    field = schema.vector("embedding", dimensions)
    rows = pa.Table.from_arrays([column], schema=pa.schema([field]))
    lance.write_dataset(rows, str(tmp_path / "v"), data_storage_version="2.1")
    assert lance.dataset(str(tmp_path / "v")).to_table().equals(rows)
