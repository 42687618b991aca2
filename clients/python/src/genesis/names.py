"""Names of datasets and models, their place in URLs, and what others say on a terminal."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from urllib.parse import quote as _quote

__all__ = ["name_from", "quote", "terminal"]

# Letters that no accent is taken off.
_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "'": "", "’": ""}
)


def quote(ref: str) -> str:
    """Return a reference as one segment of a URL's path.

    Raises:
        ValueError: the reference is empty, which would name another resource.
    """
    if not ref:
        raise ValueError("a reference is not empty: write turbines, turbines@3 or nrel/turbines")
    return _quote(ref, safe="")


def terminal(text: str) -> str:
    """Return text without what steers a terminal, or reorders what it shows. Lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else "\ufffd" for c in text)


def name_from(path: str) -> str:
    """Make a dataset's name of a file's, as the command line does: ``Wind Turbines.csv.gz`` is ``wind-turbines``."""
    base = PurePath(path).name.lstrip(".").partition(".")[0]
    plain = "".join(c for c in unicodedata.normalize("NFKD", base.translate(_SPELLED)) if not unicodedata.combining(c))
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:64].strip("-")
    return name or "data"
