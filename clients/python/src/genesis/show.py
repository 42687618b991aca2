"""How things look in a notebook. Everything that comes from a node is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .records import ColumnProfile

if TYPE_CHECKING:
    from .dataset import Dataset

__all__ = ["dataset", "histogram", "table"]

WIDTH, HEIGHT = 96, 18  # of a small histogram, in pixels
MOST = 60  # columns that are shown

_STYLE = (
    "border-collapse:collapse;font-size:90%",
    "text-align:left;padding:1px 8px;vertical-align:middle",
)


class Raw(str):
    """Text that is HTML already."""


def text(value: object) -> str:
    """Return a value as HTML, escaped unless it is HTML already."""
    return value if isinstance(value, Raw) else html.escape(str(value), quote=True)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Raw:
    """Return a table as HTML."""
    cell = _STYLE[1]
    head = "".join(f'<th style="{cell}">{text(h)}</th>' for h in header)
    body = "".join("<tr>" + "".join(f'<td style="{cell}">{text(c)}</td>' for c in row) + "</tr>" for row in rows)
    return Raw(f'<table style="{_STYLE[0]}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')


def histogram(profile: ColumnProfile | None) -> Raw:
    """Return a column's distribution as a small picture: of numbers, or of the most frequent words."""
    if profile is None:
        return Raw("")
    counts = [float(b.count) for b in profile.histogram] or [float(t.get("count", 0)) for t in profile.top]
    most = max(counts, default=0.0)
    if most <= 0:
        return Raw("")
    step = WIDTH / len(counts)
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT * (1 - c / most):.1f}" width="{max(step - 0.5, 0.5):.1f}" '
        f'height="{HEIGHT * c / most:.1f}"/>'
        for i, c in enumerate(counts)
    )
    label = f"{_number(profile.min)} to {_number(profile.max)}" if profile.min is not None else f"{profile.distinct} values"
    return Raw(
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" fill="currentColor" opacity="0.6" '
        f'role="img"><title>{text(label)}</title>{bars}</svg>'
    )


def _number(x: float | None) -> str:
    return "" if x is None else f"{x:.4g}"


def _share(x: float) -> str:
    return "" if x == 0 else "<0.1 %" if x < 0.001 else f"{100 * x:.1f} %"


def dataset(d: Dataset) -> str:
    """Return a dataset: title, size, readiness, columns, and how to load it."""
    version, schema, profile, readiness = d.version, d.schema, d.profile, d.readiness
    rows = [
        (
            Raw(f"<b>{text(c.name)}</b>") if c.role == "target" else c.name,
            c.type,
            c.unit,
            c.role,
            _share(profile[c.name].missing_share) if c.name in profile else "",
            histogram(profile.get(c.name)),
        )
        for c in list(schema)[:MOST]
    ]
    said = [f"{schema.rows:,} rows", f"{len(schema)} columns", version.state]
    if readiness.passed + readiness.failed:
        said.append(f"{readiness.passed} of {readiness.passed + readiness.failed} readiness checks pass")
    if d.card.license:
        said.append(d.card.license)
    more = f"<p>and {len(schema) - MOST} more columns</p>" if len(schema) > MOST else ""
    ref = str(version) if version.number else version.ref  # a draft has no name shorter than its digest
    if d._wire.place.node:
        ref = f"{d._wire.place.node}/{ref}"
    load = f"{d._wire.place.call()}.dataset({json.dumps(ref)}).to_pandas()"
    return (
        f"<div><h4>{text(d.title)}</h4><p><code>{text(version)}</code> · {text(' · '.join(said))}</p>"
        f"{table(('column', 'type', 'unit', 'role', 'missing', 'values'), rows)}{more}"
        f"<p><code>{text(load)}</code></p></div>"
    )


def listing(header: Sequence[str], rows: Iterable[Sequence[object]], none: str) -> str:
    """Return a list of things as a table, or what to say when there are none."""
    shown = list(rows)
    return str(table(header, shown)) if shown else f"<p>{text(none)}</p>"


def fields(title: str, pairs: Iterable[tuple[str, object]]) -> str:
    """Return one thing: a title, and what is known of it."""
    return f"<div><h4>{text(title)}</h4>{table(('', ''), [(k, v) for k, v in pairs if v not in ('', None)])}</div>"


def scores(report: dict[str, Any]) -> Raw:
    """Return a model's scores on the test part, beside those of the predictors it must beat."""
    rows = []
    for target in report.get("targets") or []:
        for who, metrics in (target.get("scores", {}).get("test") or {}).items():
            rows.append((target["column"]["name"], who, ", ".join(f"{m} {v:.4g}" for m, v in metrics.items())))
    return table(("target", "predictor", "on the test part"), rows) if rows else Raw("")
