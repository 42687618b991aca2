"""Batches as NumPy, JAX and PyTorch arrays, without copying where that can be.

A column becomes

==============================  =====================================================
float                           float64, missing ones NaN; shape (rows,)
integer, boolean                int64, bool; float64 with NaN if the *version* misses any
timestamp                       int64, microseconds since 1970-01-01T00:00:00Z
date                            int32, days since 1970-01-01
these, with missing values      the least number of the type where one is missing
dictionary (``form=``)          int32 codes, −1 where missing
text, of any sort               a list of ``str`` or ``None``
==============================  =====================================================

With ``ready=True`` a batch becomes *(x, y)*: float32 of shape (rows, numbers of the features), as
the plan's ``features`` say, and float32 of shape (rows, targets), or, where the one target is a
category, int64 classes of shape (rows,), which are places in the ``words`` of the plan's ``targets``.
With ``mask=True`` it becomes *(x, y, missing)*, the last boolean of shape (rows, feature columns).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Columns", "Convert", "Rows"]

# Columns of a batch of ``ready`` rows, in the order of the tuple.
ROWS = ("features", "target", "missing")

Convert = Callable[[pa.RecordBatch], Any]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def plain(column: pa.Array, gaps: bool) -> pa.Array | list[str | None]:
    """Return a column as numbers without nulls, or as a list of texts.

    *gaps* says whether values are missing anywhere in the column, so that its batches
    all have one type.
    """
    kind = column.type
    if _is_text(kind):
        texts: list[str | None] = column.to_pylist()
        return texts
    if pa.types.is_dictionary(kind):
        return column.indices.cast(pa.int32()).fill_null(-1)
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).view(pa.int64())
        return column.fill_null(-(2**63)) if column.null_count else column
    if pa.types.is_date32(kind):
        column = column.view(pa.int32())
        return column.fill_null(-(2**31)) if column.null_count else column
    if column.null_count or gaps and not pa.types.is_floating(kind):
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        column = pc.cast(column, pa.float64(), safe=False)
        return column.fill_null(float("nan")) if column.null_count else column
    return column


def _numbers(column: pa.Array) -> tuple[pa.Array, tuple[int, ...]]:
    """Return the numbers of a column of ready rows, and their shape."""
    if not pa.types.is_fixed_size_list(column.type):
        return column, (len(column),)  # classes
    values = column.flatten()
    if pa.types.is_uint8(values.type):  # the mask
        values = values.cast(pa.bool_())
    return values, (len(column), column.type.list_size)


class Columns:
    """Turns batches into dictionaries of arrays by column.

    Args:
        to: ``"torch"``, ``"numpy"`` or ``"jax"``.
        gaps: the columns in which values are missing.
    """

    def __init__(self, to: str, gaps: frozenset[str] = frozenset()) -> None:
        self._to = to
        self._gaps = gaps

    def __call__(self, batch: pa.RecordBatch) -> dict[str, Any]:
        make = _MAKERS[self._to]
        out = {}
        for name in batch.schema.names:
            values = plain(batch.column(name), name in self._gaps)
            out[name] = values if isinstance(values, list) else make(values)
        return out


class Rows:
    """Turns batches of ``ready`` rows into tuples (x, y) or (x, y, missing) of arrays."""

    def __init__(self, to: str) -> None:
        self._to = to

    def __call__(self, batch: pa.RecordBatch) -> tuple[Any, ...]:
        make = _MAKERS[self._to]
        parts = [_numbers(batch.column(n)) for n in ROWS if n in batch.schema.names]
        return tuple(make(values).reshape(shape) for values, shape in parts)


def _numpy(values: pa.Array) -> Any:
    """Share Arrow's memory, read-only, where that can be."""
    return values.to_numpy(zero_copy_only=False)


def _jax(values: pa.Array) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(_numpy(values))


def _torch(values: pa.Array) -> Any:
    """Share Arrow's memory, which is this batch's alone and so may be written to."""
    import torch

    if pa.types.is_boolean(values.type):  # bits in Arrow, bytes elsewhere
        return torch.from_dlpack(values.cast(pa.uint8())).to(torch.bool)
    return torch.from_dlpack(values)


_MAKERS: dict[str, Callable[[pa.Array], Any]] = {"numpy": _numpy, "jax": _jax, "torch": _torch}
