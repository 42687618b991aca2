"""Streams: the rows of a dataset in an order that is a function of a key.

A stream can be stopped anywhere and resumed exactly, in another process, on another
machine, with another number of workers or another batch size: its state is one
number, the first row of the order that was not yet consumed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.ipc

from .ahead import Ahead
from .body import Body, Broken
from .errors import Conflict, Error, Invalid, Unavailable
from .names import quote
from .progress import Show, meter
from .records import Plan
from .wire import Watch, Wire

__all__ = ["Piece", "Query", "Stream"]

STATE_FORMAT = 1
PREFETCH = 3  # batches

# How often a stream is tried again while no further batch arrives, and the pauses
# between tries: 0.25, 0.5, … seconds, 8 at most.
TRIES = 8
PAUSE = 0.25
MAX_PAUSE = 8.0


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
        if isinstance(self.columns, str) or isinstance(self.target, str):
            raise TypeError('columns and target are lists of names: ["power"], not "power"')
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


class Piece(NamedTuple):
    """A batch, and which rows of the order it is what the filter left of."""

    batch: pa.RecordBatch
    position: int
    next: int


class Stream:
    """The batches of a stream, as ``pyarrow.RecordBatch``.

    Iterating yields them from ``position`` on, which after a batch was yielded is what
    comes after it; so the state saved inside the loop counts the batch that the loop
    is working on as consumed. The next iteration begins at 0 again, unless a state is
    loaded before. Batches of which the filter leaves nothing are passed over.

    A connection that breaks is opened again where it broke, some times; what does not
    mend is raised. A stream never just ends early.

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
        """Choose the order of another epoch, and begin at its first row."""
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
            "position": self._position,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved, in the same version and the same order.

        Raises:
            Invalid: the state is of a stream of other rows, or in another order.
        """
        if state.get("format") != STATE_FORMAT:
            raise Invalid("is no state of a stream that this package knows", op="resume stream", subject=self._ref)
        name = self._ref.partition("@")[0]
        if str(state["version"]).partition("@")[0].rpartition("/")[2] != name.rpartition("/")[2]:
            raise Invalid(f"the state is of {state['version']}", op="resume stream", subject=self._ref)
        for what, mine in (("mode", self.query.mode), ("seed", self.query.seed), ("table", self.query.table)):
            if mine is not None and state[what] != mine and not (what == "seed" and self.query.mode == "sequential"):
                raise Invalid(
                    f"the state is of a stream with {what} {state[what]!r}, this one has {mine!r}",
                    op="resume stream",
                    subject=self._ref,
                )
        if self.query.block is None and state["block"]:
            self.query = replace(self.query, block=int(state["block"]))
        self._ref, self._key, self._plan = str(state["version"]), str(state["key"]), None
        self.epoch = int(state["epoch"])
        self._position = self._begin = int(state["position"])

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        begin, self._begin = self._begin or 0, None
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
        reader = _Reader(self._wire, self.plan, self.query, position, shard, shards)
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
        reader = _Reader(self._wire, self.plan, self.query, self.plan.rows, 0, 1)
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


class _Reader:
    """Reads one shard of a stream over as many connections as it takes.

    The shard's next batch begins at ``at``; asking for shard 0 of ``shards`` from there
    gives the rest of the shard, whichever it was.
    """

    def __init__(self, wire: Wire, plan: Plan, query: Query, position: int, shard: int, shards: int) -> None:
        self._wire = wire
        self._plan = plan
        self._batch = plan.batch
        self._shards = shards
        self.at = position + shard * self._batch
        self._params = {**query.params(plan.epoch), "batch": plan.batch, "block": plan.block or None, "key": plan.key}
        self._stop = threading.Event()
        self._body: Body | None = None

    def stop(self) -> None:
        """End the reading, from another thread: it raises or ends soon."""
        self._stop.set()
        body = self._body
        if body is not None:
            body.abort()

    def read(self) -> Iterator[Piece]:
        """Yield the shard's batches in order, each once."""
        tries = 0
        while self.at < self._plan.rows and not self._stop.is_set():
            before = self.at
            try:
                yield from self._connection()
                continue
            except Unavailable as e:
                error = e
            tries = 1 if self.at > before else tries + 1
            if tries > TRIES:
                raise error
            pause = error.retry_after if error.retry_after is not None else PAUSE * 2 ** (tries - 1)
            if self._stop.wait(min(pause, MAX_PAUSE)):
                return

    def schema(self) -> pa.Schema:
        """Return the schema that the stream has from here on."""
        body = self._open()
        try:
            return pa.ipc.open_stream(body).schema
        finally:
            body.close()

    def _open(self) -> Body:
        params = {**self._params, "position": self.at or None, "shards": self._shards if self._shards > 1 else None}
        return self._wire.download(f"/v1/datasets/{quote(self._plan.ref)}/stream", params)

    def _connection(self) -> Iterator[Piece]:
        """Yield what one connection brings.

        Raises:
            Unavailable: it broke off, and trying again may help.
            Error: the reason that the node gives for having cut it off.
        """
        body = self._body = self._open()
        try:
            if self._stop.is_set():
                return
            yield from self._decode(body)
        except Broken as e:
            if self._stop.is_set():
                return
            raise self._why(body, str(e)) from e
        finally:
            self._body = None
            body.close()

    def _decode(self, body: Body) -> Iterator[Piece]:
        try:
            batches = pa.ipc.open_stream(body)
            while True:
                try:
                    batch, said = batches.read_next_batch_with_custom_metadata()
                except StopIteration:
                    break
                position, following = int(said["genesis.position"]), int(said["genesis.next"])
                if position != self.at or following <= position:
                    raise Unavailable(f"the node sent the batch at {position} in place of that at {self.at}", op="stream")
                self.at = following + (self._shards - 1) * self._batch
                yield Piece(batch, position, following)
                del batch, said
        except (pa.ArrowInvalid, OSError, KeyError, TypeError) as e:
            raise Broken(str(e)) from e
        if not body.at_end:
            raise Broken("the stream has no end marker")
        if self.at < self._plan.rows:
            raise Broken(f"the stream ended before row {self.at} of {self._plan.rows}")

    def _why(self, body: Body, text: str) -> Error:
        told = self._wire.why_broken(body)
        if told is not None:
            return told
        return Unavailable(
            f"the stream broke off before row {self.at} of {self._plan.rows}: {text}",
            op="stream",
            subject=self._plan.ref,
            hint="load the state that was saved last, and go on",
        )
