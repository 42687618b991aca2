"""Datasets: what a node says about a version, and its rows in every form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from . import show
from .arrays import Columns, Convert, Rows
from .body import Broken
from .errors import Internal, Invalid, Unavailable
from .mapped import Mapped
from .names import quote, terminal
from .optional import need
from .records import Card, Column, ColumnProfile, Finding, Readiness, Schema, Split, Version, read, read_all
from .stream import PREFETCH, Query, Stream
from .wire import Params, Wire

if TYPE_CHECKING:
    import pandas as pd

    from .loader import Loader, TorchDataset

__all__ = ["Asset", "Dataset", "download"]

# Rows of a batch where somebody wants all rows at once.
WHOLE = 1 << 16


class Asset:
    """A version of a dataset or a model. What the node says is asked for once, when it is needed."""

    _kind = ""  # what the node calls it

    def __init__(self, wire: Wire, ref: str) -> None:
        self._wire = wire
        self.ref = ref  #: as it was asked for; ``version.ref`` names exactly this version
        self._raw: dict[str, Any] | None = None

    @property
    def raw(self) -> dict[str, Any]:
        """Everything the node says about the version, as JSON's types.

        Raises:
            Error: NotFound, Gone, Unavailable; Invalid where it is a model and no dataset, or the reverse.
        """
        if self._raw is None:
            said: dict[str, Any] = self._wire.get(f"/v1/versions/{quote(self.ref)}")
            kind = said["version"].get("kind", self._kind)
            if self._kind and kind != self._kind:
                raise wrong_kind(self.ref, kind)
            self._raw = said
        return self._raw

    def refresh(self) -> None:
        """Ask anew when something is needed next."""
        self._raw = None

    @property
    def version(self) -> Version:
        """Name, digest, number, state and size of the version."""
        return read(Version, self.raw["version"])

    @property
    def name(self) -> str:
        return self.version.name

    @property
    def node(self) -> str:
        """The id of the other node that it is at; empty: at your own."""
        return self._wire.node

    @property
    def card(self) -> Card:
        """Title, licence, creators and other descriptive metadata."""
        return read(Card, self.raw.get("card"))

    @property
    def title(self) -> str:
        return self.card.title or self.name

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions of the same name that you may know of, newest first."""
        return read_all(Version, self.raw.get("versions"))

    def set_card(self, **fields: str | Sequence[str]) -> None:
        """Change fields of the card: ``set_card(license="CC-BY-4.0", keywords=["wind"])``."""
        for field, words in fields.items():
            if not isinstance(words, str) and any("," in word for word in words):
                raise ValueError(f"{field}: commas part the entries, so none may be in one; of names write the first name first")
        body = {k: v if isinstance(v, str) else ", ".join(v) for k, v in fields.items()}
        self._wire.ask("PATCH", f"/v1/versions/{quote(self.ref)}/card", body=body)
        self.refresh()

    def conditions(self) -> dict[str, Any]:
        """Return terms and constraints of the version, and what you may do with it."""
        said: dict[str, Any] = self._wire.get(f"/v1/versions/{quote(self.ref)}/conditions")
        return said

    def agreement(self) -> dict[str, Any]:
        """Return the ``text`` that whoever asks for access accepts, and its ``digest``, for :meth:`request`."""
        said: dict[str, Any] = self._wire.get(f"/v1/versions/{quote(self.ref)}/agreement")
        return said

    def request(
        self,
        actions: str | Iterable[str] = ("read",),
        *,
        purpose: str,
        project: str | None = None,
        agreement: str | None = None,
    ) -> dict[str, Any]:
        """Ask the steward for access.

        Args:
            actions: ``"read"``, ``"train"``, ``"infer"`` or ``"evaluate"``, one or more: a list,
                or ``"train,infer"`` as on the command line.
            purpose: what for, in a sentence.
            project: ask for a project's members instead of oneself.
            agreement: digest of the text that :meth:`agreement` returns, which this accepts.

        Returns:
            The request; its ``state`` is ``"open"`` until a steward decides.
        """
        body: dict[str, Any] = {"ref": self.ref, "purpose": purpose}
        body["actions"] = [a.strip() for a in actions.split(",")] if isinstance(actions, str) else list(actions)
        body.update({k: v for k, v in (("project", project), ("agreement", agreement)) if v})
        said: dict[str, Any] = self._wire.post("/v1/requests", body)
        return said

    def __repr__(self) -> str:
        return terminal(f"<genesis.{type(self).__name__} {self.ref}>")


class Dataset(Asset):
    """A version of a dataset.

    Methods that read rows take, besides what they say themselves,

    * ``table``: of several; the first by default;
    * ``split``: a part, ``"train"``, ``"by-site/test"``, ``"folds/not-fold-3"``; all rows by default;
    * ``columns``: names, in the order wanted; all by default;
    * ``filter``: a CEL expression, ``'wind_speed > 5.0 && site == "a"'``. A row in which a
      column that it needs is missing is left out.

    What you may do with the rows is decided by the node, and kept in its log.
    """

    _kind = "dataset"

    # What it is.

    @property
    def tables(self) -> list[str]:
        """The names of the tables."""
        return [t["name"] for t in self.raw["manifest"].get("tables") or []]

    @property
    def schema(self) -> Schema:
        """The columns of the first table: names, types, units, roles."""
        return self.schema_of(None)

    def schema_of(self, table: str | None) -> Schema:
        """Return the columns of a table; ``None``: of the first."""
        for said in self.raw["manifest"].get("tables") or []:
            if table in (None, said["name"]):
                return Schema(said["name"], said["rows"], read_all(Column, said.get("columns")))
        raise KeyError(table)

    @property
    def profile(self) -> dict[str, ColumnProfile]:
        """The values of the first table's columns, described, by name."""
        tables = (self.raw.get("profile") or {}).get("tables") or []
        return {c["name"]: ColumnProfile.of(c) for c in tables[0].get("columns") or []} if tables else {}

    @property
    def readiness(self) -> Readiness:
        """The readiness checks, their outcomes, and what mends those that fail."""
        return Readiness.of(self.raw.get("readiness"))

    @property
    def splits(self) -> dict[str, Split]:
        """The assignments of rows to parts, by name. The first is the default."""
        return {s["name"]: read(Split, s) for s in self.raw.get("splits") or []}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What preparing noticed. Those of severity ``ask`` wait for :meth:`answer`."""
        return read_all(Finding, self.raw.get("findings"))

    @property
    def recipe(self) -> str:
        """The steps that made the version, as YAML."""
        return str(self.raw.get("recipe") or "")

    def answer(self, finding: str, text: str) -> None:
        """Answer a finding that needs a person."""
        self._wire.post(f"/v1/versions/{quote(self.ref)}/findings/{quote(finding)}", {"answer": text})
        self.refresh()

    def publish(self, tier: str, **terms: Any) -> Version:
        """Publish the version: ``publish("registered")``.

        *terms* are further members of the API's request, ``openings`` or ``partners`` for instance.
        """
        said = self._wire.post(f"/v1/versions/{quote(self.ref)}/publish", {"tier": tier, **terms})
        self.refresh()
        return read(Version, said.get("version", said))

    # Its rows, all at once.

    def scan(
        self,
        columns: Sequence[str] | None = None,
        filter: str | None = None,
        *,
        table: str | None = None,
        split: str | None = None,
    ) -> pa.RecordBatchReader:
        """Return the rows, in their order, as a reader that holds a few batches at a time.

        DuckDB, Polars and others take it as it is: ``duckdb.sql("from reader")``.
        """
        query = Query(table=table, split=split, columns=columns, filter=filter, batch=WHOLE)
        return Stream(self._wire, self.ref, query).reader()

    def to_arrow(
        self,
        columns: Sequence[str] | None = None,
        filter: str | None = None,
        *,
        table: str | None = None,
        split: str | None = None,
    ) -> pa.Table:
        """Return the rows as a ``pyarrow.Table``."""
        return self.scan(columns, filter, table=table, split=split).read_all()

    def to_pandas(
        self,
        columns: Sequence[str] | None = None,
        filter: str | None = None,
        *,
        table: str | None = None,
        split: str | None = None,
    ) -> pd.DataFrame:
        """Return the rows as a pandas DataFrame."""
        need("pandas")
        frame: pd.DataFrame = self.to_arrow(columns, filter, table=table, split=split).to_pandas()
        return frame

    def to_polars(
        self,
        columns: Sequence[str] | None = None,
        filter: str | None = None,
        *,
        table: str | None = None,
        split: str | None = None,
    ) -> Any:
        """Return the rows as a polars DataFrame."""
        need("polars")
        import polars as pl

        return pl.from_arrow(self.to_arrow(columns, filter, table=table, split=split))

    # Its rows, to learn from.

    def stream(
        self,
        split: str | None = None,
        *,
        mode: str = "sequential",
        seed: int = 0,
        epoch: int = 0,
        batch_size: int | None = None,
        columns: Sequence[str] | None = None,
        filter: str | None = None,
        table: str | None = None,
        block: int | None = None,
        form: str = "table",
        target: Sequence[str] | None = None,
        categories: str | None = None,
        scale: str | None = None,
        mask: bool = False,
        position: int = 0,
        prefetch: int = PREFETCH,
    ) -> Stream:
        """Return a stream of ``pyarrow.RecordBatch``.

        Args:
            mode: ``"sequential"``, as stored; ``"block"``, blocks of rows in random order,
                mixed some at a time; ``"full"``, a random permutation.
            seed, epoch: of the order.
            batch_size: rows of the order that make a batch, before the filter.
            block: rows that stay together in ``block`` mode.
            form: ``"table"``; ``"dictionary"``, categories as codes; ``"rows"``, float32
                rows of one length, ready for a net.
            target, categories, scale: of ``rows``: columns to predict (those of role
                target), ``"onehot"`` or ``"code"``, ``"standard"`` or ``"none"``.
            mask: of ``rows``: whether to say which values were missing: one flag per feature
                column, however many numbers the column became; shape (rows, columns).
            position: where in the order to begin.
            prefetch: batches to read ahead, in a thread; 0: none.
        """
        query = Query(
            table=table, split=split, columns=columns, filter=filter, mode=mode, seed=seed, block=block, batch=batch_size,
            form=form, target=target, categories=categories, scale=scale, mask=mask,
        )  # fmt: skip
        return Stream(self._wire, self.ref, query, epoch=epoch, position=position, prefetch=prefetch)

    def torch(
        self,
        split: str | None = None,
        *,
        ready: bool = False,
        mode: str = "full",
        rank: int | None = None,
        world: int | None = None,
        **stream: Any,
    ) -> TorchDataset:
        """Return the rows as a PyTorch ``IterableDataset`` of batches.

        Items are dictionaries of tensors by column, texts as lists; with ``ready=True``
        tuples *(x, y)* of float32 tensors of shapes (rows, features) and (rows, targets), with
        ``mask=True`` also *missing*: one flag per feature column, however many numbers of *x*
        the column became; a boolean tensor of shape (rows, columns).

        Args:
            ready: rows ready for a net: numbers scaled, categories encoded, gaps filled.
            mode: as of :meth:`stream`, shuffled by default.
            rank, world: of a distributed training; those of ``torch.distributed`` by default.
            stream: further arguments of :meth:`stream`.
        """
        need("torch")
        from .loader import TorchDataset, world_of

        made, convert = self._arrays("torch", ready, {"split": split, "mode": mode, **stream})
        return TorchDataset(made, convert, *world_of(rank, world))

    def loader(
        self,
        split: str | None = None,
        *,
        num_workers: int = 0,
        drop_last: bool = False,
        keep_empty: bool | None = None,
        loader: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Loader:
        """Return a loader over :meth:`torch`, whose state counts what the loop consumed.

        ``state_dict()`` inside the loop, ``load_state_dict()`` later: the training goes on with
        the next batch, with any number of workers and ranks.

        Args:
            num_workers: processes that fetch; 0: a thread.
            drop_last: leave out what does not give every rank a full batch.
            keep_empty: pass on batches of which the filter left no row.
            loader: further arguments of PyTorch's ``DataLoader``: ``{"pin_memory": True}``.
            options: arguments of :meth:`torch` and :meth:`stream`.
        """
        need("torch")
        from .loader import Loader

        dataset = self.torch(split, **options)
        return Loader(dataset, num_workers=num_workers, drop_last=drop_last, keep_empty=keep_empty, **(loader or {}))

    def numpy(self, split: str | None = None, *, ready: bool = False, mode: str = "full", **stream: Any) -> Mapped:
        """Return the batches as NumPy arrays: dictionaries by column, or with ``ready`` tuples (x, y).

        Arrays that share Arrow's memory are read-only. What it returns is iterated like a
        stream, and has its ``state_dict``.
        """
        return Mapped(*self._arrays("numpy", ready, {"split": split, "mode": mode, **stream}))

    def jax(self, split: str | None = None, *, ready: bool = False, mode: str = "full", **stream: Any) -> Mapped:
        """Return the batches as JAX arrays, like :meth:`numpy`."""
        return Mapped(*self._arrays("jax", ready, {"split": split, "mode": mode, **stream}))

    def _arrays(self, to: str, ready: bool, options: dict[str, Any]) -> tuple[Stream, Convert]:
        """Return a stream, and what makes arrays of its batches."""
        if "shuffle" in options:
            raise TypeError('there is no shuffle: mode="full" is the shuffle, and mode="sequential" the order stored')
        need(to)
        if ready:
            return self.stream(**{**options, "form": "rows"}), Rows(to)
        return Dataset(self._wire, self.version.ref).stream(**options), Columns(to, self._gaps(options.get("table")))

    def _gaps(self, table: str | None) -> frozenset[str]:
        """Return the columns of a table in which values are missing, or may be."""
        schema = self.schema_of(table)
        tables = (self.raw.get("profile") or {}).get("tables") or []
        full = {c["name"] for t in tables if t["name"] == schema.table for c in t.get("columns") or [] if not c.get("nulls")}
        return frozenset(schema.names) - full

    def _repr_html_(self) -> str:
        return show.dataset(self)


def wrong_kind(ref: str, kind: str) -> Invalid:
    """Return the error of a model that was taken for a dataset, or the reverse."""
    return Invalid(f"is a {kind}", op="open", subject=ref, hint=f"use node.{kind}({ref!r})")


def download(wire: Wire, path: str, params: Params | None, file: IO[bytes], *, digest: str | None = None) -> None:
    """Write an answer of bytes to a file, and check their digest.

    Raises:
        Error: the reason why they broke off; Internal where they are not those named.
    """
    body = wire.download(path, params)
    found = hashlib.sha256()
    try:
        while piece := memoryview(body.read_buffer(1 << 20)):
            found.update(piece)
            file.write(piece)
    except Broken as e:
        raise wire.why_broken(body) or Unavailable(
            "the connection to the node broke off before the answer was whole", hint="try again"
        ) from e
    finally:
        body.close()
    if digest is not None and digest != "sha256:" + found.hexdigest():
        raise Internal("arrived with other bytes than its digest names", op="fetch", subject=digest or path)
