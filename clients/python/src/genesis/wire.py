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

from .body import Abort, Body, Broken, fetch
from .errors import Error, Internal, Invalid, NotFound, Permission, Unavailable, from_problem
from .home import Home
from .place import Place, loopback

__all__ = ["Params", "Wire", "Watch"]

Params = Mapping[str, Any]
Watch = Callable[[dict[str, Any]], None]  # is told events of progress

# A JSON answer is at most this long, so that a hostile node cannot fill memory.
MAX_ANSWER = 1 << 30
MAX_PROBLEM = 1 << 20  # of an error no more is read
QUICK = httpx.Timeout(120, connect=15)  # seconds
LONG = httpx.Timeout(None, connect=15)

try:
    VERSION = version("genesis-science")
except PackageNotFoundError:
    VERSION = "0"  # run from its source, without having been installed
_AGENT = "genesis-python/" + VERSION

# How a node says that access may be asked for, on the command line.
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
        self.home = Home(self.place.home) if self.place.home is not None else None
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
        for client in made:  # also those of nodes that were replaced
            client.close()
        if self.home is not None:
            self.home.close()

    def _forked(self) -> None:
        """In a child of a fork: connections and locks are the parent's."""
        if self.home is not None:
            self.home.abandon()
        self._lock = threading.Lock()
        self._http = None
        # Closing them would wait for locks of threads that are not here, and collecting
        # them warns, from wherever the collector happens to run: they are kept.
        _inherited.extend(self._made)
        self._made.clear()

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
            said = _decode(b"".join(_bounded(r)), self.place)
        if method == "GET" and not isinstance(said, dict):
            raise _foreign(self.place)
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
            for line in _lines(response):
                said = _decode(line, self.place)
                if not isinstance(said, dict):
                    raise _foreign(self.place)
                if problem := said.get("error"):
                    raise self._told(from_problem(problem if isinstance(problem, dict) else {}))
                if "result" in said:
                    return said["result"]
                if watch is not None and "event" in said:
                    watch(said["event"])
        raise _broken()

    def download(self, path: str, params: Params | None = None, abort: Abort | None = None) -> Body:
        """Open an answer of bytes, to be read and closed.

        Raises:
            Error: the problem that came instead.
        """
        abort = abort or Abort()
        target = path + ("?" + urlencode(_pairs(params)) if params else "")
        for again in (True, False):
            self._rejoin()
            try:
                body = fetch(
                    target,
                    self._headers(),
                    unix=self.home.api_socket() if self.home else None,
                    url=self.place.url or "",
                    tls=self._context() if self.place.url else None,
                    abort=abort,
                )
                break
            except (OSError, http.client.HTTPException) as e:
                if again and not abort.done and self._gone(e):
                    continue
                raise _unreached(self.place, e) from None
        if body.status == 200:
            return body
        try:
            problem = body.read(MAX_PROBLEM)
        except Broken:
            problem = b""  # the status says enough
        finally:
            body.close()
        raise self._told(_problem(problem, body.status, body.headers))

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
        for again in (True, False):
            client = self._client()
            request = client.build_request(
                method,
                path,
                params=urlencode(_pairs(params)) if params else None,
                json=body,
                content=content,
                headers=[(k.encode(), v if isinstance(v, bytes) else v.encode()) for k, v in all_headers.items()],
                timeout=timeout,
            )
            try:
                response = client.send(request, stream=True)
                break
            except httpx.TransportError as e:
                if again and self._may_repeat(method, e):
                    continue
                raise _unreached(self.place, e) from None
        try:
            if response.status_code >= 300:
                text = _beginning(response)
                raise self._told(_problem(text, response.status_code, response.headers))
            yield response
        except httpx.RequestError as e:
            raise _broken() from e
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

    def _headers(self) -> dict[str, str | bytes]:
        headers: dict[str, str | bytes] = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
        if self.place.purpose:
            headers["Genesis-Purpose"] = self.place.purpose.encode()
        if self.home is not None:
            headers["Genesis-Session"] = self.home.session().id
        token = self.place.secret.reveal() if self.place.secret else None
        if token:
            headers["Authorization"] = "Bearer " + token
        return headers

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._http is None:
                if self.home is not None:
                    transport = httpx.HTTPTransport(uds=str(self.home.api_socket()))
                    self._http = httpx.Client(transport=transport, base_url="http://genesis", timeout=QUICK, trust_env=False)
                else:
                    tls = self._context_locked()
                    url = self.place.url or ""
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


def _pairs(params: Params | None) -> list[tuple[str, str]]:
    """Return a query's pairs: lists repeat, what is None is left out."""
    pairs: list[tuple[str, str]] = []
    for key, value in (params or {}).items():
        if isinstance(value, bool):
            pairs += [(key, "true")] if value else []
        elif isinstance(value, (list, tuple)):
            pairs += [(key, str(v)) for v in value]
        elif value is not None:
            pairs.append((key, str(value)))
    return pairs


def _bounded(response: httpx.Response) -> Iterator[bytes]:
    left = MAX_ANSWER
    for piece in response.iter_bytes():
        left -= len(piece)
        if left < 0:
            raise Internal("the node's answer is longer than 1 GiB")
        yield piece


def _beginning(response: httpx.Response) -> bytes:
    """Return the first bytes of an error: more than them is not said by a node."""
    text = b""
    for piece in _bounded(response):
        text += piece
        if len(text) >= MAX_PROBLEM:
            break
    return text


def _lines(response: httpx.Response) -> Iterator[bytes]:
    """Yield lines. One without its line feed was cut off, and is none."""
    rest = bytearray()
    for piece in _bounded(response):
        *whole, last = piece.split(b"\n")
        if whole:
            whole[0] = bytes(rest) + whole[0]
            rest.clear()
            yield from whole
        rest += last


def _decode(text: bytes, place: Place) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _foreign(place) from None


def _problem(text: bytes, status: int, headers: httpx.Headers | http.client.HTTPMessage) -> Error:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = {}
    if not isinstance(said, dict):
        said = {}
    hint = "it speaks https: write https:// in its URL" if status == 400 and b"HTTPS server" in text else ""
    if 300 <= status < 400:
        said = {"message": f"sends to another address, which may not have the token: {headers.get('Location', '')}"}
        hint = "connect to the URL that the node has, if you trust it"
    return from_problem({"hint": hint, **said}, status=status, retry_after=headers.get("Retry-After"))


def _foreign(place: Place) -> Unavailable:
    return Unavailable(
        "the answer is one that no node gives",
        op="reach node",
        subject=str(place),
        hint="is the URL that of a node, and no sign-in page or proxy before it?",
    )


def _broken() -> Unavailable:
    return Unavailable("the connection to the node broke off before the answer was whole", hint="try again")


def _unreached(place: Place, error: Exception) -> Unavailable:
    text = str(error)
    hint, why = "", text or "no answer came"
    if "refused" in text:
        why, hint = "nobody listens there", "is the node started (`genesis serve`), and the port right?"
    elif "CERTIFICATE_VERIFY_FAILED" in text:
        why = "its certificate is not trusted here"
        hint = "add the authority that signed it to this machine's, or name its file in $SSL_CERT_FILE"
    elif "Name or service not known" in text or "nodename nor servname" in text:
        why, hint = "no machine of that name is known", "is the URL spelt right, and this machine on the network?"
    elif "WRONG_VERSION_NUMBER" in text:
        why, hint = "it does not speak https", "write http:// for a node on this machine; one elsewhere needs a certificate"
    return Unavailable(why, op="reach node", subject=str(place), hint=hint)
