"""Showing how far a run is: a line on a terminal, a bar in a notebook, else nothing."""

from __future__ import annotations

import html
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["Meter", "Show", "meter"]

EVERY = 0.1  # seconds between two drawings

#: Whether to show progress: yes, no, where somebody looks (``None``), or to a function.
Show = bool | Callable[[dict[str, Any]], None] | None


class Meter:
    """Receives events, ``{"stage", "done", "total", "unit", "note", "log"}``; shows nothing."""

    def __call__(self, event: dict[str, Any]) -> None:
        pass

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Take away what is shown."""


class _Told(Meter):
    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell

    def __call__(self, event: dict[str, Any]) -> None:
        self._tell(event)


class _Drawn(Meter):
    """Draws at most every tenth of a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        if event.get("log"):
            return  # genesis logs has them
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self.draw(event)

    def draw(self, event: dict[str, Any]) -> None:
        raise NotImplementedError


class _Line(_Drawn):
    def draw(self, event: dict[str, Any]) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r\x1b[K" + text_of(event)[:width])
        sys.stderr.flush()

    def end(self) -> None:
        if self._last:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class _Cell(_Drawn):
    """A bar under a notebook's cell, gone when the work is done."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None

    def draw(self, event: dict[str, Any]) -> None:
        from IPython.display import HTML, display

        total = event.get("total") or 0
        bar = f'<progress value="{int(event.get("done", 0))}" max="{int(total)}"></progress> ' if total else ""
        shown = HTML(f"<div>{bar}{html.escape(text_of(event))}</div>")
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def end(self) -> None:
        if self._handle is not None:
            from IPython.display import HTML

            self._handle.update(HTML(""))


def text_of(event: dict[str, Any]) -> str:
    """Return an event in words: ``training 12/80 epochs, loss 0.123``."""
    done, total, unit = event.get("done", 0), event.get("total", 0), str(event.get("unit", ""))
    if unit == "bytes":
        amount = f"{done / 1e6:,.1f} MB" if not total else f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    else:
        amount = f"{done:,} {unit}" if not total else f"{done:,} of {total:,} {unit}"
    text = f"{event.get('stage', '')} {amount}" + (f", {event['note']}" if event.get("note") else "")
    return "".join(c if c.isprintable() else " " for c in text)


def meter(show: Show) -> Meter:
    """Return what shows progress here."""
    if callable(show):
        return _Told(show)
    if show is False:
        return Meter()
    if _in_notebook():
        return _Cell()
    return _Line() if show or sys.stderr.isatty() else Meter()


def _in_notebook() -> bool:
    """Report whether a notebook's kernel runs this. Does not import IPython for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"
