"""What comes from a node, a proxy or the environment is not to be trusted."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest
from fake import VERSION, FakeNode, Handler, split

import genesis
from genesis import answer
from genesis import reader as reader_module
from genesis.names import terminal

SECRET = "gen_p_secret"


@contextmanager
def answering(status: int, headers: dict[str, str], body: bytes, announced: int | None = None) -> Iterator[genesis.Node]:
    """A server that gives every request one answer; less of it than *announced*, maybe."""

    class One(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(announced or len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                pass
            self.close_connection = True

        do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), One) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with genesis.connect(f"http://127.0.0.1:{server.server_port}", SECRET) as node:
                yield node
        finally:
            server.shutdown()
            thread.join()


# Answers


@pytest.mark.parametrize(
    "body", [b"<html>Sign in</html>", b"[1]", b"null", b"", b"[" * 200_000, b'"\xff"'], ids=["html", "list", "null", "none", "deep", "utf8"]
)
def test_what_no_node_says(body: bytes) -> None:
    """Another server at the URL, a sign-in page for instance: said so, and nothing else raised."""
    with answering(200, {"Content-Type": "text/html"}, body) as node:
        for ask in (node.info, node.list, lambda: node.dataset("x").name, lambda: node.train("x", "y", target="z")):
            with pytest.raises(genesis.Unavailable, match="no node") as e:
                ask()
            assert "URL" in e.value.hint


@pytest.mark.parametrize("body", [b'{"status": "abc"}', b'{"status": [1], "hint": 3, "op": {}}', b"[1]", b"{"])
def test_odd_problems(body: bytes) -> None:
    with answering(500, {}, body) as node:
        for ask in (node.info, lambda: node._wire.download("/v1/x"), lambda: node._wire.watch("POST", "/v1/x")):
            with pytest.raises(genesis.Internal):
                ask()


def test_rubbish_for_gzip() -> None:
    with answering(200, {"Content-Encoding": "gzip"}, b"rubbish") as node, pytest.raises(genesis.Unavailable):
        node.info()


def test_a_problem_that_breaks_off() -> None:
    """The status says enough, also of a stream's: it is tried again."""
    with answering(503, {}, b"{", announced=500) as node, pytest.raises(genesis.Unavailable):
        node._wire.download("/v1/x")


def test_long_problems_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    real = answer.bounded

    def counted(*args: Any) -> Iterator[bytes]:
        nonlocal taken
        for piece in real(*args):
            taken += len(piece)
            yield piece

    monkeypatch.setattr(answer, "bounded", counted)
    with answering(500, {}, b"x" * (40 << 20)) as node:
        with pytest.raises(genesis.Internal):
            node.info()
    assert 0 < taken < 4 << 20


def test_redirects_are_not_followed() -> None:
    with FakeNode(10) as other, answering(302, {"Location": other.url + "/v1/node"}, b"") as node:
        for ask in (node.info, lambda: node._wire.download("/v1/x")):
            with pytest.raises(genesis.Error, match="another address") as e:
                ask()
            assert other.url in str(e.value)
        assert other.asked == [], "the token goes nowhere else"


def test_a_long_line_takes_no_square() -> None:
    pieces = [b"x" * 1000] * 6_000 + [b"\n", b"a\nb\nc"]
    response: Any = type("Response", (), {"iter_bytes": lambda self: iter(pieces)})()
    began = time.process_time()
    assert [len(line) for line in answer.lines(response)] == [6_000_000, 1, 1]
    assert time.process_time() - began < 1


# Arrow


def mixed(rows: int) -> list[bytes]:
    schema = pa.schema([("n", pa.int64()), ("s", pa.string()), ("d", pa.dictionary(pa.int8(), pa.string()))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for at in range(0, rows, 10):
            words = [f"word{i}" for i in range(10)]
            codes = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 5, pa.int8()), ["a", "b"])
            batch = pa.record_batch([pa.array(range(10)), pa.array(words), codes], schema=schema)
            writer.write_batch(batch, custom_metadata={"genesis.position": str(at), "genesis.next": str(at + 10)})
    return split(sink.getvalue().to_pybytes())


def attack(seed: int) -> None:
    """Read streams with wrong bytes in them, and look at every value that comes through."""
    chance = random.Random(seed)

    def spoilt(h: Handler, messages: list[bytes]) -> tuple[list[bytes], bool]:
        out = [bytearray(m) for m in mixed(30)]
        for _ in range(chance.choice([1, 1, 2, 5])):
            m = chance.choice(out)
            m[chance.randrange(len(m))] = chance.choice([0, 127, 128, 255, chance.randrange(256)])
        return [bytes(m) for m in out], True

    reader_module.TRIES = 0
    whole = 0
    with FakeNode(30) as fake:
        fake.always = spoilt
        dataset = genesis.connect(fake.url).dataset("numbers")
        for k in range(100):
            try:
                stream = dataset.stream(batch_size=10, prefetch=0)
                for batch in stream if k % 2 else stream.reader():
                    batch.to_pylist()
                    whole += 1
            except genesis.Error:
                pass
    assert whole > 30, "not everything was refused"


@pytest.mark.parametrize("seed", range(2))
def test_spoilt_arrow_is_an_error(seed: int) -> None:
    """In a process of its own: what is not checked ends that with a signal."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import test_hostile; test_hostile.attack({seed})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


# Leaving


def test_leaving_does_not_wait_for_an_answer(no_leaks) -> None:  # type: ignore[no-untyped-def]
    """Ctrl-C while the node lays out rows, before it says anything."""
    asked, release = threading.Event(), threading.Event()

    def silent(h: Handler, messages: list[bytes]) -> None:
        asked.set()
        release.wait(20)
        h.close_connection = True

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with FakeNode(100, [silent]) as fake:
        node = genesis.connect(fake.url)
        stream = node.dataset("numbers").stream(batch_size=10)
        stream.state_dict()
        node.close()
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            with no_leaks():
                threading.Thread(target=lambda: (asked.wait(10), signal.setitimer(signal.ITIMER_REAL, 0.05))).start()
                began = time.monotonic()
                with pytest.raises(KeyboardInterrupt):
                    next(iter(stream))
                assert time.monotonic() - began < 5
                release.set()
        finally:
            signal.signal(signal.SIGALRM, before)


# Secrets and the environment


def shown(e: BaseException | None) -> str:
    text = ""
    while e is not None:
        text += repr(e) + str(e)
        e = e.__cause__ or e.__context__
    return text


def test_tokens_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line feed at the end is not of the token; what cannot be one is not shown."""
    with FakeNode(10) as fake:
        assert genesis.connect(fake.url, SECRET + "\n").dataset("numbers").to_arrow().num_rows == 10
        assert {h["Authorization"] for _, _, h in fake.asked} == {"Bearer " + SECRET}
        for wrong in (SECRET + "\r\nX: y", SECRET + " " + SECRET, SECRET + "é", SECRET + "\0"):
            for given in (wrong, None):
                monkeypatch.setenv("GENESIS_TOKEN", wrong.replace("\0", "\x01"))
                with pytest.raises(genesis.Invalid, match="no token") as e:
                    genesis.connect(fake.url, given).info()
                assert SECRET not in shown(e.value)
                assert e.value.hint


def test_purposes_of_several_lines() -> None:
    with FakeNode(10) as fake:
        genesis.connect(fake.url, purpose="wind\npower\0").dataset("numbers").to_arrow()
        assert {h["Genesis-Purpose"] for _, _, h in fake.asked} == {"wind power"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:abc", "http://127.0.0.1:99999", "http://[::1", "https://a\nb", "https://a b"])
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(genesis.Invalid, match="not the URL"):
        genesis.connect(url)


def test_no_password_in_a_url() -> None:
    with pytest.raises(genesis.Invalid, match="token=") as e:
        genesis.connect(f"https://bo:{SECRET}@data.example.edu")
    assert SECRET not in shown(e.value)


def test_a_node_here_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy cannot reach it, and would get the token in the clear."""
    with FakeNode(10) as fake, FakeNode(10) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert genesis.connect(fake.url, SECRET).dataset("numbers").to_arrow().num_rows == 10
        assert fake.asked and proxy.asked == []


def test_proxies_with_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams sign in at a proxy as other requests do."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        server.settimeout(10)

        def refuse() -> None:
            for _ in range(3):  # a question is asked again
                one, _ = server.accept()
                with one:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += one.recv(4096)
                    heads.append(head)
                    one.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://bo:p%40ss@127.0.0.1:{server.getsockname()[1]}")
        node = genesis.connect("https://data.example.edu", SECRET)
        for ask in (node.info, lambda: node._wire.download("/v1/x")):
            with pytest.raises(genesis.Unavailable):
                ask()
        thread.join()
    assert all(h.startswith(b"CONNECT data.example.edu:443 ") for h in heads) and len(heads) == 3
    assert all(b"proxy-authorization: basic ym86cebzcw==" in h.lower() for h in heads), heads
    assert not any(SECRET.encode() in h for h in heads)


# Terminals

ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202eexe\r"


def test_terminals_are_not_steered() -> None:
    """Titles, names and messages are others' words: no escape sequence gets through."""
    with FakeNode(10) as fake:
        node = genesis.connect(fake.url)
        d = node.dataset("numbers")
        column = {"name": ESCAPES, "type": ESCAPES, "unit": ESCAPES, "role": ESCAPES}
        check = {"id": ESCAPES, "verdict": "fail", "evidence": ESCAPES, "fix": ESCAPES}
        d._raw = {
            "version": {"name": "numbers", "digest": VERSION},
            "manifest": {"tables": [{"name": ESCAPES, "rows": 3, "columns": [column]}]},
            "readiness": {"passed": 1, "failed": 1, "checks": [check]},
        }
        found = genesis.Found(node._wire, [{"name": ESCAPES, "kind": "dataset", "title": ESCAPES}])
        run = genesis.Run(node._wire, {"id": ESCAPES, "kind": ESCAPES, "subject": ESCAPES, "state": ESCAPES})
        error = genesis.Invalid(ESCAPES + "\nmore", hint=ESCAPES, op=ESCAPES, subject=ESCAPES)
        for said in (repr(d.schema), repr(d.readiness), repr(found), repr(run), str(error), repr(found[0])):
            assert said.replace("\n", "").isprintable(), said
        assert str(error).count("\n") == 2 and error.message == ESCAPES + "\nmore"
    assert terminal("Größe (°C)\n日本語") == "Größe (°C)\n日本語"
