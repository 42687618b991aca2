"""Two real nodes of one federation: training, predicting and searching at the other one."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from conftest import PASSWORD, cli, token

import genesis

SECRET = "molecule-7f3a9c"  # a cell that only whoever predicts has


@dataclass
class Both:
    """``nrel``, which has data and models, and ``mit``, where ada is at home."""

    binary: Path
    nrel: Path  # homes
    mit: Path
    url: str  # of mit
    token: str  # of ada there

    def owner(self, *args: str) -> str:
        """Do something as the owner of nrel."""
        return cli(self.binary, self.nrel, *args)


def plants(rows: int, note: str) -> pd.DataFrame:
    speed = [3 + i * 7 % 20 + i % 3 / 10 for i in range(rows)]
    return pd.DataFrame({"speed": speed, "power": [2 * s + 1 for s in speed], "note": [note] * rows})


@contextmanager
def serving(binary: Path, home: Path) -> Iterator[str]:
    """Serve a node with an address that stays, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        at = f"127.0.0.1:{free.getsockname()[1]}"
    home.mkdir()
    said = {"node": home.name, "institution": f"The {home.name}", "sector": "laboratory", "url": f"http://{at}"}
    (home / "config.yaml").write_text(json.dumps({**said, "serve": {"listen": at}, "log": {"level": "error"}}))
    with (home.parent / f"{home.name}.log").open("w") as log:
        server = subprocess.Popen([binary, "--home", home, "serve", "--json"], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            assert server.stdout.readline(), Path(log.name).read_text()
            yield f"http://{at}"
        finally:
            server.terminate()
            server.wait(30)
            server.stdout.close()


@pytest.fixture(scope="module")
def both(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("federation")
    nrel, mit = folder / "nrel", folder / "mit"
    with ExitStack() as stack:
        stack.enter_context(serving(binary, nrel))
        url = stack.enter_context(serving(binary, mit))
        cli(binary, nrel, "federation", "create", "energy")
        invitation = cli(binary, nrel, "federation", "invite", "Massachusetts Institute", "--sector", "university")
        cli(binary, mit, "federation", "join", input=invitation)
        cli(binary, mit, "account", "add", "ada", input=PASSWORD + "\n")
        b = Both(binary, nrel, mit, url, token(url, "ada"))
        offers(b, folder)
        yield b


def offers(b: Both, folder: Path) -> None:
    """Data that may be trained on and not read, data that may be read, and a model of each kind."""
    for name, tier in ("plants", "restricted"), ("wind", "registered"):
        file = folder / f"{name}.csv"
        plants(400, name).to_csv(file, index=False)
        b.owner("prepare", str(file), "--name", name, "--target", "power", "--split", "random", "--no-proof")
        b.owner("publish", name, "--tier", tier)
    for seed, name, tier in ("1", "net", "registered"), ("2", "kept", "controlled"):  # what is the same is one hit
        b.owner("train", "wind", "--target", "power", "--name", name, "--epochs", "2", "--members", "1", "--seed", seed)
        b.owner("publish", name, "--tier", tier)
    b.owner("grant", "plants", "--to", "person:mit/ada", "--actions", "train")
    b.owner("grant", "kept", "--to", "person:mit/ada", "--actions", "infer")


@pytest.fixture
def ada(both: Both) -> Iterator[genesis.Node]:
    with genesis.connect(both.url, both.token) as node:
        yield node


def holding(home: Path) -> list[Path]:
    """The files of a home in which the secret is."""
    found = []
    for path in home.rglob("*"):
        try:
            if path.is_file() and SECRET.encode() in path.read_bytes():
                found.append(path.relative_to(home))
        except OSError:
            pass  # removed meanwhile
    return found


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_who_and_what(both: Both, ada: genesis.Node) -> None:
    assert ada.whoami()["subject"] == "ada"
    there = ada.whoami("nrel")
    assert (there["subject"], there["node"]) == ("ada", "mit")

    def all_found() -> bool:
        cli(both.binary, both.mit, "federation", "show", "--refresh")  # it asks every few minutes by itself
        return {"plants", "wind", "net"} <= {a.ref for a in ada.search() if a.node == "nrel"}

    eventually(all_found)
    found = ada.search("plants")  # which only who may train on them may know of: nrel was asked
    assert [(a.node, a.ref) for a in found] == [("nrel", "plants")]
    assert any(c["node"] == "nrel" and c["answered"] for c in found.coverage)


def test_training_goes_to_the_data(both: Both, ada: genesis.Node) -> None:
    made = ada.train("nrel/plants", "mine", epochs=2, members=1)
    assert made.node == "nrel" and made.name == "~ada+mit/mine"
    assert made.report["targets"][0]["column"]["name"] == "power"
    with pytest.raises(genesis.Permission):
        ada.dataset("nrel/plants").to_arrow()
    assert "mine" in both.owner("list")
    again = ada.train(ada.dataset("nrel/plants"), "again", target="power", epochs=2, members=1)
    assert again.node == "nrel"


def test_training_on_a_copy(both: Both, ada: genesis.Node) -> None:
    made = ada.train("nrel/wind", "~ada/own", epochs=2, members=1)
    assert made.node == "" and made.name == "~ada/own"
    assert "own" not in both.owner("list")


def test_rows_stay_here(both: Both, ada: genesis.Node) -> None:
    said = ada.predict("nrel/net", plants(20, SECRET))
    assert said.rows == 20 and SECRET in set(said.to_pandas()["note"])
    assert said.model.name == "~ada/net"  # the copy
    assert "net" not in both.owner("audit", "query", "--act", "infer")


def test_rows_are_sent_if_one_says_so(both: Both, ada: genesis.Node, tmp_path: Path) -> None:
    model = ada.model("nrel/kept")
    with pytest.raises(genesis.Permission, match="20 rows will be sent to nrel; not stored") as refused:
        model.predict(plants(20, SECRET))
    assert "send=True" in refused.value.hint and refused.value.subject == "nrel/kept"
    assert not holding(both.nrel)
    file = tmp_path / "new.csv"
    plants(1, SECRET).to_csv(file, index=False)
    with pytest.raises(genesis.Permission, match="1 row will be sent"):
        genesis.predict("nrel/kept", file, node=ada)
    assert "kept" not in both.owner("audit", "query", "--act", "infer")

    said = model.predict(plants(20, SECRET), send=True)
    assert said.rows == 20 and said.model.name == "kept"
    eventually(lambda: not holding(both.nrel))
    assert SECRET in set(said.to_pandas()["note"])  # they were fetched at once
    assert "kept" in both.owner("audit", "query", "--act", "infer")
