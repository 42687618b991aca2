"""Find, stream, train on and publish AI-ready scientific datasets.

    >>> import genesis
    >>> node = genesis.connect()                    # as the command line finds it
    >>> turbines = node.dataset("turbines")
    >>> turbines.schema
    >>> frame = turbines.to_pandas()

and, to learn from them,

    >>> loader = turbines.loader("train", ready=True, batch_size=256, seed=1, num_workers=2)
    >>> for epoch in range(10):
    ...     loader.set_epoch(epoch)
    ...     for x, y in loader:
    ...         ...
    ...     torch.save({"model": net.state_dict(), "loader": loader.state_dict()}, "checkpoint.pt")

:func:`connect` returns a :class:`Node`; :func:`prepare`, :func:`train`, :func:`predict` and
:func:`log_model` work at the node that was connected to last.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from .dataset import Dataset
from .errors import (
    Canceled,
    Conflict,
    Error,
    Exists,
    Gone,
    Internal,
    Invalid,
    NotFound,
    Permission,
    RetryWarning,
    Unavailable,
    Unsupported,
)
from .mapped import Mapped
from .model import Model, Predictions
from .node import Found, Node
from .place import resolve
from .progress import Show
from .records import Card, Check, Column, ColumnProfile, Finding, Plan, Readiness, Schema, Split, StreamFeature, Version
from .run import Run, Runs
from .stream import Stream
from .wire import VERSION as __version__

__all__ = [
    "Canceled",
    "Card",
    "Check",
    "Column",
    "ColumnProfile",
    "Conflict",
    "Dataset",
    "Error",
    "Exists",
    "Finding",
    "Found",
    "Gone",
    "Internal",
    "Invalid",
    "Mapped",
    "Model",
    "Node",
    "NotFound",
    "Permission",
    "Plan",
    "Predictions",
    "Readiness",
    "RetryWarning",
    "Run",
    "Runs",
    "Schema",
    "Split",
    "Stream",
    "StreamFeature",
    "Unavailable",
    "Unsupported",
    "Version",
    "__version__",
    "connect",
    "log_model",
    "predict",
    "prepare",
    "train",
]

_lock = threading.Lock()
_last: Node | None = None


def connect(
    node: str | None = None,
    token: str | None = None,
    home: str | os.PathLike[str] | None = None,
    *,
    purpose: str | None = None,
) -> Node:
    """Return the node that the command line would use here.

    That is the one at ``node``, or in ``home``, else at ``$GENESIS_NODE``, else in ``$GENESIS_HOME``,
    else in the default home. A home that nobody serves is served by a child process, for
    as long as this one uses it: ``genesis`` must be on ``PATH``, or named by ``$GENESIS_BIN``.

    Args:
        node: URL of a node.
        token: signs in there; else ``$GENESIS_TOKEN``, else what ``genesis login`` stored.
        home: folder of a node on this machine.
        purpose: what you do this for, which conditions of grants may ask for and the
            node's log keeps; else ``$GENESIS_PURPOSE``.

    Raises:
        Invalid: ``node`` is no URL, or a token would go over a network in the clear.
    """
    global _last
    made = Node(resolve(node, token, home, purpose))
    with _lock:
        _last = made
    return made


def _node(node: Node | None) -> Node:
    if node is not None:
        return node
    with _lock:
        last = _last
    return last if last is not None else connect()


def prepare(data: Any, name: str | None = None, *, node: Node | None = None, **options: Any) -> Dataset:
    """Make a draft dataset of a table or of raw files, with types, units, splits and checks.

    Ctrl-C stops the work; nothing half-done is kept.

    Args:
        data: a pandas, polars or pyarrow table; the path of a file in any format that the
            node reads; or paths of files that have one schema.
        name: of the dataset; of a file's name by default.
        node: by default the one connected to last.
        target: the column to predict, or several.
        split: ``"random"``, ``"group:COLUMN"``, ``"time:COLUMN"``, ``"stratify:COLUMN"``; one or more.
        fractions: shares of train, validation and test rows.
        folds: split into so many folds instead.
        seed: of random splits.
        recipe: YAML text of a recipe to be replayed exactly.
        strict: refuse a file with a bad cell instead of setting the cell aside.
        dedup: remove exact duplicate rows.
        proof: train the baseline network of the readiness report.
        progress: whether to show progress: by default where somebody looks; or a function
            that is told of it.
        options: further members of the API's ``PrepareOptions``: ``header``, ``delimiter``, …

    Raises:
        Error: Invalid for what cannot be read, Permission, Unavailable.
    """
    return _node(node).prepare(data, name, **options)


def train(dataset: str | Dataset, name: str, *, node: Node | None = None, **options: Any) -> Model:
    """Train a network on a dataset, where the data is.

    Whoever may *train* on a dataset need not be allowed to *read* it. Another node's data
    that may be read is copied to your own node and trained on there; other data stays where
    it is: its node does the training, and the model is there, as ``~you+yournode/NAME``.
    Ctrl-C stops the work.

    Args:
        dataset: a dataset, or a reference: ``"turbines"``, ``"nrel/turbines"``.
        name: of the model.
        node: by default the one connected to last.
        target: the column to predict; those of role target by default.
        split: the first one of the dataset by default; ``fold`` of one with folds.
        features: columns to learn from; all of role feature by default.
        seed, epochs, members, threads: of the training; chosen by default.
        progress: as of :func:`prepare`.

    Raises:
        Error: Invalid, NotFound, Permission, Unavailable.
    """
    return _node(node).train(dataset, name, **options)


def predict(model: str | Model, data: Any, *, node: Node | None = None, **options: Any) -> Predictions:
    """Apply a model to raw rows, at your own node: another node's model is copied there first.

    One that may be used and not copied stays where it is. The rows go there only with
    ``send=True``; else the error says how many would be sent where.

    Args:
        model: a model, or a reference.
        data: a table, a path or paths, as for :func:`prepare`.
        node: by default the one connected to last.
        level: share of true values that the intervals are to hold; 0.9 by default.
        send: whether rows may go to the model's node, which deletes them and the predictions
            when you have these, and after an hour at the latest.
        progress: as of :func:`prepare`.

    Raises:
        Error: Invalid where the rows lack an input, NotFound, Permission, Unavailable.
    """
    return _node(node).predict(model, data, **options)


def log_model(
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
    node: Node | None = None,
    progress: Show = None,
) -> Model:
    """Bring a model that was trained here into the catalogue, with what it was trained on.

    The model owes to its inputs what one trained at the node would: it is open to nobody
    who may not have them. Say all inputs.

    Args:
        model: a PyTorch module or state_dict (written as safetensors), an estimator of
            scikit-learn (skops, else pickle), an ONNX model, the path of a file, or files by
            name: ``{"model.bin": b"…"}``.
        name: of the model: ``"power-net"``, or ``"~ada/power-net"`` of those who are no stewards.
        inputs: streams and loaders that were read, datasets, models trained further, or references.
        metrics: ``{"test/rmse": 1.2}``, which is rmse on the part test.
        targets: the columns it predicts.
        description: becomes the card's.
        parameters: learning rate, layers and so on, as JSON.
        code: digest of the code that trained it, ``"sha256:…"``.
        framework: by default what *model* is.
        node: by default the one connected to last.
        progress: as of :func:`prepare`.

    Raises:
        Error: Permission where an input may not be read, Gone where one was withdrawn, Invalid.
        TypeError: *model* is nothing that can be written.
    """
    return _node(node).log_model(
        model,
        name,
        inputs=inputs,
        metrics=metrics,
        targets=targets,
        description=description,
        parameters=parameters,
        code=code,
        framework=framework,
        progress=progress,
    )
