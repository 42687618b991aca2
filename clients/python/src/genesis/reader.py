"""Reading one shard of a stream, over connections that may break.

What breaks for no reason is opened again where it broke. What the node ended, it ended
for a reason, which is asked for and told.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.ipc

from .body import Abort, Body, Broken
from .errors import Error, Gone, NotFound, Permission, RetryWarning, Unavailable, ended
from .names import quote
from .records import Plan
from .wire import Wire

__all__ = ["Piece", "Reader"]

# How often a stream is tried again while no further batch arrives, and the pauses
# between tries: 0.25, 0.5, … seconds, 8 at most; so half a minute, and what the tries take.
TRIES = 8
PAUSE = 0.25
MAX_PAUSE = 8.0
NOTICE = 2.0  # seconds after which somebody is told

# What pyarrow, and we, raise at bytes that are no batches; MemoryError at lengths that are none.
_SPOILT = (pa.ArrowException, OSError, LookupError, TypeError, ValueError, MemoryError)


class Piece(NamedTuple):
    """A batch, and which rows of the order it is what the filter left of."""

    batch: pa.RecordBatch
    position: int
    next: int


class Reader:
    """Reads one shard of a stream over as many connections as it takes.

    The shard's next batch begins at ``at``; asking for shard 0 of ``shards`` from there
    gives the rest of the shard, whichever it was.
    """

    def __init__(self, wire: Wire, plan: Plan, params: Mapping[str, Any], position: int, shard: int, shards: int) -> None:
        self._wire = wire
        self._plan = plan
        self._batch = plan.batch
        self._shards = shards
        self.at = position + shard * self._batch
        self._params = {**params, "batch": plan.batch, "block": plan.block or None, "key": plan.key}
        self._stop = threading.Event()
        self._abort = Abort()
        self._began = False  # the node let us read

    def stop(self) -> None:
        """End the reading, from another thread: it raises or ends soon."""
        self._stop.set()
        self._abort()

    def read(self) -> Iterator[Piece]:
        """Yield the shard's batches in order, each once."""
        tries, since = 0, 0.0
        error: Error
        while self.at < self._plan.rows and not self._stop.is_set():
            before = self.at
            try:
                yield from self._connection()
                continue
            except Unavailable as e:
                error = e
            except (Permission, NotFound, Gone) as e:
                error = e
                if not self._wire.mendable(e):
                    raise (ended(e, self._plan.ref, self.at) if self._began else e) from None
            if self._stop.is_set():
                return
            if tries == 0 or self.at > before:
                tries, since = 0, time.monotonic()
            tries += 1
            if tries > TRIES:
                raise error
            pause = min(error.retry_after if error.retry_after is not None else PAUSE * 2 ** (tries - 1), MAX_PAUSE)
            since = self._notice(since, pause, error)
            if self._stop.wait(pause):
                return

    def _notice(self, since: float, pause: float, error: Error) -> float:
        """Say once that a node which is away since then is waited for."""
        if time.monotonic() + pause - since >= NOTICE:
            warnings.warn(
                f"{self._wire.place} is away ({error.message}): the stream of {self._plan.ref} is tried again for "
                f"about half a minute, and goes on at row {self.at}",
                RetryWarning,
                stacklevel=2,
            )
            return float("inf")
        return since

    def schema(self) -> pa.Schema:
        """Return the schema that the stream has from here on."""
        body = self._open()
        try:
            return pa.ipc.open_stream(body).schema
        except (Broken, *_SPOILT) as e:
            raise self._why(body, str(e)) from e
        finally:
            body.close()

    def _open(self) -> Body:
        params = {**self._params, "position": self.at or None, "shards": self._shards if self._shards > 1 else None}
        return self._wire.download(f"/v1/datasets/{quote(self._plan.ref)}/stream", params, abort=self._abort)

    def _connection(self) -> Iterator[Piece]:
        """Yield what one connection brings.

        Raises:
            Unavailable: it broke off, and trying again may help.
            Error: the reason that the node gives for having cut it off.
        """
        body = self._open()
        try:
            if self._stop.is_set():
                return
            self._began = True
            yield from self._decode(body)
        except Broken as e:
            if self._stop.is_set():
                return
            raise self._why(body, str(e)) from e
        finally:
            self._abort.forget()
            body.close()

    def _decode(self, body: Body) -> Iterator[Piece]:
        try:
            batches = pa.ipc.open_stream(body)
            while True:
                try:
                    batch, said = batches.read_next_batch_with_custom_metadata()
                except StopIteration:
                    break
                batch.validate(full=True)  # else wrong offsets would have Arrow read anywhere, or crash
                position, following = int(said["genesis.position"]), int(said["genesis.next"])
                if position != self.at or following <= position:
                    raise Unavailable(f"the node sent the batch at {position} in place of that at {self.at}", op="stream")
                self.at = following + (self._shards - 1) * self._batch
                yield Piece(batch, position, following)
                del batch, said
        except _SPOILT as e:
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
