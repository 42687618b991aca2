"""Names of datasets and models, and their place in URLs."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from urllib.parse import quote as _quote

__all__ = ["name_from", "quote"]

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


def name_from(path: str) -> str:
    """Make a dataset's name of a file's, as the command line does: ``Wind Turbines.csv.gz`` is ``wind-turbines``."""
    base = PurePath(path).name.lstrip(".").partition(".")[0]
    plain = "".join(c for c in unicodedata.normalize("NFKD", base.translate(_SPELLED)) if not unicodedata.combining(c))
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:64].strip("-")
    return name or "data"
