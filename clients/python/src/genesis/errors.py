"""Errors of a node, by kind.

A node answers with problem details (RFC 9457); each becomes an :class:`Error` of the
class of its kind, with what to do about it::

    >>> try:
    ...     node.dataset("turbines").to_arrow()
    ... except genesis.Permission as e:
    ...     print(e.hint)

Everything this package raises about a node is an :class:`Error`. Mistakes in calling
it, such as an argument of the wrong type, are Python's own ``TypeError`` and
``ValueError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .names import terminal

__all__ = [
    "Canceled",
    "Conflict",
    "Error",
    "Exists",
    "Gone",
    "Internal",
    "Invalid",
    "NotFound",
    "Permission",
    "RetryWarning",
    "Unavailable",
    "Unsupported",
    "ended",
    "from_problem",
]


class Error(Exception):
    """What went wrong, and what to do about it.

    Attributes:
        message: why it failed, in one line.
        hint: what to do about it; empty if nothing is known.
        kind: ``"not-found"``, ``"permission"``, …; one per class.
        op: what was being done: ``"prepare"``.
        subject: to what: ``"turbines.csv"``.
        request: id of the request, as in the node's log; empty if none was answered.
        value: an offending cell's value, told only to those who may read it.
        code: why a node does not take you for who you are: ``"expired"``, …; else empty.
        retry_after: seconds after which trying again makes sense, or ``None``.
    """

    kind: str = "internal"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        op: str = "",
        subject: str = "",
        request: str = "",
        value: str = "",
        code: str = "",
        retry_after: float | None = None,
    ) -> None:
        message, hint = _of_worker(type(self), message, hint)
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.op = op
        self.subject = subject
        self.request = request
        self.value = value
        self.code = code
        self.retry_after = retry_after

    def __str__(self) -> str:
        what = f'{self.op} "{self.subject}"'.strip() if self.subject else self.op
        text = f"{what}: {self.message}" if what else self.message
        if self.value:
            text += f" ({self.value!r})"
        return terminal(f"{text}\nhint: {self.hint}" if self.hint else text)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by their positional arguments alone; those of
        # DataLoader workers must arrive whole.
        return (_restore, (type(self), self.__dict__.copy()))


def _of_worker(cls: type[Error], message: str, hint: str) -> tuple[str, str]:
    """Return message and hint of an error that PyTorch brings from a worker.

    Its ``DataLoader`` makes such an exception anew of its class and the text of its
    traceback, which ends with what the exception said.
    """
    if not message.startswith("Caught ") or " in DataLoader worker process " not in message.partition("\n")[0]:
        return message, hint
    _, found, said = message.rpartition(f"\n{cls.__module__}.{cls.__qualname__}: ")
    if not found:
        return message, hint
    text, _, told = said.rstrip().partition("\nhint: ")
    return text, told or hint


def _restore(cls: type[Error], state: dict[str, Any]) -> Error:
    error = cls(state.pop("message"))
    error.__dict__.update(state)
    return error


class Invalid(Error):
    """The input is wrong."""

    kind = "invalid"


class NotFound(Error):
    """There is no such thing, or none that you may know of."""

    kind = "not-found"


class Gone(Error):
    """It was there, and its steward withdrew it."""

    kind = "gone"


class Permission(Error):
    """You may know of it, but not do this. The hint says how to ask."""

    kind = "permission"


class Conflict(Error):
    """It changed meanwhile, or is in use."""

    kind = "conflict"


class Exists(Conflict):
    """It is already there."""

    kind = "exists"


class Unavailable(Error):
    """The node, or something it needs, is away or busy. Try again later."""

    kind = "unavailable"


class RetryWarning(UserWarning):
    """A node is away, and a stream of it is being tried again."""


class Unsupported(Error):
    """Understood, but not something this node does."""

    kind = "unsupported"


class Canceled(Error):
    """You asked to stop."""

    kind = "canceled"


class Internal(Error):
    """A defect, or a broken disk, at the node. Its log has the cause."""

    kind = "internal"


_BY_KIND: dict[str, type[Error]] = {
    cls.kind: cls
    for cls in (Invalid, NotFound, Gone, Permission, Conflict, Exists, Unavailable, Unsupported, Canceled, Internal)
}

# For problems that something between client and node made up.
_BY_STATUS: dict[int, type[Error]] = {
    401: Permission,
    403: Permission,
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: Unavailable,
    499: Canceled,
    501: Unsupported,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def from_problem(problem: Mapping[str, Any], *, status: int = 0, retry_after: str | None = None) -> Error:
    """Return the error that a problem document, or an empty one with a status, is."""
    told = problem.get("status")
    status = told if isinstance(told, int) and told else status
    cls = _BY_KIND.get(str(problem.get("kind", ""))) or _BY_STATUS.get(status)
    if cls is None:
        cls = Invalid if 400 <= status < 500 else Internal
    if status == 429:
        cls = Unavailable
    message = problem.get("message") or problem.get("detail") or f"the node answered with status {status}"
    return cls(
        str(message),
        hint=str(problem.get("hint", "")),
        op=str(problem.get("op", "")),
        subject=str(problem.get("subject", "")),
        request=str(problem.get("request", "")),
        value=str(problem.get("value", "")),
        code=str(problem.get("code", "")),
        retry_after=_seconds(retry_after),
    )


def ended(error: Error, ref: str, position: int) -> Error:
    """Say in an error that rows were streamed until it came, and how far. The node's reason
    and hint stay. (A node does not say whether a dataset is gone or hidden.)"""
    if isinstance(error, Permission):
        error.message = f"your right to read {ref} ended while it was streamed, at position {position}: {error.message}"
    elif isinstance(error, Gone):
        error.message = f"{ref} was withdrawn while it was streamed, at position {position}: {error.message}"
    elif isinstance(error, NotFound):
        error.message = f"{ref} is no more, or hidden from you, since it was streamed to position {position}: {error.message}"
    error.args = (error.message,)
    return error


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None  # a date: rare, and not worth a guess
