"""What somebody new meets: lines to copy, hints to follow, and errors that say enough."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSWORD, Served, token
from fake import KEY, VERSION, FakeNode, cut, problem

import genesis
from genesis import reader as reader_module

PACKAGE = Path(__file__).resolve().parents[1]


def line_of(dataset: genesis.Dataset) -> str:
    """The line of a notebook that is there to be copied."""
    return html.unescape(re.findall(r"<code>(.*?)</code>", dataset._repr_html_())[-1])


def test_the_line_to_copy(node: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is run as it stands, of a draft and of a version, here and at a URL."""
    monkeypatch.setenv("GENESIS_TOKEN", node.token)
    with genesis.connect(home=node.home) as local, genesis.connect(node.url) as remote:
        for connected in (local, remote):
            for name in ("concrete", "tumours"):
                line = line_of(connected.dataset(name))
                names: dict[str, Any] = {}
                exec("import genesis\nframe = " + line, names)
                assert len(names["frame"]) == connected.dataset(name).schema.rows, line
                genesis._last.close()  # type: ignore[union-attr]
        assert line_of(remote.dataset("concrete")) == f'genesis.connect("{node.url}").dataset("concrete@1").to_pandas()'
        assert remote.dataset("tumours").version.digest in line_of(remote.dataset("tumours"))
    genesis._last = None


def test_the_line_of_the_default_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    default = genesis.connect()._wire.place
    assert default.call() == "genesis.connect()"
    monkeypatch.setenv("GENESIS_NODE", "https://data.example.edu")
    assert default.call() == f'genesis.connect(home="{default.home}")', "without home= it would be the node"
    genesis._last = None


def test_what_documents_have_installed() -> None:
    """The package is in no index: it is installed from a clone."""
    for path in (PACKAGE / "README.md", PACKAGE / "docs" / "tutorial.md"):
        said = re.findall(r"^pip install (.*)$", path.read_text("utf-8"), re.MULTILINE)
        assert said == ["'./clients/python[torch,pandas]'"], path
    assert (PACKAGE.parents[1] / "clients/python/pyproject.toml").exists()


def test_nobody_is_signed_in(node: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with genesis.connect(node.url) as nobody, genesis.connect(node.url, node.token) as somebody:
        for found in (nobody.search("tumours"), nobody.list("model")):
            assert "nobody is signed in" in found.hint and found.hint in repr(found)
            assert f"genesis login {node.url}" in html.unescape(found._repr_html_())
        assert nobody.list() and nobody.list().hint == "" and "signed in" not in repr(nobody.list())
        assert repr(somebody.search("no-such-thing-at-all")) == "nothing found"
        for ask in (lambda n: n.dataset("tumours").schema, lambda n: n.dataset("tumours").to_arrow(), lambda n: n.train("tumours", "m", target="t")):
            with pytest.raises(genesis.NotFound) as e:
                ask(nobody)
            assert f"nobody is signed in: `genesis login {node.url}`" in e.value.hint
        with pytest.raises(genesis.NotFound) as e:
            somebody.dataset("no-such").schema  # noqa: B018
        assert "signed in" not in e.value.hint
        monkeypatch.setenv("GENESIS_TOKEN", node.token)
        assert nobody.search("tumours"), "signed in meanwhile"


def test_how_to_ask_in_python() -> None:
    hints = {
        'genesis request numbers --actions read --purpose "…"': 'genesis request numbers --actions read --purpose "…"; in Python: .request("read", purpose="…") of the dataset or model',
        "ask with: genesis request numbers --actions read,train": 'ask with: genesis request numbers --actions read,train; in Python: .request(["read", "train"], purpose="…") of the dataset or model',
        "its steward decides": "its steward decides",
    }
    for hint, want in hints.items():
        def refused(h, messages, hint=hint):  # type: ignore[no-untyped-def]
            h.json({"status": 403, "kind": "permission", "message": "no", "hint": hint}, 403, None, "application/problem+json")

        with FakeNode(10, [refused]) as fake:
            with pytest.raises(genesis.Permission) as e:
                genesis.connect(fake.url).dataset("numbers").to_arrow()
            assert e.value.hint == want


def test_how_to_ask_a_real_node(node: Served, tmp_path: Path) -> None:
    """The node's own hint is one that Python is added to, and what it says is taken."""
    (tmp_path / "asked.csv").write_text("a,b\n" + "".join(f"{i},{i * 0.5}\n" for i in range(50)))
    node.genesis("prepare", str(tmp_path / "asked.csv"), "--name", "asked", "--target", "b", "--split", "random", "--no-proof")
    node.genesis("card", "set", "asked", "sensitivity=Public", "export_control=No", "license=CC0-1.0")
    node.genesis("publish", "asked", "--tier", "controlled")
    node.genesis("account", "add", "cy", input=PASSWORD + "\n")
    with genesis.connect(node.url, token(node.url, "cy")) as cy:
        asked = cy.dataset("asked")
        with pytest.raises(genesis.Permission) as e:
            asked.to_arrow()
        assert "genesis request" in e.value.hint and '.request("read", purpose="…")' in e.value.hint
        assert asked.request("read", purpose="to see how")["state"] == "open"


def test_a_node_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits is told so, once, and not of what mends at once."""
    for name, value in (("PAUSE", 0.02), ("MAX_PAUSE", 0.1), ("NOTICE", 0.1)):
        monkeypatch.setattr(reader_module, name, value)
    away = [problem(503, "unavailable", "restarts")]
    with FakeNode(100, [cut(4), *away * 5, None]) as fake:
        with pytest.warns(genesis.RetryWarning) as told:
            assert genesis.connect(fake.url).dataset("numbers").stream(batch_size=10).read_all().num_rows == 100
        assert len(told) == 1
        assert "goes on at row 30" in str(told[0].message) and fake.url in str(told[0].message)
    monkeypatch.setattr(reader_module, "NOTICE", 2.0)
    with FakeNode(100, [cut(4), *away, None]) as fake, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert genesis.connect(fake.url).dataset("numbers").stream(batch_size=10).read_all().num_rows == 100


def test_how_long_it_tries_is_said() -> None:
    """The documents say half a minute: so it is."""
    pauses = [min(reader_module.PAUSE * 2**k, reader_module.MAX_PAUSE) for k in range(reader_module.TRIES)]
    assert 25 < sum(pauses) < 35 and reader_module.NOTICE == 2
    assert "half a minute" in str(genesis.Stream.__doc__) and "half a minute" in (PACKAGE / "README.md").read_text("utf-8")


def test_states_of_other_streams() -> None:
    with FakeNode(100) as fake:
        d = genesis.connect(fake.url).dataset("numbers")
        state = json.loads(json.dumps(d.stream("train", filter="n > 3", table="numbers", mode="full", seed=1).state_dict()))
        same: dict[str, Any] = {"split": "train", "filter": " n > 3", "table": "numbers", "mode": "full", "seed": 1}
        d.stream(**same).load_state_dict(state)
        d.stream(**same).load_state_dict({**state, "split": "random/train"})
        d.stream(**{**same, "filter": None}).load_state_dict({k: v for k, v in state.items() if k != "filter"})
        asked = len(fake.asked)
        for other in ({"split": "test"}, {"split": None}, {"split": "ain"}, {"filter": "n > 4"}, {"filter": None}, {"table": "t"}, {"mode": "block"}, {"seed": 2}):
            stream = d.stream(**{**same, **other})
            with pytest.raises(genesis.Invalid, match=f"with (another )?{next(iter(other))}") as e:
                stream.load_state_dict(state)
            assert e.value.hint and stream.position == 0
        with pytest.raises(genesis.Invalid, match="the state is of numbers@"):
            genesis.connect(fake.url).dataset("letters").stream("train").load_state_dict(state)
        assert len(fake.asked) == asked, "at once, not when the node is asked"
        with pytest.raises(genesis.Invalid, match="position is 101; the order has 100 rows"):
            d.stream(**same).load_state_dict({**state, "position": 101})
        assert state["key"] == KEY and VERSION in state["version"]


def test_the_default_split_of_a_state(node: Served) -> None:
    """A state names the split; a stream may leave it to the node."""
    with genesis.connect(home=node.home) as connected:
        d = connected.dataset("concrete")
        state = d.stream("train", mode="full").state_dict()
        assert state["split"] == "random/train"
        d.stream("random/train", mode="full").load_state_dict(state)
        with pytest.raises(genesis.Invalid, match="with split 'random/train', this one has 'test'"):
            d.loader("test").load_state_dict(state)


def test_position_as_the_node_has_it(node: Served) -> None:
    with genesis.connect(home=node.home) as connected:
        d = connected.dataset("concrete")
        with pytest.raises(genesis.Invalid) as ours:
            d.stream(position=10**6).read_all()
        with pytest.raises(genesis.Invalid) as theirs:
            connected._wire.get("/v1/datasets/concrete/plan", {"position": 10**6})
        assert "1000000; the order has 976 rows" in ours.value.message and "1000000; the order has 976 rows" in str(theirs.value)
        assert ours.value.hint == theirs.value.hint
        assert d.stream(position=976).read_all().num_rows == 0


def test_models_and_datasets_are_told_apart(node: Served) -> None:
    with genesis.connect(home=node.home) as connected:
        weights = {"model.bin": b"1"}
        with pytest.warns(UserWarning, match="conditions of that data do not protect") as told:
            made = connected.log_model(weights, "not-a-dataset")
        assert told[0].filename == __file__, "it points at who called"
        with pytest.warns(UserWarning, match="Say inputs=") as told:
            genesis.log_model(weights, "not-a-dataset", node=connected)
        assert told[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            connected.log_model(weights, "with-input", inputs=iter(["concrete"]))
        assert made.name == "not-a-dataset"
        d, m = connected.dataset("not-a-dataset"), connected.model("concrete")
        for look in (lambda: d.schema, lambda: d.to_arrow(), lambda: d.loader("train").plan):
            with pytest.raises(genesis.Invalid, match="is a model") as e:
                look()
            assert "node.model('not-a-dataset')" in e.value.hint
        for look in (lambda: m.report, lambda: m.part("x"), lambda: m.predict("x.csv")):
            with pytest.raises(genesis.Invalid, match="is a dataset") as e:
                look()
            assert e.value.hint == "use node.dataset('concrete')"


def test_a_part_is_no_column(node: Served) -> None:
    with genesis.connect(home=node.home) as connected, pytest.raises(TypeError) as e:
        connected.dataset("concrete").to_pandas("train")  # type: ignore[arg-type]
    assert 'columns=["train"]' in str(e.value) and 'split="train"' in str(e.value) and ".stream" in str(e.value)


def test_the_short_chain() -> None:
    node = genesis.connect("http://127.0.0.1:1")
    for ask in (node.info, lambda: node._wire.download("/v1/node")):
        with pytest.raises(genesis.Unavailable, match="nobody listens") as e:
            ask()
        assert e.value.__cause__ is None and e.value.__suppress_context__


def test_version() -> None:
    from importlib.metadata import version

    assert genesis.__version__ == version("genesis-science")


def test_the_table_of_arguments() -> None:
    """The README's table has each argument of a stream that somebody would look for."""
    text = (PACKAGE / "README.md").read_text("utf-8")
    table = {name for row in re.findall(r"^\| (`.*? \|.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert table >= {"split", "mode", "seed", "batch_size", "filter", "columns", "ready", "target", "mask", "categories", "scale", "epoch"}
    assert "(rows, columns)" in str(genesis.Dataset.stream.__doc__) and "(rows, columns)" in str(genesis.Dataset.torch.__doc__)


UNCLOSED = """
import gc, os, signal, sys, time, genesis
node = genesis.connect(home=sys.argv[1])
node.info()
child = os.fork()
if child == 0:
    gc.collect()
    node.info()
    node.close()
    gc.collect()
    os._exit(0)
os.waitpid(child, 0)
keeper = node._wire.home._keeper
keeper._process.kill()
keeper._process.wait()
node.list()
node.dataset("x").refresh()
node.close()
del node
gc.collect()
"""


def test_everything_is_closed(binary: Path, tmp_path: Path) -> None:
    """In a fork, and after the node was replaced, no file and no socket is left to the collector."""
    env = {**os.environ, "GENESIS_BIN": str(binary)}
    done = subprocess.run([sys.executable, "-W", "always::ResourceWarning", "-c", UNCLOSED, tmp_path / "home"], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "ResourceWarning" not in done.stderr, done.stderr
