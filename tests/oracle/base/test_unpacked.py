"""Parquet that unpacks to far more than it takes on disk is read in small pieces."""

import pyarrow as pa
import pytest

from oracle.base.unpacked import parquet_batches
from tests.robustness.making import parquet

TEXTS = pa.DictionaryArray.from_arrays([0] * 2000, ["x" * 1000]).dictionary_decode()
NESTED = {
    "lists": pa.ListArray.from_arrays(list(range(2001)), TEXTS),
    "structs": pa.StructArray.from_arrays([TEXTS], ["a"]),
}


@pytest.mark.parametrize("column", NESTED.values(), ids=NESTED)
def test_nested_columns_are_read_a_few_rows_at_a_time(tmp_path, column):
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet(pa.table({"c": column})))
    assert path.stat().st_size < 20_000
    batches = list(parquet_batches(path, 1_000_000, 1 << 16))
    assert sum(map(len, batches)) == 2000
    assert max(batch.nbytes for batch in batches) < 250_000
