"""Places, errors, reading ahead, progress, and what notebooks show."""

from __future__ import annotations

import io
import json
import pickle
import re
import sys
import threading
import time
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import Served
from fake import FakeNode

import genesis
from genesis import errors, files, place, progress, show
from genesis.ahead import Ahead
from genesis.names import name_from, quote
from genesis.records import Bin, ColumnProfile

# Places


def test_the_order_of_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def where(**given: Any) -> str:
        return str(place.resolve(given.get("node"), given.get("token"), given.get("home"), None))

    assert where() == str(tmp_path / "xdg-data" / "genesis")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert where() == str(Path.home() / ".local/share/genesis")
    monkeypatch.setenv("GENESIS_HOME", "/homes/a")
    assert where() == "/homes/a"
    monkeypatch.setenv("GENESIS_NODE", "https://data.example.edu/")
    assert where() == "https://data.example.edu"
    assert where(home="/homes/b") == "/homes/b", "what is said here, not the environment"
    assert where(node="https://other.example.edu") == "https://other.example.edu"
    with pytest.raises(ValueError):
        where(node="https://a.example", home="/b")
    for wrong in ("data.example.edu", "ftp://data.example.edu", "https://"):
        with pytest.raises(genesis.Invalid, match="not the URL"):
            where(node=wrong)


def test_the_order_of_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def revealed(**given: Any) -> str | None:
        secret = place.resolve("https://data.example.edu/", given.get("token"), None, None).secret
        assert secret is not None
        return secret.reveal()

    assert revealed() is None
    stored = tmp_path / "xdg-config" / "genesis" / "credentials.json"
    stored.parent.mkdir(parents=True)
    stored.write_text(json.dumps({"https://data.example.edu": "gen_s_stored"}))
    assert revealed() == "gen_s_stored"
    stored.write_text("{rubbish")
    assert revealed() is None
    monkeypatch.setenv("GENESIS_TOKEN", "gen_p_environment")
    assert revealed() == "gen_p_environment"
    assert revealed(token="gen_p_given") == "gen_p_given"


def test_no_token_in_the_clear() -> None:
    with pytest.raises(genesis.Invalid, match="in the clear"):
        place.resolve("http://data.example.edu", "gen_p_x", None, None)
    for safe in ("http://127.0.0.1:8472", "http://localhost", "http://[::1]:1", "https://data.example.edu"):
        assert "gen_p_x" not in repr(place.resolve(safe, "gen_p_x", None, None))


def test_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeNode(10) as fake:
        genesis.connect(fake.url, "gen_p_x", purpose="Windkraft für alle").dataset("numbers").to_arrow()
        for _, _, headers in fake.asked:
            assert headers["Authorization"] == "Bearer gen_p_x"
            assert headers["Genesis-Purpose"].encode("latin-1").decode() == "Windkraft für alle"
        monkeypatch.setenv("GENESIS_PURPOSE", "tests")
        genesis.connect(fake.url).dataset("numbers").stream().plan  # noqa: B018
        assert fake.asked[-1][2]["Genesis-Purpose"] == "tests"


def test_names() -> None:
    assert name_from("/data/Wind Turbines.csv.gz") == "wind-turbines"
    assert name_from(".hidden.csv") == "hidden" and name_from("Übergröße.csv") == "ubergrosse"
    assert name_from("....") == "data"
    assert quote("nrel/turbines@sha256:ab") == "nrel%2Fturbines%40sha256%3Aab" and quote("..") == ".."


# Errors


def test_errors_by_kind_and_status() -> None:
    for kind, cls in errors._BY_KIND.items():
        e = errors.from_problem({"kind": kind, "message": "m", "hint": "h", "op": "o", "subject": "s", "request": "r"})
        assert type(e) is cls and e.kind == kind and str(e) == 'o "s": m\nhint: h' and e.request == "r"
        copy = pickle.loads(pickle.dumps(e))
        assert type(copy) is cls and str(copy) == str(e) and copy.request == "r"
    assert isinstance(errors.from_problem({}, status=502), genesis.Unavailable)
    assert isinstance(errors.from_problem({}, status=418), genesis.Invalid)
    assert isinstance(errors.from_problem({}, status=500), genesis.Internal)
    busy = errors.from_problem({"kind": "invalid"}, status=429, retry_after="7")
    assert isinstance(busy, genesis.Unavailable) and busy.retry_after == 7
    assert errors.from_problem({}, status=429, retry_after="Wed, 21 Oct").retry_after is None
    assert issubclass(genesis.Exists, genesis.Conflict)


def test_kinds_are_those_of_the_node() -> None:
    """The kinds of error.go, but Private, which is shown as NotFound."""
    source = (Path(__file__).resolve().parents[3] / "error.go").read_text()
    kinds = set(re.findall(r'^\t\w+ +ErrorKind = "([a-z-]+)"', source, re.MULTILINE))
    assert kinds - {"private"} == set(errors._BY_KIND)


# Reading ahead


def test_ahead_is_bounded_and_ends(no_leaks) -> None:  # type: ignore[no-untyped-def]
    made = []

    def source():  # type: ignore[no-untyped-def]
        for i in range(100):
            made.append(i)
            yield i

    with no_leaks():
        ahead = Ahead(source(), 3, lambda: None)
        assert next(ahead) == 0
        time.sleep(0.1)
        assert len(made) <= 6
        ahead.close()
        assert list(Ahead(source(), 2, lambda: None)) == list(range(100))


def test_ahead_passes_errors_on_in_their_place() -> None:
    def source():  # type: ignore[no-untyped-def]
        yield 1
        raise genesis.Gone("withdrawn")

    ahead = Ahead(source(), 3, lambda: None)
    time.sleep(0.05)
    assert next(ahead) == 1
    with pytest.raises(genesis.Gone):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)


def test_ahead_interrupts() -> None:
    wake = threading.Event()

    def source():  # type: ignore[no-untyped-def]
        wake.wait(30)
        yield 1

    ahead = Ahead(source(), 3, wake.set)
    began = time.monotonic()
    ahead.close()
    assert time.monotonic() - began < 5


# Progress


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {"stage": "training", "done": 1200, "total": 8000, "unit": "rows", "note": "loss 0.1\x1b[2J"}
    assert progress.text_of(event) == "training 1,200 of 8,000 rows, loss 0.1 [2J", "nothing of a node moves the cursor"
    assert progress.text_of({"stage": "uploading", "done": 5e6, "unit": "bytes"}) == "uploading 5.0 MB"
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    with progress.meter(None) as quiet:
        quiet(event)
    assert written.getvalue() == "", "nobody looks"
    with progress.meter(True) as line:
        line(event)
        line({"log": "a line"})
    assert "training 1,200" in written.getvalue() and written.getvalue().endswith("\r\x1b[K")
    told: list[Any] = []
    with progress.meter(told.append) as to:
        to(event)
    assert told == [event]


# Notebooks


class Checked(HTMLParser):
    """Checks that tags match, and collects text and tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


EVIL = '<script>alert(1)</script>"\'&<img src=x onerror=alert(1)>'


def test_everything_is_escaped() -> None:
    with FakeNode(10) as fake:
        node = genesis.connect(fake.url)
        d = node.dataset("evil")
        column = {"name": EVIL, "type": EVIL, "unit": EVIL, "role": EVIL}
        d._raw = {
            "version": {"name": EVIL, "digest": EVIL, "state": EVIL},
            "manifest": {"tables": [{"name": EVIL, "rows": 3, "columns": [column] * 70}]},
            "card": {"title": EVIL, "license": EVIL},
            "profile": {"tables": [{"name": EVIL, "columns": [{"name": EVIL, "count": 3, "nulls": 1, "top": [{"value": EVIL, "count": 3}]}]}]},
        }
        m = node.model("evil")
        m._raw = {**d._raw, "report": {"network": EVIL, "dataset": EVIL, "targets": [{"column": {"name": EVIL}, "scores": {"test": {EVIL: {EVIL: 1.0}}}}]}}
        found = genesis.Found(node._wire, [{"name": EVIL, "kind": "dataset", "title": EVIL}])
        run = genesis.Run(node._wire, {"id": EVIL, "kind": EVIL, "subject": EVIL, "state": EVIL, "error": {"message": EVIL}})
        for thing in (d, m, found, run, genesis.Runs([run])):
            checked = Checked(thing._repr_html_())
            assert not checked.tags & {"script", "img"} and "alert(1)" in checked.text
        assert "and 10 more columns" in d._repr_html_()


def test_histograms() -> None:
    assert show.histogram(None) == "" and show.histogram(ColumnProfile("x")) == ""
    drawn = show.histogram(ColumnProfile("x", min=0, max=2, histogram=[Bin(0, 1, 5), Bin(1, 2, 10)]))
    heights = [float(h) for h in re.findall(r'height="([\d.]+)"/>', drawn)]
    assert heights == [show.HEIGHT / 2, show.HEIGHT]
    Checked(drawn)


def test_a_real_dataset_in_a_notebook(node: Served) -> None:
    with genesis.connect(home=node.home) as connected:
        html = connected.dataset("concrete")._repr_html_()
        checked = Checked(html)
        assert html.count("<svg") == len(connected.dataset("concrete").schema)
        assert "MPa" in checked.text and f'genesis.connect(home="{node.home}").dataset("concrete@1").to_pandas()' in checked.text
        assert "concrete" in Checked(connected.list()._repr_html_()).text


# What people give


class Frame(pd.DataFrame):
    """A table of a package that derives its own."""


def test_tables_of_others(node: Served) -> None:
    with genesis.connect(home=node.home) as connected:
        for name, data in (("derived", Frame({"v": range(9)})), ("series", pd.Series(range(9), name="v")), ("polars-series", pl.Series("v", range(9)))):
            assert connected.prepare(data, name, proof=False).to_pandas()["v"].tolist() == list(range(9))


def test_names_of_columns_in_any_form(node: Served) -> None:
    with genesis.connect(home=node.home) as connected:
        d = connected.dataset("concrete")
        two = d.schema.names[:2]
        for given in (pd.Index(two), np.array(two), (n for n in two), tuple(two), dict.fromkeys(two)):
            assert list(d.to_pandas(columns=given).columns) == two  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="names none"):
            d.to_arrow(columns=[])


def test_a_home_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place.resolve(None, None, "~/data", None).home == tmp_path / "data"


def test_entries_with_commas() -> None:
    """The node parts them at commas: Doe and Jane would be two people."""
    with FakeNode(10) as fake, pytest.raises(ValueError, match="creators"):
        genesis.connect(fake.url).dataset("numbers").set_card(creators=["Doe, Jane"])


# Tables


def test_an_index_without_a_name_is_not_left_out_silently() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.to_datetime(["2027-01-01", "2027-01-02"]))
    with pytest.warns(UserWarning, match="left out"):
        files._spooled(frame).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files._spooled(frame.reset_index(drop=True)).close()
        files._spooled(frame.rename_axis("time")).close()


def test_columns_of_several_types_are_named() -> None:
    with pytest.raises(errors.Invalid, match="mixed"):
        files._spooled(pd.DataFrame({"mixed": [1, "two"]}))
