"""The bytes of a stream, read as fast as Python can.

httpx yields a body as pieces of bytes, which costs Python work for each piece and two
copies of every byte: 1.4 GB/s of Arrow on a Unix socket, where this reads 3.9. Here
pyarrow asks for a whole message, and the kernel writes it where it will stay: the
standard library's HTTP response reads into memory that Arrow allocated.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import pyarrow as pa

from .place import loopback

__all__ = ["Abort", "Body", "Broken", "fetch"]

# A stream's first byte may take long, while the node lays out a cache. Later ones do
# not; a peer that vanished without a word is found out by keep-alive probes.
TIMEOUT = 900.0
CONNECT_TIMEOUT = 15.0

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # of an Arrow IPC stream


class Broken(Exception):
    """A body that did not arrive whole."""


class Abort:
    """Ends a download from another thread, from before it was asked for: also a read that waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.done = False

    def __call__(self) -> None:
        with self._lock:
            self.done = True
            self._end()

    def follow(self, sock: socket.socket | None) -> None:
        """Have this socket ended, at once if that was wanted already."""
        with self._lock:
            self._socket = sock
            if self.done:
                self._end()

    def forget(self) -> None:
        """Let go of the socket, before it is closed."""
        with self._lock:
            self._socket = None

    def _end(self) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is gone already


class Body:
    """The body of a response, as the file-like object that ``pyarrow.ipc`` reads.

    Attributes:
        status: HTTP status.
        headers: of the response; names are case-insensitive.
        at_end: whether the last bytes read were the end marker of an Arrow stream.
    """

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self._last = b""
        self.keep: Callable[[], None] | None = None  # is called while the body is read
        self.status = response.status
        self.headers = response.headers
        self.closed = False

    @property
    def at_end(self) -> bool:
        return self._last == END

    def read_buffer(self, n: int) -> pa.Buffer:
        """Read *n* bytes, fewer only at the end of the body.

        Raises:
            Broken: the connection ended before the body did.
        """
        if self.keep is not None:
            self.keep()
        buffer = pa.allocate_buffer(n)
        view = memoryview(buffer)
        done = 0
        try:
            while done < n:
                got = self._response.readinto(view[done:])
                if not got:
                    if self._response.length:  # that much was announced, and did not come
                        raise Broken(f"{self._response.length} bytes are missing")
                    break
                done += got
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as e:
            # The latter two are what a response says that was closed meanwhile.
            raise Broken(str(e) or type(e).__name__) from e
        if n <= len(END):
            self._last = (self._last + bytes(view[:done]))[-len(END) :]
        elif done:
            self._last = b""
        return buffer if done == n else buffer.slice(0, done)

    def read(self, n: int = -1) -> bytes:
        """Read *n* bytes, or all that are left: for small bodies, and pyarrow's headers."""
        if n is None or n < 0:
            pieces = []
            while piece := self.read_buffer(1 << 20):
                if piece.size == 0:
                    break
                pieces.append(piece.to_pybytes())
            return b"".join(pieces)
        return bytes(self.read_buffer(n).to_pybytes())

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Give the connection back to the system. Not while another thread reads."""
        self.closed = True
        self._response.close()
        self._connection.close()


class _Unix(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("genesis", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(TIMEOUT)
            sock.connect(str(self._path))
        except BaseException:
            sock.close()
            raise
        self.sock = sock


def fetch(
    target: str,
    headers: Mapping[str, str | bytes],
    *,
    unix: Path | None,
    url: str,
    tls: ssl.SSLContext | None,
    abort: Abort,
) -> Body:
    """GET a path, with its query, of the node at a socket or a URL.

    Raises:
        OSError, http.client.HTTPException: no answer came.
    """
    connection = _Unix(unix) if unix is not None else _connection(url, tls)
    prefix = "" if unix is not None else urlsplit(url).path.rstrip("/")
    try:
        connection.connect()
        connection.sock.settimeout(TIMEOUT)
        if unix is None:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        abort.follow(connection.sock)
        connection.request("GET", prefix + target, headers=dict(headers))
        return Body(connection, connection.getresponse())
    except BaseException:
        abort.forget()
        connection.close()
        raise


def _connection(url: str, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
    proxy = _proxy(host)
    if proxy is None:
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=tls)
    through = http.client.HTTPSConnection(proxy.hostname or "", proxy.port or 8080, timeout=CONNECT_TIMEOUT, context=tls)
    through.set_tunnel(host, port or 443, _signed_in(proxy))
    return through


def _proxy(host: str) -> SplitResult | None:
    """Return the proxy that the environment names for a host, as httpx would take it."""
    named: Any = urllib.request.getproxies().get("https")
    if not named or loopback(host) or urllib.request.proxy_bypass(host):
        return None
    parts = urlsplit(named if "://" in named else "http://" + named)
    return parts if parts.hostname else None


def _signed_in(proxy: SplitResult) -> dict[str, str]:
    """Return the headers by which the name and password in a proxy's URL sign in there."""
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
