"""A node that does what real ones do rarely: it breaks off, is busy, and lies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

VERSION = "sha256:" + "ab" * 32
KEY = "cd" * 32

# A fault takes the request and what would be sent: messages of an Arrow stream, the
# last of which is the end marker. It returns what is sent instead, and how that ends.
Fault = Callable[["Handler", list[bytes]], "tuple[list[bytes], bool] | None"]


def cut(after: int) -> Fault:
    """Break the connection after some messages, of which the first is the schema."""
    return lambda h, messages: (messages[:after], False)


def cut_within(after: int, share: float = 0.5) -> Fault:
    """Break the connection within a message."""
    return lambda h, m: (m[:after] + [m[after][: int(len(m[after]) * share)]], False)


def unmarked(after: int | None = None) -> Fault:
    """End the answer in good order, without the end marker."""
    return lambda h, messages: (messages[:-1][:after], True)


def short(drop: int) -> Fault:
    """End the answer in good order, with an end marker, but too early."""
    return lambda h, messages: (messages[: -1 - drop] + messages[-1:], True)


def problem(status: int, kind: str, message: str = "no", headers: dict[str, str] | None = None) -> Fault:
    def answer(h: Handler, messages: list[bytes]) -> None:
        h.problem(status, kind, message, headers or {})

    return answer


class FakeNode:
    """Streams the numbers 0 … rows−1 in sequence, with the faults it is given, one a request."""

    def __init__(self, rows: int = 100, faults: list[Fault | None] | None = None) -> None:
        self.rows = rows
        self.faults = list(faults or [])
        self.always: Fault | None = None
        self.key = KEY
        self.keep: Callable[[int], bool] = lambda row: True
        self.reasons: dict[str, dict[str, Any]] = {}
        self.reason: dict[str, Any] | None = None  # why every stream broke off, for who asks
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []  # path, query, headers
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.node = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeNode:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def streams(self) -> list[dict[str, str]]:
        """The parameters of the streams that were asked for."""
        return [query for path, query, _ in self.asked if path.endswith("/stream")]

    def messages(self, query: dict[str, str]) -> list[bytes]:
        batch, position = int(query.get("batch", 10)), int(query.get("position", 0))
        shard, shards = int(query.get("shard", 0)), int(query.get("shards", 1))
        schema = pa.schema([("n", pa.int64())])
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            for k, at in enumerate(range(position, self.rows, batch)):
                if k % shards != shard:
                    continue
                end = min(at + batch, self.rows)
                rows = pa.record_batch({"n": pa.array([n for n in range(at, end) if self.keep(n)], pa.int64())})
                meta = {"genesis.position": str(at), "genesis.next": str(end)}
                writer.write_batch(rows, custom_metadata=meta)
        return split(sink.getvalue().to_pybytes())


def split(whole: bytes) -> list[bytes]:
    """Cut an Arrow stream into its messages; the last is the end marker."""
    out = []
    at = 0
    while at < len(whole):
        length = int.from_bytes(whole[at + 4 : at + 8], "little")
        if length == 0:
            out.append(whole[at : at + 8])
            break
        message = pa.ipc.read_message(whole[at:])
        body = message.body.size if message.body is not None else 0
        out.append(whole[at : at + 8 + length + body])
        at += 8 + length + body
    return out


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def fake(self) -> FakeNode:
        return self.server.node  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *args: object) -> None:
        pass

    def json(self, said: Any, status: int = 200, headers: dict[str, str] | None = None, kind: str = "application/json") -> None:
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def problem(self, status: int, kind: str, message: str, headers: dict[str, str]) -> None:
        said = {"status": status, "kind": kind, "message": message, "detail": message, "hint": "a hint", "request": "r1"}
        self.json(said, status, headers, "application/problem+json")

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        self.fake.asked.append((parts.path, query, dict(self.headers)))
        if parts.path.endswith("/plan"):
            if query.get("key", self.fake.key) != self.fake.key:
                self.problem(409, "conflict", "the order is another one by now", {})
                return
            self.json(self.plan(query))
        elif parts.path.endswith("/stream"):
            self.stream(query)
        elif parts.path.startswith("/v1/versions/"):
            self.json({"version": {"name": "numbers", "digest": VERSION}, "manifest": self.manifest()})
        elif parts.path.startswith("/v1/streams/"):
            told = self.fake.reasons.get(parts.path.rpartition("/")[2])
            if told is None:
                self.problem(404, "not-found", "did not break off", {})
            else:
                self.json(told, told["status"], None, "application/problem+json")
        else:
            self.problem(404, "not-found", "no such thing", {})

    def manifest(self) -> dict[str, Any]:
        columns = [{"name": "n", "type": "integer", "role": "feature"}]
        return {"tables": [{"name": "numbers", "rows": self.fake.rows, "columns": columns}]}

    def plan(self, query: dict[str, str]) -> dict[str, Any]:
        return {
            "format": 1,
            "name": "numbers",
            "version": VERSION,
            "table": "numbers",
            "split": "",
            "mode": query.get("mode", "sequential"),
            "seed": int(query.get("seed", 0)),
            "epoch": int(query.get("epoch", 0)),
            "block": 0,
            "batch": int(query.get("batch", 10)),
            "rows": self.fake.rows,
            "key": self.fake.key,
            "a-newer-node": "says more",
        }

    def stream(self, query: dict[str, str]) -> None:
        if query.get("key", self.fake.key) != self.fake.key:
            self.problem(409, "conflict", "the order is another one by now", {})
            return
        messages = self.fake.messages(query)
        fault = self.fake.faults.pop(0) if self.fake.faults else self.fake.always
        whole = True
        if fault is not None:
            changed = fault(self, messages)
            if changed is None:
                return
            messages, whole = changed
        name = f"s{len(self.fake.asked)}"
        if self.fake.reason is not None:
            self.fake.reasons[name] = self.fake.reason
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apache.arrow.stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Genesis-Stream", name)
        self.end_headers()
        try:
            for m in messages:
                self.wfile.write(b"%x\r\n" % len(m) + m + b"\r\n")
            if whole:
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.close_connection = True
        except OSError:
            self.close_connection = True  # the client left
