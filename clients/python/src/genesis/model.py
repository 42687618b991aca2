"""Models: what a node trained, or was told of, and what they predict."""

from __future__ import annotations

import math
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from . import show
from .dataset import Asset, Dataset, download
from .errors import Error, Permission
from .files import brought
from .names import quote
from .optional import need
from .parts import parts_of
from .progress import Show, meter
from .records import Version, read
from .stream import Stream
from .wire import Watch, Wire

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Model", "Predictions", "log_model"]


class Model(Asset):
    """A version of a model. ``report`` says what it was trained on, and how well it predicts."""

    _kind = "model"

    @property
    def report(self) -> dict[str, Any]:
        """The model's report, as JSON's types: scores by part and predictor, coverage, …"""
        report: dict[str, Any] = self.raw.get("report") or {}
        return report

    @property
    def parts(self) -> list[str]:
        """The names of the files that make the model."""
        return sorted(self.raw["manifest"].get("parts") or {})

    def part(self, name: str) -> bytes:
        """Return the bytes of one of the files.

        Load what runs code when it is loaded (a pickle) only from whom you trust.
        """
        digest = (self.raw["manifest"].get("parts") or {})[name]
        path = f"/v1/models/{quote(self.version.ref)}/parts/{quote(name)}"
        with tempfile.TemporaryFile() as file:
            download(self._wire, path, None, file, digest=digest)
            file.seek(0)
            return file.read()

    def scores(self, part: str = "test") -> dict[str, dict[str, dict[str, float]]]:
        """Return scores by target, predictor (``net``, ``trivial``, …) and metric."""
        return {t["column"]["name"]: t.get("scores", {}).get(part, {}) for t in self.report.get("targets") or []}

    def predict(self, data: Any, *, level: float = 0.9, send: bool = False, progress: Show = None) -> Predictions:
        """Apply the model to raw rows: a table, a path, or paths.

        Units that differ from those the model was trained in are converted. Another node's
        model is copied to your own node and applied there, where it may be. Where it may
        only be used, the rows would have to go to its node: then nothing is sent unless
        you say so.

        Args:
            data: a pandas, polars or pyarrow table, or files as for :func:`genesis.prepare`.
            level: share of true values that the intervals are to hold, between 0 and 1.
            send: whether the rows may go to the model's node. It keeps none of them: they
                and what came of them are deleted there when you have it, which is before
                this returns, and an hour later at the latest if you get lost meanwhile.

        Raises:
            Error: Permission, which says what would be sent where, without ``send``;
                Invalid where the rows lack an input, NotFound.
        """
        with meter(progress) as show:
            wire, ref = self._applied(data, send, show)
            with brought(wire, "predict", data, "rows", show) as (files, headers):
                body = {"model": ref, "files": files, "level": level, "format": "parquet"}
                said = wire.watch("POST", "/v1/predict", body=body, watch=show, headers=headers)
            made = Predictions(wire, said)
            if wire.node:
                made.to_arrow()  # its node deletes it then
        return made

    def _applied(self, data: Any, send: bool, show: Watch | None) -> tuple[Wire, str]:
        """Return where the model is applied to rows, and what it is called there."""
        own, node = self._wire.own, self._wire.node
        if not node:
            return own, self.version.ref
        try:
            copied = own.watch("POST", "/v1/pull", body={"ref": f"{node}/{self.version.ref}"}, watch=show)
        except Permission as refused:
            if send:
                return self._wire, self.version.ref
            raise Permission(
                f"{_counted(own, data, show)} will be sent to {node}; not stored; the model may not be copied: {refused.message}",
                op="predict",
                subject=f"{node}/{self.ref}",
                hint="say send=True if that is all right",
            ) from None
        return own, read(Version, copied["version"]).ref

    def _repr_html_(self) -> str:
        said = self.report
        dataset = said.get("dataset")
        pairs: list[tuple[str, object]] = [
            ("version", self.version),
            ("network", said.get("network")),
            ("learned from", dataset if isinstance(dataset, str) else None),
            ("parts", ", ".join(self.parts)),
            ("scores", show.scores(said)),
        ]
        return show.fields(self.title, pairs)


class Predictions:
    """What a model predicts: its inputs, and for each target prediction, interval and flag."""

    def __init__(self, wire: Wire, said: Mapping[str, Any]) -> None:
        self._wire = wire
        self.rows: int = said["rows"]
        self.flagged: int = said["flagged"]  #: rows unlike any that the model was trained on
        self.converted: list[str] = list(said.get("converted") or [])  #: "temp: Fahrenheit → Cel"
        self.model = read(Version, said["model"])
        self._output = said["output"]
        self._table: pa.Table | None = None

    def to_arrow(self) -> pa.Table:
        """Return the predictions as a table. They are fetched once."""
        if self._table is None:
            with tempfile.TemporaryFile() as file:
                download(self._wire, f"/v1/blobs/{quote(self._output['digest'])}", None, file, digest=self._output["digest"])
                file.seek(0)
                self._table = pq.read_table(file)
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """Return the predictions as a pandas DataFrame."""
        need("pandas")
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> Any:
        """Return the predictions as a polars DataFrame."""
        need("polars")
        import polars as pl

        return pl.from_arrow(self.to_arrow())

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        flagged = f", {self.flagged:,} unlike the training data" if self.flagged else ""
        return f"<genesis.Predictions of {self.model}: {self.rows:,} rows{flagged}>"


def _counted(own: Wire, data: Any, show: Watch | None) -> str:
    """Return how many rows there are, as one's own node counts them."""
    try:
        with brought(own, "predict", data, "rows", show) as (files, headers):
            said = own.watch("POST", "/v1/inspect", body={"files": files}, watch=show, headers=headers)
    except Error:
        return "the rows"  # what is wrong with them is said when they are to be predicted on
    n = sum(int(t.get("rows", 0)) for t in said.get("tables") or [])
    return f"{'more than ' if said.get('sampled') else ''}{n:,} {'row' if n == 1 else 'rows'}"


def log_model(
    wire: Wire,
    model: Any,
    name: str,
    *,
    inputs: Iterable[Any] = (),
    metrics: Mapping[str, float] | Iterable[Mapping[str, Any]] = (),
    targets: Iterable[str] = (),
    description: str = "",
    parameters: Mapping[str, Any] | None = None,
    code: str | None = None,
    framework: str | None = None,
    progress: Show = None,
) -> Model:
    """Bring a model into the catalogue. :func:`genesis.log_model` says how."""
    inputs = list(inputs)
    if not inputs:
        warnings.warn(
            "no inputs are said: the catalogue cannot say what the model was trained on, and the conditions of that "
            "data do not protect the model. Say inputs=[loader], or datasets, or references",
            UserWarning,
            stacklevel=_caller(),
        )
    guessed, installed, parts = parts_of(model)
    body: dict[str, Any] = {
        "name": name,
        "framework": framework or guessed,
        "inputs": [_input(wire, i) for i in inputs],
        "metrics": _metrics(metrics),
    }
    said = {
        "framework_version": installed,
        "targets": list(targets),
        "description": description,
        "parameters": dict(parameters or {}),
        "code": code,
    }
    body.update({k: v for k, v in said.items() if v})
    with tempfile.TemporaryDirectory(prefix="genesis-") as folder, meter(progress) as show:
        paths = [_lying(Path(folder), part, content) for part, content in parts.items()]
        with brought(wire, "log model", paths, name, show) as (files, headers):
            # A part is called by its place among the parts.
            body["parts"] = {part: {"token": file["token"], "path": part} for part, file in zip(parts, files, strict=True)}
            headers = {**headers, "Idempotency-Key": uuid.uuid4().hex}
            made = wire.watch("POST", "/v1/models", body=body, watch=show, headers=headers)
    return Model(wire, read(Version, made["version"]).ref)


def _caller() -> int:
    """Return the level of the first caller outside this package, for a warning of who calls this."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    return level


def _lying(folder: Path, part: str, content: bytes | Path) -> Path:
    """Return a file that holds a part."""
    if isinstance(content, Path):
        return content
    path = folder / uuid.uuid4().hex
    path.write_bytes(content)
    return path


def _input(wire: Wire, given: Any) -> dict[str, Any]:
    """Return what a model was trained on: a stream or what is made of one, a dataset, a reference."""
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str):
        given = Dataset(wire, given)
    if isinstance(given, Asset):
        return {"ref": given.version.ref}
    stream = getattr(given, "stream", given)  # of a loader
    if not isinstance(stream, Stream):
        raise TypeError(f"{type(given).__name__} is no input of a model: give streams, loaders, datasets or references")
    plan = stream.plan
    said = {"ref": plan.ref, "table": plan.table, "split": plan.split, "key": plan.key, **stream.consumed()}
    return {k: v for k, v in said.items() if v}


def _metrics(given: Mapping[str, float] | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return metrics as the API takes them: ``{"test/rmse": 1.2}`` is rmse on the part test."""
    if not isinstance(given, Mapping):
        return [dict(m) for m in given]
    metrics = []
    for name, value in given.items():
        split, _, metric = name.rpartition("/")
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"metric {name} is {number}: the catalogue takes finite numbers")
        metrics.append({"name": metric, "value": number, **({"split": split} if split else {})})
    return metrics
