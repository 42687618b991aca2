"""Being somebody at another node of the federation.

One's own node vouches for one there. With a token of it begins a session of at most a
quarter of an hour, bound to a secret that never leaves this process but for the exchange:
every request is signed with it (RFC 9421). Sessions are renewed before they end.
docs/federation.md has what goes over the wire.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .errors import Error, Invalid, NotFound
from .place import Place, loopback

if TYPE_CHECKING:
    from .wire import Wire

__all__ = ["MENDABLE", "Guest", "prove", "thumbprint"]

RENEW_EARLY = 60.0  # seconds before a session ends
RENEW_AGAIN = 5.0  # when that failed
CLOCK_OFF = 30.0  # seconds by which clocks differ that are worth correcting
LONGEST = 3600.0

# Refusals after which to ask once more makes sense. After bad-key, too: the home may have
# replaced the key with which it vouched for the session.
MENDABLE = ("expired", "not-yet", "unknown", "bad-key")

COMPONENTS = '("@method" "@path" "@query" "authorization")'


def thumbprint(secret: bytes) -> str:
    """Return the name of a secret: RFC 7638."""
    return _text(hashlib.sha256(f'{{"k":"{_text(secret)}","kty":"oct"}}'.encode()).digest())


def prove(method: str, target: str, bearer: str, secret: bytes, created: int, nonce: str) -> dict[str, str]:
    """Return the headers that sign a request, whose target is its path and query as sent."""
    path, _, query = target.partition("?")
    params = f'{COMPONENTS};created={created};nonce="{nonce}";alg="hmac-sha256"'
    lines = [("@method", method), ("@path", path), ("@query", "?" + query), ("authorization", "Bearer " + bearer)]
    signed = "".join(f'"{name}": {value}\n' for name, value in lines) + f'"@signature-params": {params}'
    mac = base64.b64encode(hmac.digest(secret, signed.encode(), "sha256")).decode()
    return {"Authorization": "Bearer " + bearer, "Signature-Input": "genesis=" + params, "Signature": f"genesis=:{mac}:"}


class Guest:
    """The way of whoever a node knows to another node. Any number of threads may use it."""

    def __init__(self, home: Wire, node: str) -> None:
        self.home = home
        self.node = node
        self._secret = os.urandom(32)
        self._lock = threading.Lock()
        self._url = ""
        self._session = ""
        self._renew = 0.0  # by the monotonic clock
        self._offset = 0.0  # of the node's clock from this machine's

    def forked(self) -> None:
        """In a child of a fork: the lock may be held by a thread that is not here."""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The URL of the node, as the charter has it.

        Raises:
            NotFound: there is no such member.
            Invalid: a session would not be safe on the way there.
        """
        if not self._url:
            members = {m["id"]: str(m.get("url", "")) for m in self.home.get("/v1/members")["members"]}
            if self.node not in members:
                raise NotFound(
                    "is no member of the federation", op="reach node", subject=self.node, hint="`genesis members` lists them"
                )
            url = members[self.node].rstrip("/")
            parts = urlsplit(url)
            if not parts.hostname or parts.scheme != "https" and not (parts.scheme == "http" and loopback(parts.hostname)):
                raise Invalid(
                    f"its URL in the charter, {url}, is not one that begins with https://",
                    op="reach node",
                    subject=self.node,
                    hint="tell its operator",
                )
            self._url = url
        return self._url

    def sign(self, method: str, target: str) -> tuple[str, dict[str, str]]:
        """Return the session, and the headers that sign a request in it."""
        session = self._current("")
        created = int(time.time() + self._offset)
        return session, prove(method, target, session, self._secret, created, _text(os.urandom(18)))

    def mend(self, error: Error, date: str | None, session: str) -> bool:
        """Report whether a request that was refused may be asked once more: the session
        had ended, or this machine's clock is wrong."""
        if error.code not in MENDABLE:
            return False
        there = _seconds(date)
        if there is not None and abs(there - time.time() - self._offset) > CLOCK_OFF:
            self._offset = there - time.time()
            return True
        if error.code == "not-yet":
            return False
        self._current(session)
        return True

    def keep(self) -> None:
        """Renew the session if it is about to end, while what began in it goes on."""
        if time.monotonic() < self._renew:
            return
        try:
            self._current("")
        except Error:
            self._renew = time.monotonic() + RENEW_AGAIN  # the node says when it was the last

    def _current(self, ended: str) -> str:
        """Return a session that has not ended, and is not the one that did."""
        with self._lock:
            if not self._session or self._session == ended or time.monotonic() >= self._renew:
                self._begin()
            return self._session

    def _begin(self) -> None:
        from .wire import QUICK, Wire

        asked = {"audience": self.node, "key": thumbprint(self._secret)}
        token = self.home.post("/v1/tokens/peer", asked)["token"]
        body = {"token": token, "key": base64.b64encode(self._secret).decode()}
        there = Wire(Place(url=self.url))
        try:
            made, date = there.told("POST", "/v1/exchange", body, QUICK)
        finally:
            there.close()
        lasts = _lasts(made, date)
        self._session = str(made["session"])
        self._renew = time.monotonic() + max(lasts - RENEW_EARLY, lasts / 2)


def _lasts(made: dict[str, Any], date: str | None) -> float:
    """Return for how long a session is good, by the clock of the node that made it."""
    now = _seconds(date)
    end = datetime.fromisoformat(str(made["expires"]).replace("Z", "+00:00")).timestamp()
    return min(max(end - (time.time() if now is None else now), 0.0), LONGEST)


def _seconds(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).astimezone(timezone.utc).timestamp() if date else None
    except ValueError:
        return None


def _text(b: bytes) -> str:
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()
