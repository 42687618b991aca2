"""A real node for the tests: the binary, a home with the sample data, and a server of it."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse battery"

# The sample data, prepared like `genesis demo` does (cmd/genesis/demo.go), most without
# the baseline network, which takes a while.
SAMPLES = [
    ("solar-greensboro", "energy/greensboro-tmy3.csv.gz", "GHI (W/m^2)", ["--no-proof"]),
    ("concrete", "materials/concrete.xlsx", "Compressive strength (MPa)", ["--dedup"]),
    ("tumours", "medicine/tumours.jsonl.gz", "diagnosis", ["--no-proof"]),
    ("seattle-weather", "environment/seattle-*.csv", "T max [°C]", ["--no-proof"]),
]


@dataclass
class Served:
    """A node that serves a home over HTTP, with the sample data; ``concrete`` is published."""

    url: str
    token: str  # of a steward
    home: Path
    binary: Path

    def genesis(self, *args: str, input: str | None = None) -> str:
        """Run the command line as the owner of the home, and return what it prints."""
        return cli(self.binary, self.home, *args, input=input)


def cli(binary: Path, home: Path, *args: str, input: str | None = None) -> str:
    env = {k: v for k, v in os.environ.items() if k not in ("GENESIS_NODE", "GENESIS_HOME", "GENESIS_PURPOSE")}
    done = subprocess.run(
        [binary, "--home", home, *args], input=input, env=env, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise AssertionError(f"genesis {' '.join(args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


# What no package registry has: an extension that DuckDB fetches from a server of its own.
NOT_TO_BE_HAD = "duckdb-httpfs"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing is skipped: what a test needs must be there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    if any(NOT_TO_BE_HAD not in str(r.longrepr) for r in reporter.stats.get("skipped", [])):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The genesis binary: $GENESIS_BIN, or built once."""
    if named := os.environ.get("GENESIS_BIN"):
        return Path(named)
    path = tmp_path_factory.mktemp("bin") / "genesis"
    env = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", path, "./cmd/genesis"], cwd=ROOT, env=env, check=True, timeout=600)
    return path


@pytest.fixture(scope="session")
def node(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A served node with the sample data."""
    home = tmp_path_factory.mktemp("node") / "home"
    examples = ROOT / "examples"
    for name, files, target, flags in SAMPLES:
        paths = sorted(str(p) for p in examples.glob(files))
        cli(binary, home, "prepare", *paths, "--name", name, "--target", target, "--split", "random", "--seed", "1", *flags)
        cli(binary, home, "card", "set", name, "sensitivity=Public", "export_control=No", "license=CC0-1.0")
    cli(binary, home, "publish", "concrete", "--tier", "public")
    cli(binary, home, "account", "add", "bo", "--duties", "steward", input=PASSWORD + "\n")
    log = (home.parent / "serve.log").open("w")
    server = subprocess.Popen(
        [binary, "--home", home, "serve", "--listen", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE, stderr=log, text=True
    )
    try:
        assert server.stdout is not None
        said = ""
        while not said.rstrip().endswith("}"):
            line = server.stdout.readline()
            assert line, "the node did not start: " + (home.parent / "serve.log").read_text()
            said += line
        url = json.loads(said)["url"]
        yield Served(url, token(url, "bo"), home, binary)
    finally:
        server.terminate()
        server.wait(30)
        server.stdout.close()
        log.close()


def token(url: str, subject: str) -> str:
    """Sign in, and make a token."""
    signed = httpx.post(url + "/v1/signin", json={"subject": subject, "password": PASSWORD})
    made = httpx.post(
        url + "/v1/tokens", json={"name": "tests"}, headers={"Authorization": "Bearer " + signed.json()["secret"]}
    )
    assert made.status_code == 200, made.text
    return str(made.json()["secret"])


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """No test sees the settings, or the home, of whoever runs it."""
    for name in ("GENESIS_NODE", "GENESIS_TOKEN", "GENESIS_PURPOSE", "GENESIS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg-data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg-config"))


@pytest.fixture
def no_leaks() -> Callable[[], AbstractContextManager[None]]:
    """Checks that a block leaves no descriptor, thread or process behind."""

    @contextmanager
    def check() -> Iterator[None]:
        gc.collect()
        before = (descriptors(), threads(), children())
        yield
        deadline = time.monotonic() + 5
        while True:
            gc.collect()
            after = (descriptors(), threads(), children())
            left = [sorted(a - b) for a, b in zip(after, before, strict=True)]
            if not any(left):
                return
            assert time.monotonic() < deadline, f"left behind: descriptors, threads, processes: {left}"
            time.sleep(0.05)

    return check


def descriptors() -> set[str]:
    """What is open. The kernel's own descriptions, for numbers are used again."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            pass  # that of the listing itself
    return {f for f in found if not f.startswith("/proc/")}


def threads() -> set[str]:
    return {f"{t.name} {t.ident}" for t in threading.enumerate()}


def zombies() -> set[str]:
    """The processes that this one started, that ended, and that nobody waited for."""
    return children(states="Z")


def children(states: str = "") -> set[str]:
    """The processes that this one started and that are not gone, zombies included."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, _, rest = (entry / "stat").read_text().rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if parent == str(os.getpid()) and (not states or state in states):
            found.add(f"{entry.name} {name.partition('(')[2]}")
    return found
