"""A table by its URL, read by the programs that ``genesis token url`` names.

Every snippet is run as it is printed. A program that is not installed skips its test,
or fails it where GENESIS_TEST_REQUIRE, a list with commas, names it.
"""

import importlib
import importlib.util
import json
import os
import pathlib
import random
import subprocess
import urllib.error
import urllib.request

import pytest

ROWS = 60_000


def needed(service, why):
    """Skip a test for want of a service, or fail it where that is required."""
    if service in [name.strip() for name in os.environ.get("GENESIS_TEST_REQUIRE", "").split(",")]:
        pytest.fail(f"{service} is required by GENESIS_TEST_REQUIRE: {why}")
    pytest.skip(f"{service}: {why}")


def modules(*names):
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as err:
            needed(names[0], str(err))


@pytest.fixture(scope="module")
def rows():
    """The table as Python has it: numbers, gaps, and text that hardly packs."""
    source = random.Random(7)
    return [
        (i, None if i % 10 == 3 else source.randrange(10**6) / 8, source.choice(["north", "söuth"]), source.randbytes(24).hex())
        for i in range(ROWS)
    ]


@pytest.fixture(scope="module")
def link(node, rows, tmp_path_factory):
    """What ``genesis token url --json`` says about the table, as a steward."""
    folder = tmp_path_factory.mktemp("url")
    for name, some in {"by-url": rows, "by-url-other": rows[:10]}.items():
        lines = ["n,x,site,note"] + [f"{n},{'' if x is None else repr(x)},{site},{note}" for n, x, site, note in some]
        raw = folder / f"{name}.csv"
        raw.write_text("\n".join(lines) + "\n", encoding="utf-8")
        node.genesis("prepare", str(raw), "--name", name, "--no-proof")
    before = os.environ.get("GENESIS_TOKEN")
    os.environ["GENESIS_TOKEN"] = node.token
    try:
        return json.loads(node.genesis("--at", node.url, "token", "url", "by-url", "--days", "1", "--json"))
    finally:
        os.environ.pop("GENESIS_TOKEN")
        if before is not None:
            os.environ["GENESIS_TOKEN"] = before


def ask(url, method="GET", **headers):
    """The status, the header fields and the body of an answer."""
    request = urllib.request.Request(url, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.headers, err.read()


def run(snippet):
    """The names that a snippet of Python leaves."""
    names = {}
    exec(snippet, names)  # as the command printed it
    return names


def same(got, want):
    """Compare rows without printing sixty thousand of them."""
    assert len(got) == len(want)
    wrong = [(i, a, b) for i, (a, b) in enumerate(zip(got, want)) if tuple(a) != b]
    assert not wrong[:3]


def test_the_token_is_in_no_url(link):
    assert link["token"] not in link["url"]
    assert link["headers"] == {"Authorization": "Bearer " + link["token"]}
    assert link["scopes"] == ["read:by-url"]
    for line in "\n".join(link["snippets"].values()).splitlines():
        assert f"/{link['token']}" not in line and f"={link['token']}" not in line


def test_pandas(link, rows):
    modules("pandas", "pyarrow", "fsspec", "aiohttp")
    table = run(link["snippets"]["pandas"])["table"]
    table = table.astype(object).where(table.notna(), None)
    same(list(table.itertuples(index=False, name=None)), rows)


def test_polars(link, rows):
    modules("polars", "pyarrow", "fsspec", "aiohttp")
    table = run(link["snippets"]["polars"])["table"]
    same(table.collect().rows(), rows)
    polars = importlib.import_module("polars")
    some = table.filter(polars.col("n") >= ROWS - 2).select("site", "n").collect()
    assert some.rows() == [(row[2], row[0]) for row in rows[-2:]]


def httpfs():
    """DuckDB with its extension, from the network or from the package of that name."""
    modules("duckdb")
    duckdb = importlib.import_module("duckdb")
    connection = duckdb.connect()
    package = importlib.util.find_spec("duckdb_extension_httpfs")
    places = sorted(pathlib.Path(package.origin).parent.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")) if package else []
    for load in [f"LOAD '{place}'" for place in places] + ["INSTALL httpfs; LOAD httpfs"]:
        try:
            connection.execute(load)
            return connection
        except duckdb.Error as err:
            why = str(err).splitlines()[0]
    needed("duckdb-httpfs", why)


def test_duckdb(link, rows):
    connection = httpfs()
    same(connection.execute(link["snippets"]["duckdb"]).fetchall(), rows)
    count = connection.execute(f"SELECT count(*), count(x) FROM read_parquet('{link['url']}') WHERE site = 'söuth'").fetchone()
    assert count == (sum(r[2] == "söuth" for r in rows), sum(r[2] == "söuth" and r[1] is not None for r in rows))


def test_duckdb_by_arrow(link, rows):
    """Without its extension, DuckDB reads what Arrow reads by the same URL."""
    modules("duckdb", "pyarrow", "fsspec", "aiohttp")
    duckdb, fsspec, dataset = (importlib.import_module(name) for name in ("duckdb", "fsspec", "pyarrow.dataset"))
    table = dataset.dataset(link["url"], filesystem=fsspec.filesystem("http", headers=link["headers"]))
    count = duckdb.connect().register("by_url", table).execute("SELECT count(*), sum(n) FROM by_url").fetchone()
    assert count == (ROWS, ROWS * (ROWS - 1) // 2)


def test_curl(link, rows, tmp_path):
    subprocess.run(["sh", "-eu", "-c", link["snippets"]["curl"]], cwd=tmp_path, check=True, timeout=120)
    whole = (tmp_path / "table.parquet").read_bytes()
    assert whole[:4] == whole[-4:] == b"PAR1"
    status, fields, body = ask(link["url"], "HEAD", **link["headers"])
    assert (status, int(fields["Content-Length"]), body) == (200, len(whole), b"")
    assert fields["Accept-Ranges"] == "bytes" and fields["Content-Type"] == "application/vnd.apache.parquet"
    status, fields, body = ask(link["url"], Range="bytes=-8", If_Range=fields["ETag"], **link["headers"])
    assert (status, body, fields["Content-Range"]) == (206, whole[-8:], f"bytes {len(whole) - 8}-{len(whole) - 1}/{len(whole)}")
    assert ask(link["url"], If_None_Match=fields["ETag"], **link["headers"])[0] == 304


def test_the_token_reads_nothing_else(link, node):
    other = link["url"].replace(link["ref"].replace("/", "%2F"), "by-url-other")
    assert other != link["url"]
    assert ask(other, Authorization="Bearer " + node.token)[0] == 200
    assert ask(other, **link["headers"])[0] == 404
    assert ask(link["url"])[0] == 404
    assert ask(link["url"], Authorization="Bearer gen_p_forged")[0] == 401
    assert ask(node.url + "/v1/versions/by-url/export", Authorization=link["headers"]["Authorization"])[0] == 200
    assert ask(node.url + "/v1/accounts", **link["headers"])[0] == 403
