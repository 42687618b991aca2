"""Arrow Flight with pyarrow's own client: what a program without the package sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

flight = pytest.importorskip("pyarrow.flight")

NAME = "concrete"


@pytest.fixture
def client(node: Any) -> Any:
    with flight.connect("grpc+tcp://" + urlsplit(node.url).netloc) as connected:
        yield connected


def options(node: Any, token: str | None = None, **headers: str) -> Any:
    """What goes with each call: the token, and other headers."""
    sent = {"authorization": "Bearer " + (token or node.token), **{k.replace("_", "-"): v for k, v in headers.items()}}
    return flight.FlightCallOptions(headers=[(k.encode(), v.encode()) for k, v in sent.items()], timeout=60)


def ticket(**request: Any) -> Any:
    return flight.Ticket(json.dumps({"dataset": NAME, **request}))


def stored(node: Any, tmp_path: Path) -> pa.Table:
    """The table as it is exported."""
    path = tmp_path / "table.parquet"
    node.genesis("export", NAME, "--out", str(path))
    return pq.read_table(path)


def test_reads_the_table(node: Any, client: Any, tmp_path: Path) -> None:
    got = client.do_get(ticket(), options(node)).read_all()
    want = stored(node, tmp_path)
    assert got.num_rows > 900
    assert got.column_names == want.column_names
    assert got.to_pydict() == want.to_pydict()
    plan = json.loads(got.schema.metadata[b"genesis.stream"])
    assert plan["name"] == NAME and plan["rows"] == got.num_rows


def test_shuffled_rows_are_the_same_rows(node: Any, client: Any, tmp_path: Path) -> None:
    got = client.do_get(ticket(mode="full", seed=7), options(node)).read_all()
    again = client.do_get(ticket(mode="full", seed=7), options(node)).read_all()
    other = client.do_get(ticket(mode="full", seed=8), options(node)).read_all()
    assert got.to_pydict() == again.to_pydict() != other.to_pydict()
    order = [(name, "ascending") for name in got.column_names]
    assert got.sort_by(order).to_pydict() == stored(node, tmp_path).sort_by(order).to_pydict()


def test_batches_say_where_to_go_on(node: Any, client: Any) -> None:
    asked: dict[str, Any] = {"mode": "full", "seed": 3, "batch": 100}
    reader = client.do_get(ticket(**asked), options(node))
    first = [reader.read_chunk() for _ in range(3)]
    said = [json.loads(chunk.app_metadata.to_pybytes()) for chunk in first]
    assert said == [{"position": 100 * k, "next": 100 * k + 100} for k in range(3)]
    reader.cancel()
    rest = client.do_get(ticket(position=said[-1]["next"], **asked), options(node)).read_all()
    whole = client.do_get(ticket(**asked), options(node)).read_all()
    assert pa.Table.from_batches([chunk.data for chunk in first]).to_pylist() + rest.to_pylist() == whole.to_pylist()


def test_flights_are_listed_and_described(node: Any, client: Any) -> None:
    listed = {info.descriptor.path[0].decode() for info in client.list_flights(options=options(node))}
    assert NAME in listed
    assert NAME in {i.descriptor.path[0].decode() for i in client.list_flights(NAME.encode(), options(node))}
    info = client.get_flight_info(flight.FlightDescriptor.for_path(NAME), options(node))
    read = client.do_get(info.endpoints[0].ticket, options(node)).read_all()
    assert info.total_records == read.num_rows
    assert info.schema.equals(read.schema)
    assert client.get_schema(flight.FlightDescriptor.for_path(NAME), options(node)).schema.equals(read.schema)


def test_shards_are_the_parts(node: Any, client: Any) -> None:
    command = json.dumps({"dataset": NAME, "mode": "block", "seed": 1, "shards": 3, "batch": 64})
    info = client.get_flight_info(flight.FlightDescriptor.for_command(command), options(node))
    assert len(info.endpoints) == 3
    rows: list[Any] = []
    for endpoint in info.endpoints:
        rows += client.do_get(endpoint.ticket, options(node)).read_all().to_pylist()
    whole = client.do_get(ticket(), options(node)).read_all().to_pylist()
    assert sorted(map(repr, rows)) == sorted(map(repr, whole))


def test_forms_and_filters(node: Any, client: Any) -> None:
    (answer,) = client.do_action(flight.Action("warm", ticket(**{"as": "rows", "split": "train"}).ticket), options(node))
    plan = json.loads(answer.body.to_pybytes())
    rows = client.do_get(ticket(**{"as": "rows", "split": "train"}), options(node)).read_all()
    assert plan["cached"] and rows.num_rows == plan["rows"]
    assert rows.schema.field("features").type.list_size == sum(f["width"] for f in plan["features"])
    column = client.do_get(ticket(), options(node)).read_all().schema.names[0]
    one = client.do_get(ticket(columns=[column], filter="false"), options(node)).read_all()
    assert one.column_names == [column] and one.num_rows == 0


@pytest.mark.parametrize(
    ("asked", "kind", "says"),
    [
        ({"dataset": "nothing"}, KeyError, "nothing"),
        ({"columns": ["none"]}, KeyError, "none"),
        ({"filter": "none > 3"}, pa.ArrowInvalid, "none"),
        ({"position": 1 << 40}, pa.ArrowInvalid, "position"),
        ({"mode": "sideways"}, pa.ArrowInvalid, "the modes are sequential, block and full"),
        ({"sead": 7}, pa.ArrowInvalid, "is the request as JSON"),
    ],
)
def test_refusals_say_why(node: Any, client: Any, asked: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind) as caught:
        client.do_get(ticket(**asked), options(node)).read_all()
    assert says in str(caught.value)


def test_a_wrong_token_is_refused(node: Any, client: Any) -> None:
    with pytest.raises(flight.FlightUnauthenticatedError):
        client.do_get(ticket(), options(node, token="gen_p_forged")).read_all()


def test_what_one_may_not_know_of_is_not_there(node: Any, client: Any) -> None:
    drafts = [n for n in ("solar-greensboro", "tumours") if n in node.genesis("list")]
    for name in drafts:
        with pytest.raises(KeyError):  # a draft of somebody else is not there for who has no token
            client.do_get(flight.Ticket(json.dumps({"dataset": name}))).read_all()


def test_nothing_is_written(node: Any, client: Any) -> None:
    schema = pa.schema([("a", pa.int64())])
    with pytest.raises(pa.ArrowNotImplementedError, match="nothing is written over Flight"):
        writer, _ = client.do_put(flight.FlightDescriptor.for_path("mine"), schema, options(node))
        writer.close()


def test_over_the_socket_of_the_home(node: Any) -> None:
    sockets = json.loads((Path(node.home) / "lock").read_text())["sockets"]
    with flight.connect(f"grpc+unix://{sockets}/api.sock") as client:
        assert client.do_get(ticket()).read_all().num_rows > 900
