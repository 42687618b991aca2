"""Runs: what a node computes, or computed."""

from __future__ import annotations

from typing import Any

from . import show
from .errors import Canceled, from_problem
from .names import terminal
from .progress import Show, meter
from .wire import Wire

__all__ = ["Run", "Runs"]


class Run:
    """One execution of some work at the node."""

    def __init__(self, wire: Wire, said: dict[str, Any]) -> None:
        self._wire = wire
        self.raw = said

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``done``, ``failed`` or ``canceled``, when it was last asked for."""
        return str(self.raw["state"])

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "canceled")

    def refresh(self) -> Run:
        """Ask the node how it stands."""
        self.raw = self._wire.get(f"/v1/runs/{self.id}")
        return self

    def cancel(self) -> None:
        """Stop the run."""
        self.raw = self._wire.post(f"/v1/runs/{self.id}/cancel")

    def log(self) -> str:
        """Return the log so far."""
        body = self._wire.download(f"/v1/runs/{self.id}/log")
        try:
            return body.read().decode("utf-8", "replace")
        finally:
            body.close()

    def wait(self, progress: Show = None) -> dict[str, Any]:
        """Wait until the run has ended, and return its result.

        Ctrl-C ends the waiting, not the run; :meth:`cancel` does.

        Raises:
            Error: that with which the run failed; Canceled.
        """
        with meter(progress) as watch:
            self.raw = self._wire.watch("GET", f"/v1/runs/{self.id}/events", watch=watch)
        if problem := self.raw.get("error"):
            raise from_problem(problem)
        if self.state == "canceled":
            raise Canceled("was canceled", op="wait for run", subject=self.id)
        result: dict[str, Any] = self.raw.get("result") or {}
        return result

    def _row(self) -> tuple[object, ...]:
        return (self.id, self.raw["kind"], self.raw.get("subject", ""), self.state, self.raw.get("created", "")[:19])

    def __repr__(self) -> str:
        return terminal(f"<genesis.Run {self.id}: {self.raw['kind']} {self.raw.get('subject', '')}, {self.state}>")

    def _repr_html_(self) -> str:
        said = [(k, self.raw.get(k)) for k in ("kind", "subject", "state", "created", "started", "ended", "tries")]
        error = (self.raw.get("error") or {}).get("message")
        return show.fields(f"Run {self.id}", [*said, ("error", error)])


class Runs(list[Run]):
    """A list of runs, newest first."""

    def _repr_html_(self) -> str:
        return show.listing(("id", "kind", "what", "state", "created"), [r._row() for r in self], "no runs")

