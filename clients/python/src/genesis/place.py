"""Where a node is, and as whom to speak to it.

The rules are those of the command line, so that a notebook and a shell on one machine
mean the same node:

1. ``node=`` of :func:`genesis.connect`, a URL;
2. else ``home=``, the folder of a node on this machine;
3. else ``$GENESIS_NODE``;
4. else ``$GENESIS_HOME``;
5. else the folder ``genesis`` in the XDG data directory.

At a URL, a token signs in: ``token=``, else ``$GENESIS_TOKEN``, else what
``genesis login URL`` stored. In a home no token is needed: the kernel tells the node
who asks.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from .errors import Invalid

__all__ = ["Place", "Secret", "loopback", "resolve"]


class Secret:
    """A token that does not show itself when it is printed.

    One that was found (in the environment, or stored by ``genesis login``) is pickled
    as where it was found, and looked up anew by whoever unpickles it: only a token
    given in the program travels.
    """

    __slots__ = ("_given", "_url")

    def __init__(self, given: str | None, url: str) -> None:
        self._given = given or None
        self._url = url

    def reveal(self) -> str | None:
        """Return the token, or ``None`` if there is none.

        Raises:
            Invalid: what is there cannot be one. Libraries for HTTP would say so with the token itself.
        """
        token = self._found()
        if any(not "!" <= c <= "~" for c in token):
            raise Invalid(
                "is given something that is no token: one is a word of ASCII characters",
                op="sign in",
                subject=self._url,
                hint="look at token=, $GENESIS_TOKEN, or what `genesis login` stored",
            )
        return token or None

    def _found(self) -> str:
        # Of a file it often has a line feed at its end.
        return (self._given or os.environ.get("GENESIS_TOKEN") or _stored(self._url) or "").strip()

    def __repr__(self) -> str:
        return "<token>" if self._found() else "<no token>"

    def __getstate__(self) -> tuple[str | None, str]:
        return (self._given, self._url)

    def __setstate__(self, state: tuple[str | None, str]) -> None:
        self._given, self._url = state


@dataclass(frozen=True)
class Place:
    """A node: at a URL, or in a home on this machine; or another of its federation, at
    which it vouches for whoever asks it."""

    url: str | None = None
    home: Path | None = None
    secret: Secret | None = field(default=None, compare=False)
    purpose: str = ""
    node: str = ""  # the id of the other

    def __str__(self) -> str:
        return self.node or self.url or str(self.home)

    def at(self, node: str) -> Place:
        """Return another node of the federation; "": the one that vouches there."""
        return replace(self, node=node)

    def call(self) -> str:
        """Return the Python that connects here from another notebook, without the token."""
        if self.url:
            return f"genesis.connect({json.dumps(self.url)})"
        if not os.environ.get("GENESIS_NODE") and self.home == default_home():
            return "genesis.connect()"
        return f"genesis.connect(home={json.dumps(str(self.home), ensure_ascii=False)})"

    def stranger(self) -> str:
        """Return what to do where nobody is signed in; empty where somebody is, and in a home."""
        if self.node or not self.url or (self.secret is not None and self.secret.reveal()):
            return ""
        return f"nobody is signed in: `genesis login {self.url}`, or genesis.connect({json.dumps(self.url)}, token)"


def resolve(node: str | None, token: str | None, home: str | os.PathLike[str] | None, purpose: str | None) -> Place:
    """Return the place that the arguments, or the environment, name.

    Raises:
        Invalid: what is given is no URL of a node, or a token would go over the
            network in the clear.
    """
    said = purpose if purpose is not None else os.environ.get("GENESIS_PURPOSE", "")
    why = " ".join("".join(c if c.isprintable() else " " for c in said).split())  # one line of a header
    if node and home:
        raise ValueError("a node is at a URL or in a home: give node= or home=, not both")
    if not node and not home:
        node = os.environ.get("GENESIS_NODE")
    if not node:
        return Place(home=Path(home).expanduser() if home else default_home(), purpose=why)
    url = node.rstrip("/")
    secret = Secret(token, url)
    _check(url, secret)
    return Place(url=url, secret=secret, purpose=why)


def _check(url: str, secret: Secret) -> None:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("is not the URL of a node", op="reach node", subject=url, hint="write https://data.example.edu")
    if parts.username is not None or parts.password is not None:
        host = f"{parts.scheme}://{parts.hostname}"
        raise Invalid("has a name or a password in its URL", op="reach node", subject=host, hint="sign in with token=")
    if parts.scheme == "http" and not loopback(parts.hostname) and secret.reveal():
        raise Invalid(
            "would get the token in the clear", op="reach node", subject=url, hint="use the node's https:// URL"
        )


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, or ``None`` of what is none."""
    if any(c == " " or not c.isprintable() for c in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # is read only now
        return parts
    except ValueError:
        return None


def loopback(host: str) -> bool:
    """Report whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_home() -> Path:
    """Return ``$GENESIS_HOME``, else the folder genesis in the XDG data directory."""
    if home := os.environ.get("GENESIS_HOME"):
        return Path(home)
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return base / "genesis"


def _stored(url: str) -> str | None:
    """Return the session that ``genesis login`` stored for a node."""
    try:
        sessions = json.loads((_config_dir() / "genesis" / "credentials.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    found = sessions.get(url) if isinstance(sessions, dict) else None
    return found if isinstance(found, str) else None


def _config_dir() -> Path:
    """Return the user's folder for configuration, as Go's os.UserConfigDir has it."""
    if sys.platform == "win32":
        return Path(os.environ.get("AppData", ""))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
