"""Models of PyTorch, scikit-learn and ONNX as files, for :func:`genesis.log_model`.

Weights of a PyTorch module become *safetensors*, which run no code when they are
loaded. An estimator of scikit-learn becomes what skops writes, where skops is
installed, else a pickle; the node marks that as running code when it is loaded.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["Parts", "parts_of", "safetensors"]

# What one part may be: bytes, or a file that lies ready.
Parts = dict[str, bytes | Path]

_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}


def parts_of(model: Any) -> tuple[str, str, Parts]:
    """Return framework, its version, and the files that make a model.

    *model* is a PyTorch module or its state_dict, an estimator of scikit-learn, an ONNX
    model, a path of a file, or files by name.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(model, (str, os.PathLike)):
        path = Path(model)
        return _framework_of(path.name), "", {path.name: path}
    if isinstance(model, Mapping) and model and all(isinstance(v, (bytes, str, os.PathLike)) for v in model.values()):
        files: Parts = {str(k): v if isinstance(v, bytes) else Path(v) for k, v in model.items()}
        known = {_framework_of(name) for name in files} - {"other"}
        return (known.pop() if len(known) == 1 else "other"), "", files
    roots = {c.__module__.partition(".")[0] for c in type(model).__mro__}
    if "torch" in roots or _is_state_dict(model):
        return "pytorch", _installed("torch"), _torch(model)
    if "sklearn" in roots:
        return "sklearn", _installed("scikit-learn"), _sklearn(model)
    if "onnx" in roots:
        return "onnx", _installed("onnx"), {"model.onnx": model.SerializeToString()}
    raise TypeError(
        f"{type(model).__name__} is no model that this package can write; give a path, or files by name: "
        '{"model.bin": b"…"}'
    )


def _framework_of(name: str) -> str:
    suffix = name.lower().rpartition(".")[2]
    return {"onnx": "onnx", "safetensors": "pytorch", "pt": "pytorch", "pth": "pytorch", "skops": "sklearn"}.get(
        suffix, "other"
    )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _is_state_dict(model: Any) -> bool:
    return (
        isinstance(model, Mapping)
        and bool(model)
        and all(type(v).__module__.partition(".")[0] == "torch" for v in model.values())
    )


def _torch(model: Any) -> Parts:
    state = model if isinstance(model, Mapping) else model.state_dict()
    parts: Parts = {"model.safetensors": safetensors(state)}
    if not isinstance(model, Mapping):
        parts["architecture.txt"] = (str(model) + "\n").encode()
    return parts


def safetensors(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return PyTorch tensors in the safetensors format: a header of JSON, then the arrays.

    Raises:
        TypeError: an entry is no tensor, or of a type that the format does not have.
    """
    import torch

    header: dict[str, Any] = {"__metadata__": {"format": "pt", **(metadata or {})}}
    arrays: list[bytes] = []
    at = 0
    for name, tensor in tensors.items():
        kind = _DTYPES.get(str(getattr(tensor, "dtype", "")).removeprefix("torch."))
        if kind is None:
            raise TypeError(f"{name!r} is no tensor of a type that safetensors have: keep it among the parameters")
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        data = _little(flat.view(torch.uint8) if flat.numel() else flat, flat.element_size())
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        arrays.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at a multiple of 8
    return b"".join([struct.pack("<Q", len(text)), text, *arrays])


def _little(flat: Any, width: int) -> bytes:
    """Return the bytes of a tensor, least significant first."""
    import sys

    data = bytes(flat.numpy().data) if flat.numel() else b""
    if sys.byteorder == "big" and width > 1:
        swapped = bytearray(data)
        for i in range(width):
            swapped[i::width] = data[width - 1 - i :: width]
        return bytes(swapped)
    return data


def _sklearn(model: Any) -> Parts:
    try:
        import skops.io

        return {"model.skops": skops.io.dumps(model)}
    except ImportError:
        out = io.BytesIO()
        pickle.dump(model, out, protocol=4)
        return {"model.pkl": out.getvalue()}
