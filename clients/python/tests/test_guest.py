"""Being somebody at another node: against two nodes that check every proof."""

from __future__ import annotations

import base64
import json
import pickle
import re
import threading
import time
from datetime import datetime, timezone
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fake import KEY, VERSION, FakeNode

import genesis
from genesis import guest

SECRET = bytes([9]) * 32


def test_vectors() -> None:
    """The document has one form of what goes over the wire, for every implementation."""
    doc = (Path(__file__).resolve().parents[3] / "docs" / "federation.md").read_text()
    assert f"`{guest.thumbprint(SECRET)}`" in doc
    target = "/v1/versions/turbines%402/export?columns=a&columns=b"
    made = guest.prove("GET", target, "gen_g_example", SECRET, 1798804800, "bm9uY2Ugb2Ygc2l4dGVlbg")
    assert f"`{made['Signature-Input']}`" in doc
    assert f"`{made['Signature']}`" in doc


class Federation:
    """A home that vouches for the token "mine", and another node; both count."""

    def __init__(self) -> None:
        self.vouched = 0
        self.offset = 0.0  # of the other node's clock
        self.lasts = 900.0
        self.sessions: dict[str, bytes] = {}
        self.ended: set[str] = set()
        self.end = "expired"  # how a session that ended is refused
        self.nonces: set[str] = set()
        self.wrong: list[str] = []
        self.there = _serve(There, self)
        self.home = _serve(Home, self)

    def __enter__(self) -> Federation:
        return self

    def __exit__(self, *exc: object) -> None:
        for server in (self.home, self.there):
            server.shutdown()
            server.server_close()

    def connect(self) -> genesis.Node:
        return genesis.connect(_url(self.home), "mine")


def _serve(handler: type[BaseHTTPRequestHandler], federation: Federation) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.federation = federation  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def _url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def of(self) -> Federation:
        return self.server.federation  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *args: object) -> None:
        pass

    def body(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        return said

    def say(self, said: Any, status: int = 200, date: float | None = None) -> None:
        text = json.dumps(said).encode()
        self.send_response_only(status)
        self.send_header("Date", formatdate(date, usegmt=True))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        self.do_GET()


class Home(Answers):
    def do_GET(self) -> None:
        said = self.body()
        if self.headers.get("Authorization") != "Bearer mine":
            self.say({"kind": "permission", "message": "nobody is signed in", "status": 401}, 401)
        elif self.path == "/v1/node":
            self.say({"node": "here"})
        elif self.path == "/v1/members":
            self.say({"members": [{"id": "here"}, {"id": "there", "url": _url(self.of.there)}, {"id": "plain", "url": "http://a.edu"}]})
        elif self.path == "/v1/tokens/peer":
            self.of.vouched += 1
            self.say({"token": said["key"]})
        else:
            self.say({"version": {"name": "mine", "digest": VERSION, "kind": "dataset"}})


class There(Answers):
    def do_GET(self) -> None:
        said, now = self.body(), time.time() + self.of.offset
        if self.path == "/v1/exchange":
            secret = base64.b64decode(said["key"])
            if guest.thumbprint(secret) != said["token"] or "Authorization" in self.headers:
                self.of.wrong.append("exchange")
            session = f"gen_g_{len(self.of.sessions)}"
            self.of.sessions[session] = secret
            end = datetime.fromtimestamp(now + self.of.lasts, timezone.utc).isoformat().replace("+00:00", "Z")
            self.say({"session": session, "expires": end}, date=now)
            return
        code = self.refused(now)
        if code:
            self.say({"kind": "permission", "message": code, "code": code, "status": 401}, 401, now)
        else:
            self.say({"subject": "ada", "node": "here", "version": {"name": "turbines", "digest": VERSION, "kind": "dataset"}}, date=now)

    def refused(self, now: float) -> str:
        session = self.headers.get("Authorization", "").removeprefix("Bearer ")
        said = re.fullmatch(r'genesis=\(.*\);created=(\d+);nonce="([\w-]{16,64})";alg="hmac-sha256"', self.headers.get("Signature-Input", ""))
        if said is None or session not in self.of.sessions:
            return "malformed"
        created, nonce = int(said[1]), said[2]
        wanted = guest.prove(self.command, self.path, session, self.of.sessions[session], created, nonce)
        if wanted["Signature"] != self.headers["Signature"]:
            return "bad-proof"
        if created > now + 60:
            return "not-yet"
        if session in self.of.ended:
            return self.of.end
        if created < now - 60:
            return "expired"
        if nonce in self.of.nonces:
            return "replayed"
        self.of.nonces.add(nonce)
        return ""


def test_dataset_of_another_node() -> None:
    with Federation() as f:
        node = f.connect()
        there = node.dataset("there/turbines@2")
        assert f.vouched == 0
        assert there.name == "turbines"
        assert node.dataset("here/mine").name == "mine"
        assert node.whoami(at="there")["subject"] == "ada"
        assert f.vouched == 1, "one session serves all"
        threads = [threading.Thread(target=node.dataset("there/x").conditions) for _ in range(10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert f.vouched == 1
        copy = pickle.loads(pickle.dumps(there))
        copy.refresh()
        assert copy.name == "turbines"
        assert f.vouched == 2, "a copy in another process has a session of its own"
        assert not f.wrong
        with pytest.raises(genesis.NotFound, match="no member"):
            node.whoami(at="absent")
        with pytest.raises(genesis.Invalid, match="https"):
            node.whoami(at="plain")


@pytest.mark.parametrize("end", ["expired", "unknown", "bad-key"])
def test_session_that_ended(end: str) -> None:
    with Federation() as f:
        f.end = end
        node = f.connect()
        node.whoami(at="there")
        f.ended.update(f.sessions)
        assert node.whoami(at="there")["subject"] == "ada"
        assert f.vouched == 2


def test_session_that_is_about_to_end() -> None:
    with Federation() as f:
        f.lasts = 2.0
        node = f.connect()
        node.whoami(at="there")
        time.sleep(1.6)
        node.whoami(at="there")
        assert f.vouched == 2


@pytest.mark.parametrize("offset", [86400.0, -86400.0])
def test_clock_a_day_off(offset: float) -> None:
    with Federation() as f:
        f.offset = offset
        node = f.connect()
        for _ in range(3):
            assert node.whoami(at="there")["subject"] == "ada"
        assert f.vouched == 1


def test_clock_is_set_right_and_the_session_ended() -> None:
    with Federation() as f:
        node = f.connect()
        node.whoami(at="there")
        f.offset = 86400.0
        f.ended.update(f.sessions)
        assert node.whoami(at="there")["subject"] == "ada"
        assert f.vouched == 2


def test_home_that_does_not_vouch() -> None:
    with Federation() as f:
        node = genesis.connect(_url(f.home), "another's")
        with pytest.raises(genesis.Permission, match="nobody is signed in"):
            node.whoami(at="there")


def test_stream_goes_on_with_another_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that ends a stream with its session is asked again, from the same row on."""
    with Federation() as f, FakeNode(rows=50) as fake:
        node = f.connect()
        there = node._wire.at("there")
        guest_of = there._guest
        assert guest_of is not None
        guest_of._url = fake.url
        guest_of._session, guest_of._renew = "gen_g_x", time.monotonic() + 100
        renewed: list[str] = []
        monkeypatch.setattr(guest_of, "_begin", lambda: renewed.append("again") or setattr(guest_of, "_session", "gen_g_y"))
        fake.reason = {"kind": "permission", "message": "the session ended", "code": "expired", "status": 401}
        fake.faults = [None, lambda h, messages: (messages[:3], False)]
        stream = genesis.Dataset(there, "numbers").stream()
        rows = [n for batch in stream for n in batch["n"].to_pylist()]
        assert rows == list(range(50))
        assert KEY == stream.plan.key
