"""Against a real node: rows in every form, work, errors, and the life of a local node."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Served, zombies

import genesis


@pytest.fixture
def remote(node: Served):  # type: ignore[no-untyped-def]
    with genesis.connect(node.url, node.token) as connected:
        yield connected


def test_what_a_dataset_says(remote: genesis.Node) -> None:
    concrete = remote.dataset("concrete")
    assert concrete.version.number == 1 and str(concrete.version) == "concrete@1"
    assert concrete.schema.of_role("target") == ["compressive_strength"]
    assert concrete.schema["compressive_strength"].unit == "MPa"
    assert concrete.profile["compressive_strength"].min is not None
    assert concrete.splits["random"].counts["train"] > 700
    assert concrete.readiness.passed > 10 and concrete.card.license == "CC0-1.0"
    assert "compressive_strength" in repr(concrete.schema)
    with pytest.raises(KeyError):
        concrete.schema["nothing"]


def test_list_and_search(remote: genesis.Node) -> None:
    assert {a.name for a in remote.list("dataset")} >= {"concrete", "tumours", "solar-greensboro", "seattle-weather"}
    assert len(remote.list(limit=2)) == 2
    found = remote.search("concrete")
    assert "concrete" in {a.ref for a in found}
    assert found.total >= 1 and found.coverage[0]["answered"]
    assert {a.ref for a in remote.search("concrete", kind="dataset", min_rows=100)} >= {"concrete"}
    assert not remote.search("concrete", kind=["model"], field=["no such field"])
    assert remote.whoami()["subject"] == "bo"


def test_rows_in_every_form(remote: genesis.Node) -> None:
    d = remote.dataset("seattle-weather")
    table = d.to_arrow()
    frame = d.to_pandas()
    assert table.num_rows == frame.shape[0] == d.schema.rows > 1000
    assert table.column_names == d.schema.names
    assert d.to_polars().shape == (d.schema.rows, len(d.schema))
    target = d.schema.of_role("target")[0]
    warm = d.to_pandas(columns=[target], filter=f"{target} > 20.0")
    expected = frame[frame[target] > 20][[target]].reset_index(drop=True)
    pd.testing.assert_frame_equal(warm, expected)
    parts = [d.to_arrow(split=p).num_rows for p in ("train", "validation", "test")]
    assert sum(parts) == d.schema.rows and parts[0] > parts[2]


def test_scan_feeds_duckdb(remote: genesis.Node) -> None:
    duckdb = pytest.importorskip("duckdb")
    reader = remote.dataset("concrete").scan(["age", "compressive_strength"])
    assert isinstance(reader, pa.RecordBatchReader)
    ((n,),) = duckdb.sql("select count(*) from reader where age > 28").fetchall()
    assert n == (remote.dataset("concrete").to_pandas()["age"] > 28).sum()


@pytest.mark.parametrize("mode", ["sequential", "block", "full"])
def test_streams_are_permutations(remote: genesis.Node, mode: str) -> None:
    d = remote.dataset("solar-greensboro")
    plain = d.to_pandas(split="train")
    stream = d.stream("train", mode=mode, seed=5, batch_size=500, block=64 if mode == "block" else None)
    shuffled = stream.read_all().to_pandas()
    columns = list(plain.columns)
    assert (shuffled.reset_index(drop=True).equals(plain)) == (mode == "sequential")
    left = plain.sort_values(columns).reset_index(drop=True)
    pd.testing.assert_frame_equal(shuffled.sort_values(columns).reset_index(drop=True), left)
    if mode != "sequential":
        stream.set_epoch(1)
        assert not stream.read_all().to_pandas().equals(shuffled)


def test_errors(remote: genesis.Node, node: Served) -> None:
    with pytest.raises(genesis.NotFound) as e:
        remote.dataset("no-such").schema  # noqa: B018
    assert e.value.hint and e.value.request and "hint:" in str(e.value)
    with pytest.raises(genesis.Invalid):
        remote.dataset("concrete").to_arrow(filter="no_such_column > 1.0")
    with pytest.raises((genesis.Invalid, genesis.NotFound)):
        remote.dataset("concrete").to_arrow(columns=["no_such_column"])
    with pytest.raises(genesis.Permission):
        genesis.connect(node.url, "gen_p_" + "0" * 34).whoami()
    nobody = genesis.connect(node.url)
    assert nobody.dataset("concrete").to_arrow().num_rows > 900, "public"
    with pytest.raises(genesis.Error):
        nobody.dataset("tumours").to_arrow()
    with pytest.raises(genesis.Unavailable) as gone:
        genesis.connect("http://127.0.0.1:1").info()
    assert "serve" in gone.value.hint


def test_work(remote: genesis.Node) -> None:
    rng = np.random.default_rng(1)
    wind = rng.uniform(0, 20, 400)
    frame = pd.DataFrame({"wind speed (m/s)": wind, "power (kW)": wind**3 / 8 + rng.normal(size=400)})
    events: list[dict[str, object]] = []
    made = genesis.prepare(frame, "py-turbines", node=remote, target="power (kW)", split="random", progress=events.append)
    assert made.schema["power"].unit == "kW" and made.version.rows == 400
    assert any(e.get("stage") for e in events)
    again = genesis.prepare(pl.from_pandas(frame), "py-turbines", node=remote, target="power (kW)", split="random")
    assert again.version.digest == made.version.digest, "the same rows are the same version"
    made.set_card(title="Turbines", keywords=["wind", "power"])
    assert made.card.title == "Turbines" and list(made.card.keywords) == ["wind", "power"]
    model = genesis.train(made, "py-net", node=remote, epochs=3, members=1, progress=False)
    assert model.scores()["power"]["net"]["rmse"] > 0
    predicted = genesis.predict(model, frame, node=remote)
    assert predicted.rows == 400 and "power_predicted" in predicted.to_pandas()
    assert predicted.to_polars().height == 400
    assert any(r.raw["kind"] == "train" for r in remote.runs())


def test_prepare_files(remote: genesis.Node, tmp_path: Path) -> None:
    for i in (1, 2):
        (tmp_path / f"Wind Farm {i}.csv").write_text("speed,power\n" + "".join(f"{j}.5,{i * j}\n" for j in range(50)))
    made = remote.prepare([tmp_path / "Wind Farm 1.csv", tmp_path / "Wind Farm 2.csv"], proof=False)
    assert made.name == "wind-farm-1" and made.schema.rows == 100
    with pytest.raises(genesis.NotFound):
        remote.prepare(tmp_path / "none.csv")
    with pytest.raises(genesis.Invalid):
        remote.prepare(tmp_path)
    with pytest.raises(ValueError):
        remote.prepare(pd.DataFrame({"x": [1]}))


def test_uploads_are_given_back(remote: genesis.Node) -> None:
    genesis.prepare(pd.DataFrame({"x": range(10)}), "py-small", node=remote, proof=False)
    assert remote._wire.get("/v1/uploads")["uploads"] == []


def test_threads_share_a_node(remote: genesis.Node) -> None:
    want = remote.dataset("concrete").to_arrow()
    got: list[pa.Table] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            got.append(remote.dataset("concrete").to_arrow())
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors and all(t.equals(want) for t in got) and len(got) == 6


def test_secrets_do_not_show(node: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    given = genesis.connect(node.url, node.token)
    stream = given.dataset("tumours").stream(batch_size=50)
    for thing in (given, given.dataset("tumours"), stream, given._wire, given._wire.place):
        assert node.token not in repr(thing) and node.token not in str(thing)
    copy = pickle.loads(pickle.dumps(stream))
    assert sum(b.num_rows for b in copy) == stream.plan.rows
    monkeypatch.setenv("GENESIS_TOKEN", node.token)
    found = genesis.connect(node.url)
    assert node.token.encode() not in pickle.dumps(found), "looked up anew by whoever unpickles it"
    assert pickle.loads(pickle.dumps(found)).whoami()["subject"] == "bo"


def test_forked(remote: genesis.Node) -> None:
    """A child of a fork opens connections of its own, and the parent's go on."""
    stream = remote.dataset("concrete").stream(batch_size=100)
    iterator = iter(stream)
    next(iterator)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if remote.dataset("concrete").to_arrow().num_rows == stream.plan.rows else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert 100 + sum(b.num_rows for b in iterator) == stream.plan.rows


# A home that nobody serves


@pytest.fixture
def home(binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENESIS_BIN", str(binary))
    return tmp_path / "home"


def holders(home: Path) -> list[int]:
    """The processes that hold a home."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"hold" in words and str(home).encode() in words:
                found.append(int(entry.name))
    return found


def gone(home: Path, within: float = 10) -> bool:
    deadline = time.monotonic() + within
    while holders(home):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_local_node(home: Path, tmp_path: Path, no_leaks) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(100)))
    with no_leaks():
        node = genesis.connect(home=home)
        assert node.info()["home"] == str(home)
        made = node.prepare(tmp_path / "x.csv", target="b", split="random", proof=False)
        assert made.to_arrow().num_rows == 100
        other = genesis.connect(home=home)
        assert len(other.list()) == 1 and len(holders(home)) == 1, "one child for the process"
        node.close()
        assert len(other.list()) == 1, "others here go on"
        assert node.list()[0].name == "x", "a node may be used again"
        node.close()
        other.close()
        assert gone(home, 1)


def test_local_node_is_left_when_nobody_has_it(home: Path) -> None:
    genesis.connect(home=home).list()
    assert len(holders(home)) == 1, "the functions of the package use it"
    genesis.connect("http://127.0.0.1:1")  # is the last one now
    assert gone(home)


def test_default_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_HOME", str(home))
    with genesis.connect() as node:
        assert node.place == str(home) and node.whoami()["subject"] == "local"


def test_joins_the_node_that_is_there(node: Served) -> None:
    with genesis.connect(home=node.home) as local:
        assert local.whoami()["subject"] == "local"
        assert local.dataset("tumours").to_arrow().num_rows == local.dataset("tumours").schema.rows
        assert not holders(node.home)


SCRIPT = """
import genesis, os, signal, sys, threading, time
node = genesis.connect(home=sys.argv[1])
node.list()
print("ready", flush=True)
"""


def script(home: Path, more: str) -> subprocess.Popen[str]:
    """Run a program in a process group of its own, as a shell does."""
    words = [sys.executable, "-c", SCRIPT + textwrap.dedent(more), str(home)]
    run = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert run.stdout is not None and run.stdout.readline() == "ready\n"
    return run


@pytest.mark.parametrize("end", ["", "os._exit(3)", "raise SystemExit(1)", "os.kill(os.getpid(), 9)", "1/0"])
def test_nothing_stays_behind(home: Path, end: str) -> None:
    run = script(home, end)
    run.communicate(timeout=30)
    assert gone(home), "the child ends with the process, however that ends"


def test_killed_while_it_streams(home: Path) -> None:
    run = script(home, "time.sleep(60)")
    assert len(holders(home)) == 1
    run.kill()
    run.communicate()
    assert gone(home)


def test_interrupt_is_not_the_childs(home: Path) -> None:
    """Ctrl-C goes to the whole group of a terminal: the child must not leave by it."""
    more = "try:\n  print('now', flush=True)\n  time.sleep(30)\nexcept KeyboardInterrupt:\n  print(len(node.list()), sys.argv[1], flush=True); time.sleep(0.5)"
    run = script(home, more)
    assert run.stdout is not None and run.stdout.readline() == "now\n"
    (child,) = holders(home)
    assert os.getpgid(child) != run.pid
    os.killpg(run.pid, signal.SIGINT)
    assert run.stdout.readline() == f"0 {home}\n"
    assert holders(home) == [child], "and was not replaced"
    run.communicate(timeout=30)
    assert gone(home)


def test_a_child_that_dies_is_replaced(home: Path) -> None:
    with genesis.connect(home=home) as node:
        node.list()
        (first,) = holders(home)
        os.kill(first, signal.SIGKILL)
        assert node.list() == []
        assert holders(home) != [first]
    assert gone(home)
    assert not zombies()


def test_forked_with_a_local_node(home: Path) -> None:
    with genesis.connect(home=home) as node:
        node.prepare(pd.DataFrame({"x": range(50)}), "x", proof=False)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = 0 if node.dataset("x").to_arrow().num_rows == 50 and node.prepare(pd.DataFrame({"y": [1]}), "y", proof=False).schema.rows == 1 else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert {a.name for a in node.list()} == {"x", "y"}
    assert gone(home)


def test_no_binary(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_BIN", "/nowhere/genesis")
    with pytest.raises(genesis.Invalid, match="GENESIS_BIN"):
        genesis.connect(home=home).list()
    monkeypatch.delenv("GENESIS_BIN")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(genesis.Invalid) as e:
        genesis.connect(home=home).list()
    assert "PATH" in e.value.hint


def test_a_home_that_is_none(home: Path) -> None:
    home.mkdir()
    (home / "thesis.docx").write_text("x")
    with pytest.raises(genesis.Unavailable, match="not a Genesis home") as e:
        genesis.connect(home=home).list()
    assert "new or empty folder" in e.value.hint


INTERRUPTED = """
try:
    node.prepare([sys.argv[2]], "big", target="b", split="random")
except KeyboardInterrupt:
    deadline = time.time() + 20
    while time.time() < deadline and any(not r.ended for r in node.runs()):
        time.sleep(0.05)
    print([r.state for r in node.runs()], [a.name for a in node.list()], flush=True)
"""


def test_interrupt_cancels_the_run(home: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = pa.table({n: rng.normal(size=400_000) for n in "abcdefgh"})
    import pyarrow.csv

    pyarrow.csv.write_csv(table, tmp_path / "big.csv")
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT + INTERRUPTED, str(home), str(tmp_path / "big.csv")], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None and run.stdout.readline() == "ready\n"
    time.sleep(0.6)
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60)[0] == "['canceled'] []\n"
    assert gone(home)
