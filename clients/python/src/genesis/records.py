"""What a node says about datasets and models, as plain immutable records.

Fields are those of the node's API. What a newer node says beyond them is left out;
``raw`` of the objects that hold records has all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from .names import terminal

__all__ = [
    "Bin",
    "Card",
    "Check",
    "Column",
    "ColumnProfile",
    "Finding",
    "Plan",
    "Readiness",
    "Schema",
    "Split",
    "StreamFeature",
    "Version",
]

T = TypeVar("T")


def read(cls: type[T], said: Mapping[str, Any] | None) -> T:
    """Make a record of JSON, with the fields that the record has."""
    names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    return cls(**{k: v for k, v in (said or {}).items() if k in names})


def read_all(cls: type[T], said: Sequence[Mapping[str, Any]] | None) -> tuple[T, ...]:
    return tuple(read(cls, s) for s in said or ())


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    type: str = ""  #: integer, float, boolean, timestamp, date, categorical, text, identifier
    role: str = "feature"  #: feature, target, id, group, time, weight, qualifier, ignore
    unit: str = ""  #: UCUM code: kW, Cel, m/s
    semantic: str = ""  #: smiles, formula, latitude, …
    description: str = ""
    original: str = ""  #: the name as the source spells it
    missing: Sequence[str] = ()  #: spellings that meant "no value"
    zone: str = ""  #: of timestamps: how the source wrote them

    @property
    def numeric(self) -> bool:
        return self.type in ("integer", "float")


class Schema(Sequence[Column]):
    """The columns of a table, in order. Also by name: ``schema["power"]``."""

    def __init__(self, table: str, rows: int, columns: Sequence[Column]) -> None:
        self.table = table
        self.rows = rows
        self._columns = tuple(columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            for column in self._columns:
                if column.name == key:
                    return column
            raise KeyError(key)
        return self._columns[key]

    def __iter__(self) -> Iterator[Column]:
        return iter(self._columns)

    @property
    def names(self) -> list[str]:
        return [c.name for c in self._columns]

    def of_role(self, role: str) -> list[str]:
        """Return the names of the columns with a role: ``"target"``, for instance."""
        return [c.name for c in self._columns if c.role == role]

    def __repr__(self) -> str:
        width = max((len(n) for n in self.names), default=0)
        lines = [f"{self.table}: {self.rows:,} rows"]
        lines += [f"  {c.name:<{width}}  {c.type:<11}  {c.unit:<8}  {c.role}".rstrip() for c in self._columns]
        return terminal("\n".join(lines))


@dataclass(frozen=True)
class Card:
    """A version's descriptive metadata."""

    title: str = ""
    description: str = ""
    creators: Sequence[str] = ()
    institution: str = ""
    contact: str = ""
    license: str = ""
    citation: str = ""
    source: str = ""
    keywords: Sequence[str] = ()
    field: str = ""
    sensitivity: str = ""
    export_control: str = ""
    use: str = ""


@dataclass(frozen=True)
class Version:
    """One immutable state of a dataset or model."""

    name: str
    digest: str
    kind: str = "dataset"
    number: int = 0  #: once published
    state: str = "draft"
    created: str = ""
    creator: str = ""
    rows: int = 0
    bytes: int = 0

    @property
    def ref(self) -> str:
        """The reference that names exactly this version."""
        return f"{self.name}@{self.digest}"

    def __str__(self) -> str:
        return f"{self.name}@{self.number}" if self.number else f"{self.name}@{self.digest[:15]}"


@dataclass(frozen=True)
class Split:
    """A named, leak-aware assignment of rows to parts or folds."""

    name: str
    table: str = ""
    kind: str = ""
    column: str = ""
    fractions: Sequence[float] = ()
    folds: int = 0
    seed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)  #: rows by part
    leaks: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Check:
    """One readiness check and its outcome."""

    id: str
    group: str = ""
    verdict: str = "unknown"  #: pass, fail, unknown, not-applicable
    evidence: str = ""
    why: str = ""
    fix: str = ""  #: the command that mends it


@dataclass(frozen=True)
class Readiness:
    """How ready a version is to learn from."""

    passed: int = 0
    failed: int = 0
    checks: tuple[Check, ...] = ()
    proof: Mapping[str, Any] | None = None  #: a baseline net against the trivial predictor

    @classmethod
    def of(cls, said: Mapping[str, Any] | None) -> Readiness:
        said = said or {}
        return cls(
            said.get("passed", 0), said.get("failed", 0), read_all(Check, said.get("checks")), said.get("proof")
        )

    @property
    def failing(self) -> list[Check]:
        """The checks that fail; each has a ``fix``."""
        return [c for c in self.checks if c.verdict == "fail"]

    def __repr__(self) -> str:
        lines = [f"{self.passed} of {self.passed + self.failed} readiness checks pass"]
        lines += [f"  {c.id}: {c.evidence}" + (f"\n    fix: {c.fix}" if c.fix else "") for c in self.failing]
        return terminal("\n".join(lines))


@dataclass(frozen=True)
class Bin:
    """One bin of a histogram: low ≤ value < high (≤ in the last)."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class ColumnProfile:
    """The values of one column, described."""

    name: str
    count: int = 0  #: values that are not missing
    nulls: int = 0
    distinct: int = 0
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    sd: float | None = None
    histogram: Sequence[Bin] = ()
    top: Sequence[Mapping[str, Any]] = ()
    first: str = ""
    last: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> ColumnProfile:
        return read(cls, {**said, "histogram": read_all(Bin, said.get("histogram"))})

    @property
    def missing_share(self) -> float:
        """The share of rows without a value, 0 … 1."""
        rows = self.count + self.nulls
        return self.nulls / rows if rows else 0.0


@dataclass(frozen=True)
class Finding:
    """Something that preparing noticed."""

    id: str
    code: str = ""
    severity: str = "note"  #: note, warn, ask, refusal
    table: str = ""
    column: str = ""
    count: int = 0
    message: str = ""
    hint: str = ""
    answer: str = ""


@dataclass(frozen=True)
class StreamFeature:
    """How one column became numbers of a row (``ready=True``)."""

    column: str
    kind: str = "number"  #: number, boolean, time (seconds since 1970), category
    at: int = 0  #: index of its first number
    width: int = 1
    mean: float = 0.0  #: z = (x − mean) ÷ sd
    sd: float = 1.0
    words: Sequence[str] = ()  #: of a category, ascending


@dataclass(frozen=True)
class Plan:
    """What a stream is: its version, its order, its columns."""

    name: str
    version: str
    key: str
    rows: int  #: of the order, before the filter
    batch: int
    table: str = ""
    split: str = ""
    mode: str = "sequential"
    seed: int = 0
    epoch: int = 0
    block: int = 0
    number: int = 0
    columns: tuple[Column, ...] = ()
    features: tuple[StreamFeature, ...] = ()
    targets: tuple[StreamFeature, ...] = ()
    cached: bool = False

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Plan:
        return read(
            cls,
            {
                **said,
                "columns": read_all(Column, said.get("columns")),
                "features": read_all(StreamFeature, said.get("features")),
                "targets": read_all(StreamFeature, said.get("targets")),
            },
        )

    @property
    def ref(self) -> str:
        """The reference that names exactly the version streamed."""
        return f"{self.name}@{self.version}"
