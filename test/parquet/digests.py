"""Reads Parquet files with pyarrow and prints, for each, the logical digest of
every column that holds single values, as docs/formats.md specifies it.

    digests.py FILE...            -> one JSON object a line
    digests.py --make DIRECTORY   -> writes files of many types and encodings
"""
import datetime
import decimal
import hashlib
import json
import math
import os
import random
import struct
import sys

import pyarrow as pa
import pyarrow.parquet as pq

EXACT_DIGITS = 15
NAN = struct.pack("<Q", 0x7FF8000000000000)


def number(v):
    return struct.pack("<q", v)


def real(v):
    return NAN if v != v else struct.pack("<d", v)


def text(v):
    b = v if isinstance(v, bytes) else v.encode()
    return struct.pack("<I", len(b)) + b


def utf8(v):
    try:
        return v.decode() if isinstance(v, bytes) else v
    except UnicodeDecodeError:
        return None


def interpret(t, column):
    """Returns the type class and the values of a column."""
    types = pa.types
    if types.is_dictionary(t):
        return interpret(t.value_type, column.cast(t.value_type))
    if types.is_boolean(t):
        return "boolean", number, column.to_pylist()
    if types.is_uint64(t):
        return "text", text, [None if v is None else str(v) for v in column.to_pylist()]
    if types.is_integer(t):
        return "integer", number, column.to_pylist()
    if types.is_floating(t):
        return "float", real, [None if v is None else float(v) for v in column.to_pylist()]
    if types.is_decimal(t):
        values = column.to_pylist()
        if t.precision <= EXACT_DIGITS:
            return "float", real, [None if v is None else float(v) for v in values]
        return "text", text, [None if v is None else format(v, "f") for v in values]
    if types.is_date(t):
        return "date", number, column.cast(pa.int32()).to_pylist()
    if types.is_time(t):
        return "integer", number, column.cast(pa.int32() if t.bit_width == 32 else pa.int64()).to_pylist()
    if types.is_timestamp(t):
        scale = {"ms": (1000, 1), "us": (1, 1), "ns": (1, 1000), "s": (1000000, 1)}[t.unit]
        values = column.cast(pa.int64()).to_pylist()
        return "timestamp", number, [None if v is None else v * scale[0] // scale[1] for v in values]
    if types.is_string(t) or types.is_large_string(t) or types.is_binary(t) or types.is_large_binary(t) or types.is_fixed_size_binary(t):
        return "text", text, [None if v is None else utf8(v) for v in column.to_pylist()]
    return None


def digest(t, column):
    found = interpret(t, column)
    if found is None:
        return None
    name, encode, values = found
    h = hashlib.sha256(b"genesis column 1\n" + name.encode() + b"\n")
    for v in values:
        h.update(b"\0" if v is None else b"\1" + encode(v))
    return "sha256:" + h.hexdigest()


def digests(path):
    table = pq.ParquetFile(path, page_checksum_verification=True).read()
    while any(pa.types.is_struct(f.type) for f in table.schema):
        table = table.flatten()
    out = {}
    for field, column in zip(table.schema, table.columns):
        d = digest(field.type, column)
        if d is not None:
            out[field.name] = d
    return {"rows": table.num_rows, "columns": out}


def sample(n):
    rng = random.Random(7)

    def some(make, nulls=0.1):
        return [None if rng.random() < nulls else make() for _ in range(n)]

    whole = lambda bits: lambda: rng.randrange(-(1 << bits - 1), 1 << bits - 1)
    natural = lambda bits: lambda: rng.randrange(1 << bits)
    special = lambda: rng.choice([0.0, -0.0, math.nan, math.inf, -math.inf, rng.gauss(0, 1), rng.random() * 1e300])
    word = lambda: "".join(rng.choice("aé漢b,\n") for _ in range(rng.randrange(12)))
    dec = lambda p, s: lambda: decimal.Decimal(rng.randrange(-(10**p) + 1, 10**p)).scaleb(-s, decimal.Context(prec=60))
    cols = {
        "bool": pa.array(some(lambda: rng.random() < 0.5), pa.bool_()),
        "runs": pa.array([i // 97 % 2 == 0 for i in range(n)], pa.bool_()),
        "sorted": pa.array(range(n), pa.int64()),
        "constant": pa.array([42] * n, pa.int32()),
        "all_null": pa.array([None] * n, pa.float64()),
        "f16": pa.array(some(lambda: rng.choice([0.0, 1.5, -2.25, 6e-8, 65504.0, math.inf, math.nan])), pa.float16()),
        "f32": pa.array(some(lambda: rng.gauss(0, 1)), pa.float32()),
        "f64": pa.array(some(special), pa.float64()),
        "few": pa.array(some(lambda: rng.choice(["north", "south", ""])), pa.string()),
        "words": pa.array(some(word), pa.string()),
        "long": pa.array(some(lambda: word() * rng.randrange(300)), pa.large_string()),
        "bytes": pa.array(some(lambda: rng.choice([b"ok", b"\xff\xfe"])), pa.binary()),
        "fixed": pa.array(some(lambda: rng.choice([b"abcd", b"wxyz"])), pa.binary(4)),
        "date": pa.array(some(lambda: rng.randrange(-40000, 40000)), pa.int32()).cast(pa.date32()),
        "ms": pa.array(some(whole(42)), pa.int64()).cast(pa.timestamp("ms")),
        "us": pa.array(some(whole(52)), pa.int64()).cast(pa.timestamp("us", "UTC")),
        "ns": pa.array(some(whole(62)), pa.int64()).cast(pa.timestamp("ns", "UTC")),
        "time32": pa.array(some(lambda: rng.randrange(86400000)), pa.int32()).cast(pa.time32("ms")),
        "time64": pa.array(some(lambda: rng.randrange(86400000000)), pa.int64()).cast(pa.time64("us")),
        "dec9": pa.array(some(dec(9, 2)), pa.decimal128(9, 2)),
        "dec15": pa.array(some(dec(15, 4)), pa.decimal128(15, 4)),
        "dec30": pa.array(some(dec(30, 10)), pa.decimal128(30, 10)),
        "dec60": pa.array(some(dec(55, 5)), pa.decimal256(60, 5)),
        "struct": pa.array(some(lambda: {"a": rng.choice([None, rng.randrange(9)]), "b": {"c": word()}}),
                           pa.struct([("a", pa.int64()), ("b", pa.struct([("c", pa.string())]))])),
        "list": pa.array(some(lambda: [rng.randrange(9) for _ in range(rng.randrange(4))]), pa.list_(pa.int64())),
    }
    for bits in (8, 16, 32, 64):
        cols[f"i{bits}"] = pa.array(some(whole(bits)), getattr(pa, f"int{bits}")())
        cols[f"u{bits}"] = pa.array(some(natural(bits)), getattr(pa, f"uint{bits}")())
    return pa.table(cols)


def make(directory):
    table = sample(5000)
    options = {
        "default": {},
        "v2": {"data_page_version": "2.0", "version": "2.6"},
        "plain": {"use_dictionary": False},
        "int96": {"use_deprecated_int96_timestamps": True},
        "decimals_as_int": {"store_decimal_as_integer": True, "use_dictionary": False},
        "tiny": {"data_page_size": 100, "row_group_size": 700, "write_page_checksum": True},
        "empty": {},
    }
    for codec in ("none", "gzip", "brotli", "lz4", "zstd"):
        options[codec] = {"compression": codec, "data_page_version": "2.0" if codec in ("none", "gzip") else "1.0"}
    for name, opt in options.items():
        rows = table.slice(0, 0) if name == "empty" else table
        pq.write_table(rows, os.path.join(directory, name + ".parquet"), **opt)
    encodings = {"DELTA_BINARY_PACKED": ("i32", "i64", "sorted", "constant", "date", "us"),
                 "DELTA_LENGTH_BYTE_ARRAY": ("words", "long", "few"), "DELTA_BYTE_ARRAY": ("words", "long", "fixed"),
                 "BYTE_STREAM_SPLIT": ("f32", "f64", "i32", "i64", "fixed", "f16"), "RLE": ("bool", "runs")}
    for encoding, names in encodings.items():
        for version in ("1.0", "2.0"):
            pq.write_table(table.select(names), os.path.join(directory, f"{encoding}_{version}.parquet"), use_dictionary=False,
                           column_encoding={n: encoding for n in names}, data_page_version=version, data_page_size=3000)


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        make(sys.argv[2])
    else:
        for path in sys.argv[1:]:
            print(json.dumps(digests(path)), flush=True)
