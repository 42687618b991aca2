"""The tutorial is run as it stands, and says what it shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import genesis

pytest.importorskip("torch")
pytest.importorskip("pandas")

TUTORIAL = Path(__file__).resolve().parents[1] / "docs" / "tutorial.md"


def blocks(text: str) -> list[tuple[int, str, str | None]]:
    """Return line, code, and the output that is shown right below, if any is."""
    found: list[tuple[int, str, str | None]] = []
    for m in re.finditer(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", text, re.MULTILINE | re.DOTALL):
        found.append((text[: m.start()].count("\n") + 1, m[1], m[2]))
    return found


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_tutorial(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_BIN", str(binary))
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    all_blocks = blocks(TUTORIAL.read_text("utf-8"))
    assert len(all_blocks) > 10 and sum(shown is not None for *_, shown in all_blocks) >= 7
    try:
        for line, code, shown in all_blocks:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile("\n" * line + code, str(TUTORIAL), "exec"), names)
            if shown is not None:
                assert out.getvalue() == shown, f"docs/tutorial.md:{line} shows something else"
    finally:
        names["node"].close()
        genesis._last = None
