"""Streams for PyTorch: a dataset, and a loader that resumes exactly.

PyTorch's ``DataLoader`` asks its workers for batches long before the training loop
gets them, so a position kept by the workers runs ahead of the training. Here workers
say with each batch where it ends, and :class:`Loader` counts what the loop *consumed*.

Of a world of *w* ranks with *n* workers each, worker *i* of rank *r* reads shard
*i·w + r* of *n·w*. So rank *r* gets batches *r, r+w, r+2w, …* of the order, whatever *n* is,
and when each rank has consumed *j* batches the world has consumed the first *j·w*: one
number, from which a world of any other size goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .arrays import Convert
from .errors import Error, Internal, Invalid
from .stream import Piece, Stream

__all__ = ["Loader", "TorchDataset"]


class Item(NamedTuple):
    """What a worker sends: a batch, and where it lies in the order."""

    position: int
    next: int
    data: Any
    error: Error | None = None  # in place of a batch: PyTorch would pass on no more than its text


class Group(NamedTuple):
    """Some batches of one worker after another, which travel as one."""

    places: list[tuple[int, int, int]]  # of each batch: position, next, rows
    data: Any  # of all of them


GROUP_ROWS = 4096  # of a group, about


def world_of(rank: int | None, world: int | None) -> tuple[int, int]:
    """Return rank and world size: those given, of torch.distributed, of torchrun, or 0 of 1."""
    if (rank is None) != (world is None):
        raise ValueError("rank and world go together: give both, or neither")
    if rank is None or world is None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        else:
            rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} is not in a world of {world}")
    return rank, world


class TorchDataset(IterableDataset):  # type: ignore[misc]
    """The batches of a stream as an ``IterableDataset``, for any loader.

    Items are whole batches: use ``DataLoader(dataset, batch_size=None)``. The workers of
    a loader, and the ranks of a distributed training, share the batches between them.

    ``state_dict`` says where *this copy* stands, as torchdata's ``StatefulDataLoader``
    wants it of each worker's; such a state fits the same number of workers and ranks
    alone. :class:`Loader` has no such condition.
    """

    def __init__(self, stream: Stream, convert: Convert, rank: int, world: int) -> None:
        super().__init__()
        self.stream = stream
        self._convert = convert
        self._rank, self._world = rank, world
        self._begin: int | None = None  # of the next iteration of this copy
        self._at = 0  # where in the order this copy's next batch begins; 0: not begun
        _import_for_workers()

    def shard(self) -> tuple[int, int]:
        """Return which shard this copy reads, of how many."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info is not None else (0, 1)
        return worker * self._world + self._rank, workers * self._world

    def __iter__(self) -> Iterator[Any]:
        shard, shards = self.shard()
        self.stream._loaded = False
        if self._begin is not None:
            begin = min(self._begin, self.stream.plan.rows)  # a shard's next batch may lie behind the last
            pieces = self.stream.pieces(begin, 0, shards)
            self._begin = None
        else:
            start = self.stream._begin or 0
            self._at = start + shard * self.stream.plan.batch
            pieces = self.stream.pieces(start, shard, shards)
        for piece in pieces:
            self._at = piece.next + (shards - 1) * self.stream.plan.batch
            if piece.batch.num_rows:
                yield self._convert(piece.batch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of another epoch, and begin at its first row; see :meth:`Stream.set_epoch`."""
        self.stream.set_epoch(epoch)
        if not self.stream._loaded:
            self._begin, self._at = None, 0

    def state_dict(self) -> dict[str, Any]:
        """Return where this copy stands, as StatefulDataLoader wants it."""
        shard, shards = self.shard()
        return {**self.stream.state_dict(), "shard": shard, "shards": shards, "at": self._at}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where this copy stood.

        Raises:
            Invalid: the state is of another number of workers or ranks.
        """
        mine = self.shard()
        if (state["shard"], state["shards"]) != mine:
            raise Invalid(
                f"the state is of shard {state['shard']} of {state['shards']}, this is shard {mine[0]} of {mine[1]}",
                op="resume",
                hint="use dataset.loader(), whose state fits any number of workers and ranks",
            )
        self.stream.load_state_dict(state)
        if state["at"]:
            self._begin = self._at = int(state["at"])


class _Numbered(IterableDataset):  # type: ignore[misc]
    """What a Loader's workers iterate over: batches with their place in the order."""

    def __init__(self, source: TorchDataset, position: int, keep_empty: bool) -> None:
        super().__init__()
        self._source = source
        self._position = position
        self._keep_empty = keep_empty

    def __iter__(self) -> Iterator[Item | Group]:
        try:
            if get_worker_info() is None:
                yield from self._items()
            else:
                yield from self._groups()
        except Error as e:
            yield Item(-1, -1, None, e)

    def _pieces(self) -> Iterator[Piece]:
        shard, shards = self._source.shard()
        return self._source.stream.pieces(self._position, shard, shards)

    def _items(self) -> Iterator[Item]:
        for piece in self._pieces():
            wanted = self._keep_empty or piece.batch.num_rows
            yield Item(piece.position, piece.next, self._source._convert(piece.batch) if wanted else None)

    def _groups(self) -> Iterator[Group]:
        """Yield some batches at a time: to pass an item to the loop costs PyTorch a millisecond."""
        most = max(1, GROUP_ROWS // self._source.stream.plan.batch)
        pieces: list[Piece] = []
        for piece in self._pieces():
            pieces.append(piece)
            if len(pieces) == most:
                yield self._group(pieces)
                pieces = []
        if pieces:
            yield self._group(pieces)

    def _group(self, pieces: list[Piece]) -> Group:
        table = pa.Table.from_batches([p.batch for p in pieces]).combine_chunks()
        batches = table.to_batches()
        whole = batches[0] if batches else pieces[0].batch
        data = self._source._convert(whole) if whole.num_rows or self._keep_empty else None
        return Group([(p.position, p.next, p.batch.num_rows) for p in pieces], data)


def _cut(data: Any, begin: int, end: int) -> Any:
    """Return rows of what a Convert made of some. (A DataLoader makes lists of tuples.)"""
    if isinstance(data, dict):
        return {name: column[begin:end] for name, column in data.items()}
    if isinstance(data, tuple | list):
        return tuple(part[begin:end] for part in data)
    return data[begin:end]


def _ungroup(item: Item | Group, keep_empty: bool) -> Iterator[Item]:
    """Yield the batches of what a worker sent."""
    if isinstance(item, Item):
        yield item
        return
    at = 0
    for position, following, rows in item.places:
        wanted = keep_empty or rows
        yield Item(position, following, _cut(item.data, at, at + rows) if wanted else None)
        at += rows


class Loader:
    """A loader of a stream's batches whose state counts what the loop consumed.

    Iterate over it like over a ``DataLoader``. ``state_dict()`` may be taken anywhere in the
    loop, which is working on the batch that counts as consumed last; under distributed
    training after each rank has consumed as many batches, at a barrier. All ranks then
    have the same state: one needs to be kept.

    Args:
        dataset: of ``Dataset.torch()``.
        num_workers: processes that fetch and convert; 0: a thread of this process.
        drop_last: leave out what does not give every rank a full batch.
        keep_empty: pass on batches of which the filter left no row. So it is by default
            in a world of several ranks, which else would not stay in step.
        loader: further arguments of ``DataLoader``: ``pin_memory``, ``prefetch_factor``, …
    """

    def __init__(
        self,
        dataset: TorchDataset,
        *,
        num_workers: int = 0,
        drop_last: bool = False,
        keep_empty: bool | None = None,
        **loader: Any,
    ) -> None:
        for name in ("batch_size", "shuffle", "sampler", "batch_sampler", "collate_fn", "persistent_workers"):
            if loader.get(name):
                more = ': mode="full" is the shuffle' if name == "shuffle" else ""
                raise ValueError(f"{name} is not for a loader of streams: order and batches are the stream's{more}")
        if loader.get("in_order") is False:
            raise ValueError("in_order=False would lose the order of the stream")
        self.dataset = dataset
        self.stream = dataset.stream
        self.num_workers = num_workers
        self.drop_last = drop_last
        self.keep_empty = dataset._world > 1 if keep_empty is None else keep_empty
        self._options = loader
        self._position = self.stream.position
        self._begin: int | None = self._position or None

    @property
    def plan(self) -> Any:
        """What the stream is: :class:`genesis.Plan`."""
        return self.stream.plan

    @property
    def position(self) -> int:
        """The first row of the order that the world has not consumed."""
        return self._position

    def __len__(self) -> int:
        """Return how many batches an iteration from the beginning gives this rank.

        Raises:
            TypeError: a filter decides that while the stream goes on.
        """
        if self.stream.query.filter and not self.keep_empty:
            raise TypeError("how many batches the filter leaves is not known")
        return self._steps(0)

    def _steps(self, begin: int) -> int:
        plan, rank, world = self.plan, self.dataset._rank, self.dataset._world
        left = max(0, plan.rows - begin)
        if self.drop_last:
            return int(left // plan.batch // world)
        return int((-(-left // plan.batch) - rank + world - 1) // world)

    def __iter__(self) -> Iterator[Any]:
        begin, self._begin = self._begin or 0, None
        self._position = begin
        self.stream._loaded = False
        return self._items(begin)

    def _items(self, begin: int) -> Iterator[Any]:
        plan = self.plan
        self.stream.within(begin)
        stride = plan.batch * self.dataset._world
        steps = self._steps(begin)
        expected = begin + self.dataset._rank * plan.batch
        source = DataLoader(
            _Numbered(self.dataset, begin, self.keep_empty),
            batch_size=None,
            num_workers=self.num_workers,
            **self._options,
        )
        items = iter(source)
        ready: list[Iterator[Item]] = [iter(()) for _ in range(max(1, self.num_workers))]
        try:
            for step in range(steps):
                item = self._next(items, ready, step)
                if item is not None and item.error is not None:
                    raise item.error
                if item is None or item.position != expected:
                    came = "nothing" if item is None else f"the batch at {item.position}"
                    raise Internal(f"the workers sent {came} in place of the batch at {expected}", op="load")
                expected += stride
                self._position = min(begin + (step + 1) * stride, plan.rows)
                self.stream._consumed_to(self._position)
                if item.data is not None:
                    yield item.data
                del item
            self._position = plan.rows
        finally:
            _end(items)

    def _next(self, items: Iterator[Item | Group], ready: list[Iterator[Item]], step: int) -> Item | None:
        """Return the batch of a step, which the workers have in turn."""
        worker = step % len(ready)
        item = next(ready[worker], None)
        if item is not None:
            return item
        sent = next(items, None)  # the workers' items come in turn, too
        if sent is None:
            return None
        ready[worker] = _ungroup(sent, self.keep_empty)
        return next(ready[worker])

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of another epoch, and begin at its first row.

        Of the epoch of a state that was loaded and is not gone on from yet, it changes
        nothing: the loop over epochs that made the state may go on with it.
        """
        self.dataset.set_epoch(epoch)
        if not self.stream._loaded:
            self._position, self._begin = 0, None

    def state_dict(self) -> dict[str, Any]:
        """Return where the training stands, as JSON's types."""
        return {**self.stream.state_dict(), "position": self._position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved, with any number of workers and ranks.

        Raises:
            Invalid: the state is of a stream of other rows, or in another order.
        """
        self.stream.load_state_dict(state)
        self._position = self._begin = self.stream.position

    def __repr__(self) -> str:
        return f"<genesis.Loader of {self.stream!r}, {self.num_workers} workers>"


def _import_for_workers() -> None:
    """Import here what each worker would import at its first tensor: it takes a second, and
    threads of a worker would do it at once."""
    from torch.multiprocessing.reductions import reduce_tensor

    reduce_tensor(torch.empty(0, device="meta"))


def _end(items: Any) -> None:
    """End a DataLoader's iteration: its processes, or the thread of its generator."""
    shutdown = getattr(items, "_shutdown_workers", None)
    if shutdown is not None:
        shutdown()
        return
    generator = getattr(getattr(items, "_dataset_fetcher", None), "dataset_iter", None)
    if generator is not None and hasattr(generator, "close"):
        generator.close()
