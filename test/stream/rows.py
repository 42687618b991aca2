"""Reads an Arrow stream from standard input with pyarrow, checks it, and writes its rows
as JSON: cells as peer_test.go writes them."""
import json
import math
import struct
import sys

import pyarrow as pa
import pyarrow.ipc


def bits(x):
    return "nan" if math.isnan(x) else struct.pack(">d", x).hex()


def cell(x):
    if not x.is_valid:
        return "∅"
    if isinstance(x, pa.DictionaryScalar):
        return x.as_py()
    t = x.type
    if pa.types.is_fixed_size_list(t):
        return " ".join(cell(v) for v in x.values)
    if pa.types.is_floating(t):
        return bits(x.as_py())
    if pa.types.is_boolean(t):
        return "true" if x.as_py() else "false"
    if pa.types.is_timestamp(t) or pa.types.is_date(t):
        return str(x.value)
    return str(x.as_py())


rows, positions = [], []
with pa.ipc.open_stream(sys.stdin.buffer) as reader:
    assert reader.schema.metadata[b"genesis.stream"] == b'{"format":1}', reader.schema.metadata
    assert reader.schema.field(0).metadata[b"genesis.unit"] == b"m/s"
    while True:
        try:
            batch, meta = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            break
        batch.validate(full=True)
        positions.append(meta[b"genesis.next"].decode())
        for i in range(batch.num_rows):
            rows.append([cell(c[i]) for c in batch.columns])
json.dump({"Rows": rows, "Positions": positions}, sys.stdout)
