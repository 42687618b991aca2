"""Speaking to a node: requests, lines of progress, streams of bytes.

One :class:`Wire` serves all objects of one :func:`genesis.connect`, in any number of
threads. It may be pickled, and used after a fork: connections belong to a process, and
are opened anew in another one.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from .answer import MAX_PROBLEM, Params, beginning, bounded, broken, decode, foreign, lines, pairs, problem, unreached
from .body import Abort, Body, Broken, fetch
from .errors import Error, Invalid, NotFound, Permission, Unavailable, from_problem
from .guest import MENDABLE, Guest
from .home import Home
from .place import Place, loopback

__all__ = ["Params", "Wire", "Watch"]

Watch = Callable[[dict[str, Any]], None]  # is told events of progress

QUICK = httpx.Timeout(120, connect=15)  # seconds
LONG = httpx.Timeout(None, connect=15)

# How often a request is made, and whether again after that: at another node this machine's
# clock may be wrong, and the session may have ended.
TRIES = (True, True, False)

try:
    VERSION = version("genesis-science")
except PackageNotFoundError:
    VERSION = "0"  # run from its source, without having been installed
_AGENT = "genesis-python/" + VERSION

# How a node says that access may be asked for, on the command line.
_NODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_REQUEST = re.compile(r"genesis request \S+(?: --actions ([\w,]+))?")


class Wire:
    """The way to one node."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._tls: ssl.SSLContext | None = None
        self._guest: Guest | None = None
        self._at: dict[str, Wire] = {}
        self._id = ""
        home = self.place.home
        if self.place.node:
            self._guest, home = Guest(Wire(self.place.at("")), self.place.node), None
        self.home = Home(home) if home is not None else None
        self._end = weakref.finalize(self, _close, self.home, self._clients())
        self._end.atexit = False  # home.py sees to that
        _wires.add(self)

    def _clients(self) -> list[httpx.Client]:
        self._made: list[httpx.Client] = []
        return self._made

    def __repr__(self) -> str:
        return f"<genesis.Wire {self.place}>"

    def __getstate__(self) -> Place:
        return self.place

    def __setstate__(self, place: Place) -> None:
        self.place = place
        self._open()

    def close(self) -> None:
        """Leave the node. A later request joins it again."""
        with self._lock:
            made = list(self._made)
            self._http = None
            self._made.clear()
        with self._lock:
            others = [*self._at.values(), *([self._guest.home] if self._guest else [])]
            self._at.clear()
        for other in others:
            other.close()
        for client in made:  # also those of nodes that were replaced
            client.close()
        if self.home is not None:
            self.home.close()

    def _forked(self) -> None:
        """In a child of a fork: connections and locks are the parent's."""
        if self.home is not None:
            self.home.abandon()
        if self._guest is not None:
            self._guest.forked()
        self._lock = threading.Lock()
        self._http = None
        # Closing them would wait for locks of threads that are not here, and collecting
        # them warns, from wherever the collector happens to run: they are kept.
        _inherited.extend(self._made)
        self._made.clear()

    def of(self, ref: str) -> tuple[Wire, str]:
        """Return the way to the node that a reference names, and what it names there.

        Raises:
            NotFound: that is no node of the federation.
        """
        node, slash, rest = ref.partition("/")
        if not slash or not _NODE.fullmatch(node) or self._guest is not None:
            return self, ref
        return self.at(node), rest

    def at(self, node: str) -> Wire:
        """Return the way to a node of the federation, by its id; this one, if it is it."""
        if not self._id:
            self._id = str(self.get("/v1/node").get("node", ""))
        if node == self._id:
            return self
        with self._lock:
            if node not in self._at:
                self._at[node] = Wire(self.place.at(node))
            other = self._at[node]
        assert other._guest is not None
        return other

    @property
    def node(self) -> str:
        """The id of the other node that this leads to; empty: to one's own."""
        return self.place.node or ""

    @property
    def own(self) -> Wire:
        """The way to the node that vouches for whoever asks: their own."""
        return self._guest.home if self._guest is not None else self

    # Requests.

    def get(self, path: str, params: Params | None = None) -> Any:
        """Return the JSON answer of a GET."""
        return self.ask("GET", path, params=params)

    def post(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """Return the JSON answer of a POST."""
        return self.ask("POST", path, body=body, headers=headers)

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Any = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a request that is answered with JSON.

        Raises:
            Error: of the kind that the node says; Unavailable if it does not answer.
        """
        with self._send(method, path, params=params, body=body, content=content, headers=headers, timeout=QUICK) as r:
            said = decode(b"".join(bounded(r)), self.place)
        if method == "GET" and not isinstance(said, dict):
            raise foreign(self.place)
        return said

    def watch(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Any = None,
        watch: Watch | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Make a request that takes long: lines of progress, then a result.

        Leaving early, by Ctrl-C for instance, closes the connection, at which the node
        cancels the work.

        Raises:
            Error: that which the last line is, or Unavailable where there is no last line.
        """
        with self._send(method, path, params=params, body=body, headers=headers, timeout=LONG) as response:
            for line in lines(response):
                said = decode(line, self.place)
                if not isinstance(said, dict):
                    raise foreign(self.place)
                if problem := said.get("error"):
                    raise self._told(from_problem(problem if isinstance(problem, dict) else {}))
                if "result" in said:
                    return said["result"]
                if watch is not None and "event" in said:
                    watch(said["event"])
        raise broken()

    def told(self, method: str, path: str, body: Any, timeout: httpx.Timeout) -> tuple[Any, str | None]:
        """Return the JSON answer of a request, and when the node says that it was made."""
        with self._send(method, path, body=body, timeout=timeout) as r:
            return decode(b"".join(bounded(r)), self.place), r.headers.get("Date")

    def download(self, path: str, params: Params | None = None, abort: Abort | None = None) -> Body:
        """Open an answer of bytes, to be read and closed.

        Raises:
            Error: the problem that came instead.
        """
        abort = abort or Abort()
        target = path + ("?" + urlencode(pairs(params)) if params else "")
        for again in TRIES:
            session, headers = self._signed("GET", target)
            body = self._fetch(target, {**self._headers(), **headers}, abort)
            if body.status == 200:
                body.keep = self._guest.keep if self._guest else None
                return body
            try:
                text = body.read(MAX_PROBLEM)
            except Broken:
                text = b""  # the status says enough
            finally:
                body.close()
            error = problem(text, body.status, body.headers)
            if not (again and self._mended(error, body.headers.get("Date"), session)):
                break
        raise self._told(error)

    def _fetch(self, target: str, headers: Mapping[str, str | bytes], abort: Abort) -> Body:
        for again in (True, False):
            self._rejoin()
            try:
                return fetch(
                    target,
                    headers,
                    unix=self.home.api_socket() if self.home else None,
                    url=self._url(),
                    tls=None if self.home else self._context(),
                    abort=abort,
                )
            except (OSError, http.client.HTTPException) as e:
                if again and not abort.done and self._gone(e):
                    continue
                raise unreached(self.place, e) from None
        raise AssertionError

    def why_broken(self, body: Body) -> Error | None:
        """Ask the node why a download broke off. ``None``: it does not know, or is away."""
        stream = body.headers.get("Genesis-Stream")
        if not stream:
            return None
        try:
            self.get(f"/v1/streams/{stream}")
        except (NotFound, Unavailable):
            return None
        except Error as e:
            return e
        return None

    # What they are made of.

    @contextmanager
    def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: httpx.Timeout,
        params: Params | None = None,
        body: Any = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        """Send a request and yield the response, or raise the problem that it is."""
        self._rejoin()
        all_headers = {**self._headers(), **(headers or {})}
        session = ""
        for again in TRIES:
            client = self._client()
            request = client.build_request(
                method,
                path,
                params=urlencode(pairs(params)) if params else None,
                json=body,
                content=content,
                headers=[(k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in all_headers.items()],
                timeout=timeout,
            )
            session, signed = self._signed(method, request.url.raw_path.decode("ascii"))
            request.headers.update(signed)
            try:
                response = client.send(request, stream=True)
            except httpx.TransportError as e:
                if again and self._may_repeat(method, e):
                    continue
                raise unreached(self.place, e) from None
            if response.status_code < 300:
                break
            try:
                text = beginning(response)
            except httpx.RequestError as e:
                raise broken() from e
            finally:
                response.close()
            error = problem(text, response.status_code, response.headers)
            repeatable = again and (content is None or isinstance(content, bytes))
            if not (repeatable and self._mended(error, response.headers.get("Date"), session)):
                raise self._told(error)
        try:
            yield response
        except httpx.RequestError as e:
            raise broken() from e
        finally:
            response.close()

    def _may_repeat(self, method: str, error: httpx.TransportError) -> bool:
        """Report whether to ask again: nothing was asked yet, or only a question on a
        connection that may have ended while nobody used it."""
        if isinstance(error, httpx.ConnectError):
            return self._gone(error)
        if method != "GET" or isinstance(error, httpx.TimeoutException):
            return False
        self._gone(error)
        return True

    def _told(self, error: Error) -> Error:
        """Add to a node's hint what it does not know of: who asks, and in which language."""
        more = ""
        if isinstance(error, NotFound):
            more = self.place.stranger()
        elif isinstance(error, Invalid) and error.message.startswith("is a model") and error.subject:
            more = f"use node.model({error.subject!r})"
        elif isinstance(error, Permission) and (asked := _REQUEST.search(error.hint)):
            actions = (asked[1] or "read").split(",")
            said = json.dumps(actions[0] if len(actions) == 1 else actions)
            more = f"in Python: .request({said}, purpose=\"…\") of the dataset or model"
        error.hint = "; ".join(h for h in (error.hint, more) if h)
        return error

    def _rejoin(self) -> None:
        """Forget a home's node that went away, before asking it anything in vain."""
        if self.home is not None and self.home.ended():
            self._gone(ConnectionError())

    def _gone(self, error: Exception) -> bool:
        """Report whether a home's node may only have been replaced: then ask anew."""
        if self.home is None or isinstance(error, TimeoutError):
            return False
        self.home.lost()
        with self._lock:
            self._http = None  # requests of other threads may be under way on it
        return True

    def _signed(self, method: str, target: str) -> tuple[str, dict[str, str]]:
        """Return the session at another node, and the headers that sign a request in it."""
        if self._guest is None:
            return "", {}
        return self._guest.sign(method, target.removeprefix(urlsplit(self._guest.url).path))

    def _mended(self, error: Error, date: str | None, session: str) -> bool:
        return self._guest is not None and self._guest.mend(error, date, session)

    def mendable(self, error: Error) -> bool:
        """Report whether a stream ended with a session at another node: another goes on."""
        return self._guest is not None and error.code in MENDABLE

    def _url(self) -> str:
        return self._guest.url if self._guest else self.place.url or ""

    def _headers(self) -> dict[str, str | bytes]:
        headers: dict[str, str | bytes] = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
        if self.place.purpose:
            headers["Genesis-Purpose"] = self.place.purpose.encode()
        if self.home is not None:
            headers["Genesis-Session"] = self.home.session().id
        token = self.place.secret.reveal() if self.place.secret and not self.place.node else None
        if token:
            headers["Authorization"] = "Bearer " + token
        return headers

    def _client(self) -> httpx.Client:
        url = self._url()
        with self._lock:
            if self._http is None:
                if self.home is not None:
                    transport = httpx.HTTPTransport(uds=str(self.home.api_socket()))
                    self._http = httpx.Client(transport=transport, base_url="http://genesis", timeout=QUICK, trust_env=False)
                else:
                    tls = self._context_locked()
                    # A proxy could not reach a node here, and would get the token in the clear.
                    proxies = not loopback(urlsplit(url).hostname or "")
                    self._http = httpx.Client(base_url=url, verify=tls, timeout=QUICK, trust_env=proxies)
                self._made.append(self._http)
            return self._http

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            return self._context_locked()

    def _context_locked(self) -> ssl.SSLContext:
        if self._tls is None:
            # The machine's own authorities and $SSL_CERT_FILE, like the command line.
            self._tls = ssl.create_default_context()
        return self._tls


_wires: weakref.WeakSet[Wire] = weakref.WeakSet()
_inherited: list[httpx.Client] = []


def _close(home: Home | None, clients: list[httpx.Client]) -> None:
    for client in clients:
        client.close()
    if home is not None:
        home.close()


def _after_fork() -> None:
    for wire in list(_wires):
        wire._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
