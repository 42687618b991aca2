"""A node, and what it has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from . import show
from .dataset import Asset, Dataset
from .errors import Error
from .files import brought, is_table
from .model import Model, Predictions, log_model
from .names import name_from, quote, terminal
from .place import Place
from .progress import Show, meter
from .records import Version, read
from .run import Run, Runs
from .wire import Watch, Wire

__all__ = ["Found", "Node"]

PAGE = 1000


class Node:
    """The node of an institution, or of a home on this machine. See :func:`genesis.connect`.

    It may be used by any number of threads, after a fork, and pickled. Leaving it is
    optional: ``with genesis.connect() as node`` does, as the end of the process does.
    """

    def __init__(self, place: Place) -> None:
        self._wire = Wire(place)

    # What it is.

    @property
    def place(self) -> str:
        """Its URL, or the folder of its home."""
        return str(self._wire.place)

    def info(self) -> dict[str, Any]:
        """Return what the node says about itself: id, software, since when it runs."""
        said: dict[str, Any] = self._wire.get("/v1/node")
        return said

    def whoami(self, at: str | None = None) -> dict[str, Any]:
        """Return who the node takes you for, or another node of the federation, by its id."""
        wire = self._wire.at(at) if at else self._wire
        said: dict[str, Any] = wire.get("/v1/whoami")
        return said

    def close(self) -> None:
        """Leave the node. One that was started here ends."""
        self._wire.close()

    def __enter__(self) -> Node:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<genesis.Node {self.place}>"

    # What it has.

    def search(self, text: str = "", limit: int = 20, **filters: str | int | bool | Sequence[str]) -> Found:
        """Return the datasets and models that match words, here and at other nodes, best first.

        Args:
            text: words, and phrases in double quotes, all of which must be there.
            limit: at most so many; 200 is the most.
            **filters: ``institution="NREL"``, ``variable=["wind_speed:m/s"]``, ``min_rows=1000``,
                ``time="2018/2019"``, ``has_model=True``, and the others of ``GET /v1/search``.
        """
        params = {name: str(v).lower() if isinstance(v, bool) else v for name, v in filters.items()}
        said = self._wire.get("/v1/search", {**params, "q": text, "limit": limit})
        found = Found(self._wire, [_hit(h) for h in said["hits"]])
        found.total, found.coverage = int(said["total"]), [dict(c) for c in said["coverage"]]
        return found

    def list(self, kind: str | None = None, limit: int | None = None) -> Found:
        """Return datasets and models in name order.

        Args:
            kind: ``"dataset"`` or ``"model"``; both by default.
            limit: at most so many; all by default.
        """
        found: list[dict[str, Any]] = []
        after = None
        while limit is None or len(found) < limit:
            want = PAGE if limit is None else min(PAGE, limit - len(found))
            page = self._wire.get("/v1/assets", {"kind": kind, "after": after, "limit": want})
            found += page["assets"]
            after = page.get("next")
            if not after:
                break
        return Found(self._wire, found)

    def dataset(self, ref: str) -> Dataset:
        """Return a dataset: ``"turbines"``, ``"turbines@3"``, ``"nrel/turbines@sha256:…"``.

        Nothing is asked of the node yet, but for its own id where ``ref`` names a node. That
        may be any of the federation: your own vouches for you there.
        """
        quote(ref)
        return Dataset(*self._wire.of(ref))

    def model(self, ref: str) -> Model:
        """Return a model, by a reference like a dataset's."""
        quote(ref)
        return Model(*self._wire.of(ref))

    def runs(self, *, everybody: bool = False, state: str | None = None, limit: int = 100) -> Runs:
        """Return runs, newest first: your own, or for operators everybody's."""
        page = self._wire.get("/v1/runs", {"all": everybody, "state": state, "limit": limit})
        return Runs(Run(self._wire, r) for r in page["runs"])

    def run(self, id: str) -> Run:
        """Return a run by its id."""
        return Run(self._wire, self._wire.get(f"/v1/runs/{quote(id)}"))

    # What it does. The functions of the package of the same names say more.

    def prepare(
        self,
        data: Any,
        name: str | None = None,
        *,
        target: str | Sequence[str] = (),
        split: str | Sequence[str] = (),
        fractions: Sequence[float] = (),
        folds: int = 0,
        seed: int = 0,
        recipe: str | None = None,
        strict: bool = False,
        dedup: bool = False,
        proof: bool = True,
        progress: Show = None,
        **options: Any,
    ) -> Dataset:
        """Make a dataset of a table or of raw files. See :func:`genesis.prepare`."""
        if name is None:
            if is_table(data):
                raise ValueError("a table has no name of its own: say name=")
            first = data if isinstance(data, (str, os.PathLike)) else next(iter(data))
            name = name_from(os.fspath(first))
        said = {
            "target": _list(target),
            "split": _list(split),
            "fractions": list(fractions),
            "folds": folds,
            "seed": seed,
            "strict": strict,
            "dedup": dedup,
            "no_proof": not proof,
            **options,
        }
        body: dict[str, Any] = {"name": name, "options": {k: v for k, v in said.items() if v}}
        if recipe is not None:
            body["recipe"] = recipe
        with meter(progress) as watch, brought(self._wire, "prepare", data, name, watch) as (files, headers):
            made = self._wire.watch("POST", "/v1/prepare", body={**body, "files": files}, watch=watch, headers=headers)
        return Dataset(self._wire, read(Version, made["version"]).ref)

    def train(
        self,
        dataset: str | Dataset,
        name: str,
        *,
        target: str | Sequence[str] = (),
        split: str | None = None,
        features: Sequence[str] = (),
        table: str | None = None,
        fold: int = 0,
        seed: int = 0,
        epochs: int = 0,
        members: int = 0,
        threads: int = 0,
        progress: Show = None,
    ) -> Model:
        """Train a network on a dataset. See :func:`genesis.train`."""
        data = dataset if isinstance(dataset, Dataset) else self.dataset(dataset)
        said = {
            "split": split,
            "features": list(features),
            "table": table,
            "fold": fold,
            "seed": seed,
            "epochs": epochs,
            "members": members,
            "threads": threads,
        }
        with meter(progress) as watch:
            ref, targets = self._learnt_from(data, _list(target), table, watch)
            body = {"dataset": ref, "name": name, "target": targets, **{k: v for k, v in said.items() if v}}
            made = self._wire.watch("POST", "/v1/train", body=body, watch=watch)
        at = made.get("at")
        return Model(self._wire.at(at) if at else self._wire, read(Version, made["version"]).ref)

    def _learnt_from(self, data: Dataset, targets: Sequence[str], table: str | None, watch: Watch | None) -> tuple[str, Sequence[str]]:
        """Return what to train on, and the targets: a dataset of this node, a copy of
        another's that may be read, or one there, whose node fills in what is left open."""
        if data._wire.node:
            ref = f"{data._wire.node}/{data.ref}"
            if not self._may_read(ref):
                return ref, targets
            copied = self._wire.watch("POST", "/v1/pull", body={"ref": ref}, watch=watch)
            data = Dataset(self._wire, read(Version, copied["version"]).ref)
        return data.version.ref, targets or data.schema_of(table).of_role("target")

    def _may_read(self, ref: str) -> bool:
        """Report whether another node's data may be copied. One that does not answer decides when it does."""
        try:
            return "read" in self._wire.get(f"/v1/versions/{quote(ref)}/may")["actions"]
        except Error:
            return False

    def predict(self, model: str | Model, data: Any, *, level: float = 0.9, send: bool = False, progress: Show = None) -> Predictions:
        """Apply a model to raw rows. See :func:`genesis.predict`."""
        used = model if isinstance(model, Model) else self.model(model)
        return used.predict(data, level=level, send=send, progress=progress)

    def log_model(self, model: Any, name: str, **said: Any) -> Model:
        """Bring a model that was trained here into the catalogue. See :func:`genesis.log_model`."""
        return log_model(self._wire, model, name, **said)


def _hit(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a hit as an asset of a list: what is at another node is named with it."""
    listing, name = said["listing"], str(said["ref"]).partition("@")[0]
    number = int(listing.get("number", 0))
    latest = {
        "name": name,
        "digest": listing["version"],
        "kind": listing["kind"],
        "number": number,
        "state": "published" if number else "draft",
        "rows": int(listing.get("rows", 0)),
        "bytes": int(listing.get("bytes", 0)),
    }
    return {"name": name, "kind": listing["kind"], "title": listing.get("title", ""), "latest": latest, "snippet": said.get("snippet", ""), "listing": listing}


class Found(list[Asset]):
    """Datasets and models that were found."""

    #: how many match, of which these are the first; 0 for a list
    total = 0
    #: of a search: which nodes it covers, how fresh each is, and which did not answer
    coverage: Sequence[Mapping[str, Any]] = ()

    def __init__(self, wire: Wire, said: Iterable[Mapping[str, Any]]) -> None:
        self.raw = [dict(s) for s in said]
        #: what to do about it that nothing was found; empty if nothing is known
        self.hint = "" if self.raw else wire.place.stranger()
        super().__init__((Model if s["kind"] == "model" else Dataset)(*wire.of(s["name"])) for s in self.raw)

    def _rows(self) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for s in self.raw:
            latest = read(Version, s["latest"]) if s.get("latest") else None
            count = f"{latest.rows:,}" if latest and latest.rows else ""
            rows.append((s["name"], s["kind"], s.get("title", ""), count, latest.state if latest else ""))
        return rows

    def __repr__(self) -> str:
        rows = self._rows()
        if not rows:
            return self._nothing()
        width = max(len(str(r[0])) for r in rows)
        return terminal("\n".join(f"{r[0]!s:<{width}}  {r[1]!s:<7}  {r[3]!s:>12}  {r[4]!s:<9}  {r[2]}".rstrip() for r in rows))

    def _repr_html_(self) -> str:
        return show.listing(("name", "kind", "title", "rows", "state"), self._rows(), self._nothing())

    def _nothing(self) -> str:
        return "nothing found" + (f"; {self.hint}" if self.hint else "")


def _list(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
