"""Batches as NumPy, JAX and PyTorch arrays, without copying where that can be.

A column becomes

==============================  =====================================================
integer, float, boolean         an array of its type, shape (rows,)
the same, with missing values   float64, missing ones NaN
timestamp                       int64, microseconds since 1970-01-01T00:00:00Z
date                            int32, days since 1970-01-01
the same, with missing values   the least number of the type where one is missing
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

__all__ = ["Convert", "jax_dict", "jax_rows", "numpy_dict", "numpy_rows", "torch_dict", "torch_rows"]

# Columns of a batch of ``ready`` rows, in the order of the tuple.
ROWS = ("features", "target", "missing")

Convert = Callable[[pa.RecordBatch], Any]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def plain(column: pa.Array) -> pa.Array | list[str | None]:
    """Return a column as numbers without nulls, or as a list of texts."""
    kind = column.type
    if _is_text(kind):
        texts: list[str | None] = column.to_pylist()
        return texts
    if pa.types.is_dictionary(kind):
        return column.indices.cast(pa.int32()).fill_null(-1)
    if pa.types.is_timestamp(kind):
        column, kind = column.cast(pa.timestamp("us", kind.tz)).view(pa.int64()), pa.int64()
        return column.fill_null(-(2**63)) if column.null_count else column
    if pa.types.is_date32(kind):
        column = column.view(pa.int32())
        return column.fill_null(-(2**31)) if column.null_count else column
    if column.null_count:
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        return pc.cast(column, pa.float64(), safe=False).fill_null(float("nan"))
    return column


def _numbers(column: pa.Array) -> tuple[pa.Array, tuple[int, ...]]:
    """Return the numbers of a column of ready rows, and their shape."""
    if not pa.types.is_fixed_size_list(column.type):
        return column, (len(column),)  # classes
    values = column.flatten()
    if pa.types.is_uint8(values.type):  # the mask
        values = values.cast(pa.bool_())
    return values, (len(column), column.type.list_size)


def _rows(batch: pa.RecordBatch, make: Callable[[pa.Array, tuple[int, ...]], Any]) -> tuple[Any, ...]:
    return tuple(make(*_numbers(batch.column(n))) for n in ROWS if n in batch.schema.names)


# NumPy


def _numpy(values: pa.Array) -> Any:
    return values.to_numpy(zero_copy_only=False)


def numpy_dict(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return a batch as arrays by column. Those that share Arrow's memory are read-only."""
    return {n: v if isinstance(v := plain(batch.column(n)), list) else _numpy(v) for n in batch.schema.names}


def numpy_rows(batch: pa.RecordBatch) -> tuple[Any, ...]:
    """Return a batch of ``ready`` rows as (x, y) or (x, y, missing)."""
    return _rows(batch, lambda values, shape: _numpy(values).reshape(shape))


# JAX


def jax_dict(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return a batch as JAX arrays by column."""
    import jax.numpy as jnp

    return {n: v if isinstance(v, list) else jnp.asarray(v) for n, v in numpy_dict(batch).items()}


def jax_rows(batch: pa.RecordBatch) -> tuple[Any, ...]:
    """Return a batch of ``ready`` rows as JAX arrays."""
    import jax.numpy as jnp

    return tuple(jnp.asarray(a) for a in numpy_rows(batch))


# PyTorch


def _tensor(values: pa.Array) -> Any:
    import torch

    if pa.types.is_boolean(values.type):  # bits in Arrow, bytes elsewhere
        return torch.from_dlpack(values.cast(pa.uint8())).to(torch.bool)
    return torch.from_dlpack(values)


def torch_dict(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return a batch as tensors by column. They share Arrow's memory, which is theirs alone."""
    return {n: v if isinstance(v := plain(batch.column(n)), list) else _tensor(v) for n in batch.schema.names}


def torch_rows(batch: pa.RecordBatch) -> tuple[Any, ...]:
    """Return a batch of ``ready`` rows as tensors (x, y) or (x, y, missing)."""
    return _rows(batch, lambda values, shape: _tensor(values).reshape(shape))
