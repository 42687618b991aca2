"""The bytes of a stream, read as fast as Python can.

httpx yields a body as pieces of bytes, which costs Python work for each piece and two
copies of every byte: 1.4 GB/s of Arrow on a Unix socket, where this reads 3.9. Here
pyarrow asks for a whole message, and the kernel writes it where it will stay: the
standard library's HTTP response reads into memory that Arrow allocated.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

__all__ = ["Body", "Broken", "fetch"]

# A stream's first byte may take long, while the node lays out a cache. Later ones do
# not; a peer that vanished without a word is found out by keep-alive probes.
TIMEOUT = 900.0

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # of an Arrow IPC stream


class Broken(Exception):
    """A body that did not arrive whole."""


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
        self._socket: socket.socket | None = connection.sock
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

    def abort(self) -> None:
        """End the connection now: also a read that waits in another thread."""
        sock = self._socket
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is gone already

    def close(self) -> None:
        """Give the connection back to the system. Not while another thread reads."""
        self.closed = True
        self._socket = None
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
    target: str, headers: Mapping[str, str | bytes], *, unix: Path | None, url: str, tls: ssl.SSLContext | None
) -> Body:
    """GET a path, with its query, of the node at a socket or a URL.

    Raises:
        OSError, http.client.HTTPException: no answer came.
    """
    connection = _Unix(unix) if unix is not None else _connection(url, tls)
    prefix = "" if unix is not None else urlsplit(url).path.rstrip("/")
    try:
        connection.request("GET", prefix + target, headers=dict(headers))
        if connection.sock is not None and unix is None:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock = connection.sock
        response = connection.getresponse()
        body = Body(connection, response)
        body._socket = sock  # a response that ends the connection takes it from there
        return body
    except BaseException:
        connection.close()
        raise


def _connection(url: str, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    proxy = _proxy(host)
    if proxy is None:
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=tls)
    through = http.client.HTTPSConnection(*proxy, timeout=TIMEOUT, context=tls)
    through.set_tunnel(host, port or 443)
    return through


def _proxy(host: str) -> tuple[str, int] | None:
    """Return the proxy that the environment names for a host, as httpx would take it."""
    named: Any = urllib.request.getproxies().get("https")
    if not named or urllib.request.proxy_bypass(host):
        return None
    parts = urlsplit(named if "://" in named else "http://" + named)
    return (parts.hostname, parts.port or 8080) if parts.hostname else None
