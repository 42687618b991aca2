"""Streams whose batches are turned into something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .arrays import Convert
from .stream import Stream

__all__ = ["Mapped"]


class Mapped:
    """A stream of batches in another form; position and state are the stream's."""

    def __init__(self, stream: Stream, convert: Convert) -> None:
        self.stream = stream
        self._convert = convert

    def __iter__(self) -> Iterator[Any]:
        for batch in self.stream:
            yield self._convert(batch)

    @property
    def plan(self) -> Any:
        return self.stream.plan

    @property
    def position(self) -> int:
        return self.stream.position

    def set_epoch(self, epoch: int) -> None:
        self.stream.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        return self.stream.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.stream.load_state_dict(state)

    def __repr__(self) -> str:
        return repr(self.stream)
