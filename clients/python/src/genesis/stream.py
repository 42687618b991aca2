"""Streams: the rows of a dataset in an order that is a function of a key.

A stream can be stopped anywhere and resumed exactly, in another process, on another
machine, with another number of workers or another batch size: its state is one
number, the first row of the order that was not yet consumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from .ahead import Ahead
from .errors import Conflict, Invalid
from .names import quote
from .progress import Show, meter
from .reader import Piece, Reader
from .records import Plan
from .wire import Watch, Wire

__all__ = ["Piece", "Query", "Stream"]

STATE_FORMAT = 1
PREFETCH = 3  # batches


@dataclass(frozen=True)
class Query:
    """What to stream. ``None`` leaves it to the node; docs/streams.md has the defaults."""

    table: str | None = None
    split: str | None = None
    columns: Sequence[str] | None = None
    filter: str | None = None
    mode: str = "sequential"
    seed: int = 0
    block: int | None = None
    batch: int | None = None
    form: str = "table"
    target: Sequence[str] | None = None
    categories: str | None = None
    scale: str | None = None
    mask: bool = False

    def __post_init__(self) -> None:
        for what, names in (("columns", self.columns), ("target", self.target)):
            if isinstance(names, str):
                part = f'; a part is split="{names}", the first argument of .stream and .loader alone' if what == "columns" else ""
                raise TypeError(f'{what} is a list of names, {what}=["{names}"]{part}')
            if names is not None and not isinstance(names, (list, tuple)):  # an index of pandas, an array
                object.__setattr__(self, what, [str(name) for name in names])
        if self.columns is not None and not self.columns:
            raise ValueError("columns names none: leave it out for all columns")
        if self.batch is not None and self.batch < 1:
            raise ValueError("batch_size is at least 1")

    def params(self, epoch: int) -> dict[str, Any]:
        """Return the parameters of a request."""
        return {
            "table": self.table,
            "split": self.split,
            "columns": self.columns,
            "filter": self.filter,
            "mode": self.mode,
            "seed": self.seed or None,
            "epoch": epoch or None,
            "block": self.block,
            "batch": self.batch,
            "as": self.form if self.form != "table" else None,
            "target": self.target,
            "categories": self.categories,
            "scale": self.scale,
            "mask": self.mask or None,
        }


class Stream:
    """The batches of a stream, as ``pyarrow.RecordBatch``.

    Iterating yields them from ``position`` on, which after a batch was yielded is what
    comes after it; so the state saved inside the loop counts the batch that the loop
    is working on as consumed. The next iteration begins at 0 again, unless a state is
    loaded before. Batches of which the filter leaves nothing are passed over.

    A connection that breaks is opened again where it broke: while no further batch
    comes, 8 times, with pauses that grow from ¼ to 8 seconds, so for about half a minute.
    After some 2 seconds a :class:`genesis.RetryWarning` says so, once. What does not mend
    is raised. A stream never just ends early.

    One iteration goes on at a time. A stream may be pickled: its copy begins where it
    stands.
    """

    def __init__(
        self, wire: Wire, ref: str, query: Query, *, epoch: int = 0, position: int = 0, prefetch: int = PREFETCH
    ) -> None:
        if position < 0:
            raise ValueError("position is at least 0")
        self._wire = wire
        self._ref = ref
        self.query = query
        self.epoch = epoch
        self.prefetch = prefetch
        self._position = position
        self._begin: int | None = position  # of the next iteration; None: 0
        self._loaded = False  # _begin is of a state
        self._plan: Plan | None = None
        self._key: str | None = None  # that the order must have
        self._seen: dict[int, int] = {}  # by epoch: how far it was consumed

    @property
    def plan(self) -> Plan:
        """What the stream is. The first look pins the version by its digest.

        Raises:
            Error: NotFound, Permission, Invalid (a column, a filter), Conflict where the
                order of a loaded state is no more.
        """
        if self._plan is None:
            params = {**self.query.params(self.epoch), "key": self._key}
            plan = Plan.of(self._wire.get(f"/v1/datasets/{quote(self._ref)}/plan", params))
            if self.query.form == "rows" and not plan.features:
                plan = self._warm()  # what rows become is known once the node has laid them out
            if self._key is not None and plan.key != self._key:
                raise Conflict("the order is another one than that of the state", op="resume stream", subject=self._ref)
            self._plan, self._key, self._ref = plan, plan.key, plan.ref
        return self._plan

    def warm(self, progress: Show = None) -> None:
        """Have the node lay out the rows, so that the stream begins at once."""
        with meter(progress) as watch:
            self._warm(watch)

    def _warm(self, watch: Watch | None = None) -> Plan:
        params = self.query.params(self.epoch)
        return Plan.of(self._wire.watch("POST", f"/v1/datasets/{quote(self._ref)}/cache", params=params, watch=watch))

    @property
    def position(self) -> int:
        """The first row of the order that was not yet consumed."""
        return self._position

    def _consumed_to(self, position: int) -> None:
        self._seen[self.epoch] = max(position, self._seen.get(self.epoch, 0))

    def consumed(self) -> dict[str, str]:
        """Return in words which epochs were consumed here, and of a single one how much."""
        seen = sorted(self._seen)
        if not seen:
            return {}
        runs = [[seen[0], seen[0]]]
        for epoch in seen[1:]:
            if epoch == runs[-1][1] + 1:
                runs[-1][1] = epoch
            else:
                runs.append([epoch, epoch])
        said = {"epochs": ", ".join(f"{a}-{b}" if b > a else str(a) for a, b in runs[:100])}
        if len(seen) == 1:
            said["positions"] = f"0-{self._seen[seen[0]] - 1}"
        return said

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of another epoch, and begin at its first row.

        Of the epoch of a state that was loaded and is not gone on from yet, it changes
        nothing: the loop over epochs that made the state may go on with it.
        """
        if epoch == self.epoch and self._loaded and self._begin is not None:
            return
        self._loaded = False
        self.epoch = epoch
        self._plan, self._key = None, None
        self._position, self._begin = 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return where the stream stands, as JSON's types."""
        plan = self.plan
        return {
            "format": STATE_FORMAT,
            "version": plan.ref,
            "table": plan.table,
            "split": plan.split,
            "mode": plan.mode,
            "seed": plan.seed,
            "epoch": plan.epoch,
            "block": plan.block,
            "key": plan.key,
            "rows": plan.rows,
            "filter": self._filter(),
            "position": self._position,
        }

    def _filter(self) -> str:
        """Return what tells filters apart in a state: a digest, empty of none."""
        text = (self.query.filter or "").strip()
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest() if text else ""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved, in the same version and the same order.

        The node is asked at once whether it still has that order. A state that is
        refused changes nothing.

        Raises:
            Invalid: the state is of a stream of other rows, or in another order.
            Error: Conflict where the order is no more, NotFound, Gone, Permission, Unavailable.
        """
        self._check(state)
        before = dict(self.__dict__)
        if self.query.block is None and state["block"]:
            self.query = replace(self.query, block=int(state["block"]))
        self._ref, self._key, self._plan = str(state["version"]), str(state["key"]), None
        self.epoch = int(state["epoch"])
        self._position = self._begin = int(state["position"])
        self._loaded = True
        try:
            self.within(self._position)
        except BaseException:
            self.__dict__.update(before)
            raise

    def within(self, position: int) -> int:
        """Return a position, if the order has it; its end is one.

        Raises:
            Error: Invalid if it lies behind the last row; what :attr:`plan` raises.
        """
        if position > self.plan.rows:
            raise Invalid(
                f"position is {position}; the order has {self.plan.rows} rows",
                op="stream",
                subject=self._ref,
                hint="a position is what the stream said after the last batch that was consumed",
            )
        return position

    def _check(self, state: Mapping[str, Any]) -> None:
        """Compare a state with what this stream was asked for."""
        if state.get("format") != STATE_FORMAT:
            raise Invalid("is no state of a stream that this package knows", op="resume stream", subject=self._ref)
        name = self._ref.partition("@")[0]
        if str(state["version"]).partition("@")[0].rpartition("/")[2] != name.rpartition("/")[2]:
            raise Invalid(f"the state is of {state['version']}", op="resume stream", subject=self._ref)
        q = self.query
        for what, mine, theirs in (
            ("mode", q.mode, state["mode"]),
            ("seed", q.seed if q.mode != "sequential" else None, state["seed"]),
            ("block", q.block, state["block"]),
            ("table", q.table, state["table"]),
            ("split", q.split or "", state["split"]),
        ):
            # "train" is a part of the default split, which the state names: "random/train".
            same = mine is None or theirs == mine or (what == "split" and mine and theirs.endswith("/" + str(mine)))
            if not same:
                raise Invalid(
                    f"the state is of a stream with {what} {theirs!r}, this one has {mine!r}",
                    op="resume stream",
                    subject=self._ref,
                    hint=f"make the stream with the same {what}, or begin the epoch anew",
                )
        if state.get("filter", self._filter()) != self._filter():
            raise Invalid(
                "the state is of a stream with another filter: of the rows before its position, others were left out",
                op="resume stream",
                subject=self._ref,
                hint="make the stream with the same filter, or begin the epoch anew",
            )

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        begin, self._begin, self._loaded = self._begin or 0, None, False
        self._position = begin
        pieces = self.pieces(begin)
        try:
            for piece in pieces:
                self._position = piece.next
                self._consumed_to(piece.next)
                if piece.batch.num_rows:
                    yield piece.batch
                del piece
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def pieces(self, position: int, shard: int = 0, shards: int = 1) -> Iterator[Piece]:
        """Yield a shard's batches from a position on, also those of no rows.

        This is what loaders are made of; ``for batch in stream`` is for people. The
        position of the stream does not change.
        """
        reader = Reader(self._wire, self.plan, self.query.params(self.plan.epoch), self.within(position), shard, shards)
        if self.prefetch < 1:
            return iter(reader.read())
        return _closing(Ahead(reader.read(), self.prefetch, reader.stop))

    def reader(self) -> pa.RecordBatchReader:
        """Return the stream as a ``pyarrow.RecordBatchReader``, for DuckDB, Polars and others."""
        batches = iter(self)
        first = next(batches, None)
        schema = first.schema if first is not None else self._schema()
        return pa.RecordBatchReader.from_batches(schema, _chain(first, batches))

    def _schema(self) -> pa.Schema:
        """Return the schema of a stream that has no rows at all."""
        reader = Reader(self._wire, self.plan, self.query.params(self.plan.epoch), self.plan.rows, 0, 1)
        return reader.schema()

    def read_all(self) -> pa.Table:
        """Return the rest of the stream as one table."""
        return self.reader().read_all()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_begin": self._position}

    def __repr__(self) -> str:
        q = self.query
        said = [self._ref] + [f"{k}={v!r}" for k, v in (("split", q.split), ("filter", q.filter)) if v]
        said += [f"mode={q.mode!r}", f"seed={q.seed}", f"epoch={self.epoch}", f"position={self._position}"]
        return f"<genesis.Stream {' '.join(said)}>"


def _closing(ahead: Ahead[Piece]) -> Iterator[Piece]:
    """A generator over what is read ahead, which is ended when the generator is."""
    try:
        yield from ahead
    finally:
        ahead.close()


def _chain(first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if first is not None:
        yield first
    del first
    yield from rest
