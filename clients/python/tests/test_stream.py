"""Streams against a node that breaks: nothing is lost, repeated, or silently missing."""

from __future__ import annotations

import pickle
import threading
import time

import pytest
from fake import KEY, VERSION, FakeNode, Fault, cut, cut_within, problem, short, unmarked

import genesis
from genesis import stream as stream_module


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "PAUSE", 0.001)
    monkeypatch.setattr(stream_module, "MAX_PAUSE", 0.05)


def numbers(stream: genesis.Stream) -> list[int]:
    return [n for batch in stream for n in batch.column("n").to_pylist()]


def opened(fake: FakeNode, **options: object) -> genesis.Stream:
    return genesis.connect(fake.url).dataset("numbers").stream(batch_size=10, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_whole(prefetch: int) -> None:
    with FakeNode(95) as fake:
        stream = opened(fake, prefetch=prefetch)
        assert numbers(stream) == list(range(95))
        assert stream.position == 95
        assert numbers(stream) == list(range(95)), "the next iteration begins anew"
        assert len(fake.streams()) == 2


FAULTS: list[list[Fault | None]] = [
    [cut(0)],
    [cut(1)],
    [cut(2)],
    [cut(4), cut(3), cut(2)],
    [cut_within(0)],
    [cut_within(1)],
    [cut_within(5, 0.99)],
    [cut_within(5, 0.01)],
    [cut(10)],  # everything but the last batch and the end marker
    [cut(11)],  # everything but the end marker
    [unmarked()],
    [unmarked(3)],
    [unmarked(0)],
    [short(1)],
    [short(9)],
    [problem(503, "unavailable")],
    [problem(429, "unavailable", headers={"Retry-After": "0"}), cut(5), problem(503, "unavailable")],
]


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("faults", FAULTS)
def test_broken_and_resumed(faults: list[Fault | None], prefetch: int) -> None:
    with FakeNode(100, list(faults)) as fake:
        stream = opened(fake, prefetch=prefetch)
        assert numbers(stream) == list(range(100))
        asked = fake.streams()
        # What arrived before a missing end marker was all there was: nothing more is asked for.
        assert len(asked) == len(faults) + 1 or (len(asked) == len(faults) and faults[0] is not None)
        assert all(a["key"] == KEY for a in asked), "resumed by the key"
        paths = [p for p, _, _ in fake.asked if p.endswith("/stream")]
        assert all(VERSION.replace(":", "%3A") in p for p in paths), "pinned by digest"


def test_position_after_break() -> None:
    with FakeNode(100, [cut(4)]) as fake:
        numbers(opened(fake))
        assert [a.get("position", "0") for a in fake.streams()] == ["0", "30"]


@pytest.mark.parametrize("fault", [cut(1), cut_within(1), unmarked(1), short(10), problem(503, "unavailable")])
def test_bounded(fault: Fault) -> None:
    with FakeNode(100) as fake:
        fake.always = fault
        with pytest.raises(genesis.Unavailable):
            numbers(opened(fake))
        assert len(fake.streams()) == stream_module.TRIES + 1


def test_progress_resets_the_bound() -> None:
    with FakeNode(300) as fake:
        fake.always = cut(2)  # one batch a connection
        assert numbers(opened(fake)) == list(range(300))


def test_reason_is_told() -> None:
    with FakeNode(100) as fake:
        fake.faults = [cut(3)]
        fake.reason = {"status": 403, "kind": "permission", "message": "the grant was revoked", "hint": "ask anew"}
        stream = opened(fake)
        got = []
        with pytest.raises(genesis.Permission, match="revoked") as e:
            for batch in stream:
                got += batch.column("n").to_pylist()
        assert e.value.hint == "ask anew"
        assert got == list(range(20)) and stream.position == 20
        assert len(fake.streams()) == 1, "not tried again"


@pytest.mark.parametrize("fault", [cut(11), unmarked()])
def test_reason_of_a_missing_end_marker(fault: Fault) -> None:
    """All rows are here, but the node did not say so: it may have had a reason."""
    with FakeNode(100) as fake:
        fake.faults = [fault]
        fake.reason = {"status": 403, "kind": "permission", "message": "the grant was revoked"}
        with pytest.raises(genesis.Permission, match="revoked"):
            numbers(opened(fake))


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [(404, "not-found", genesis.NotFound), (403, "permission", genesis.Permission), (410, "gone", genesis.Gone), (422, "invalid", genesis.Invalid), (500, "internal", genesis.Internal)],
)
def test_refused(status: int, kind: str, error: type[genesis.Error]) -> None:
    with FakeNode(100, [problem(status, kind, "because")]) as fake:
        with pytest.raises(error, match="because") as e:
            numbers(opened(fake))
        assert (e.value.kind, e.value.hint, e.value.request) == (kind, "a hint", "r1")
        assert len(fake.streams()) == 1


def test_empty_batches_are_passed_over_and_counted() -> None:
    with FakeNode(100) as fake:
        fake.keep = lambda n: n in (5, 77)
        stream = opened(fake)
        seen = [(b.column("n").to_pylist(), stream.position) for b in stream]
        assert seen == [([5], 10), ([77], 80)]
        assert stream.position == 100


def test_state() -> None:
    with FakeNode(100) as fake:
        stream = opened(fake)
        for batch in stream:
            if batch.column("n")[0].as_py() == 40:
                state = stream.state_dict()
                break
        assert state["position"] == 50 and state["version"] == f"numbers@{VERSION}" and state["key"] == KEY
        other = genesis.connect(fake.url).dataset("numbers").stream(batch_size=7)
        other.load_state_dict(state)
        assert other.position == 50
        assert numbers(other) == list(range(50, 100))
        assert numbers(other) == list(range(100)), "the next iteration begins anew"


def test_state_of_another_order() -> None:
    with FakeNode(100) as fake:
        state = opened(fake).state_dict()
        fake.key = "ee" * 32
        stream = opened(fake)
        stream.load_state_dict(state)
        with pytest.raises(genesis.Conflict):
            numbers(stream)
        for changed in ({"format": 2}, {"version": f"letters@{VERSION}"}, {"mode": "full"}):
            with pytest.raises(genesis.Invalid):
                opened(fake).load_state_dict({**state, **changed})
        with pytest.raises(genesis.Invalid):
            opened(fake, mode="full", seed=2).load_state_dict({**state, "mode": "full", "seed": 3})


def test_shards_take_turns() -> None:
    with FakeNode(95, [None, cut(2), cut(3)]) as fake:
        stream = opened(fake)
        for position in (0, 13, 94, 95):
            shards = [list(stream.pieces(position, i, 3)) for i in range(3)]
            got = []
            for k in range(sum(map(len, shards))):
                piece = shards[k % 3][k // 3]
                assert piece.position == position + 10 * k
                got += piece.batch.column("n").to_pylist()
            assert got == list(range(position, 95))


def test_a_node_that_sends_other_batches() -> None:
    with FakeNode(100) as fake:
        fake.always = lambda h, m: ([m[0], m[2], *m[2:]], True)
        with pytest.raises(genesis.Unavailable, match="in place of"):
            numbers(opened(fake))


def test_rubbish() -> None:
    with FakeNode(100) as fake:
        fake.always = lambda h, m: ([b"rubbish" * 100], True)
        with pytest.raises(genesis.Unavailable):
            numbers(opened(fake))


def test_left_early(no_leaks) -> None:  # type: ignore[no-untyped-def]
    with FakeNode(2_000) as fake:
        node = genesis.connect(fake.url)
        stream = node.dataset("numbers").stream(batch_size=10)
        stream.state_dict()
        with no_leaks():
            for _ in range(20):
                for batch in stream:
                    break
            del batch
            iterator = iter(stream)
            next(iterator)
            del iterator
            node.close()


def test_stops_while_the_node_is_silent(no_leaks) -> None:  # type: ignore[no-untyped-def]
    """Leaving does not wait for a node that sends nothing."""
    release = threading.Event()

    def stall(h, messages):  # type: ignore[no-untyped-def]
        h.send_response(200)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        for m in messages[:2]:
            h.wfile.write(b"%x\r\n" % len(m) + m + b"\r\n")
        h.wfile.flush()
        release.wait(30)
        h.close_connection = True

    with FakeNode(100, [stall]) as fake:
        node = genesis.connect(fake.url)
        stream = node.dataset("numbers").stream(batch_size=10)
        iterator = iter(stream)
        next(iterator)
        began = time.monotonic()
        iterator.close()  # type: ignore[attr-defined]
        assert time.monotonic() - began < 5
        release.set()
        node.close()


def test_pickled() -> None:
    with FakeNode(100) as fake:
        stream = opened(fake)
        for _ in stream:
            if stream.position == 30:
                break
        copy = pickle.loads(pickle.dumps(stream))
        assert numbers(copy) == list(range(30, 100))


def test_reader() -> None:
    with FakeNode(100) as fake:
        assert opened(fake).reader().read_all().num_rows == 100
        fake.keep = lambda n: False
        table = opened(fake).read_all()
        assert table.num_rows == 0 and table.column_names == ["n"]


def test_consumed() -> None:
    with FakeNode(20) as fake:
        stream = opened(fake)
        assert stream.consumed() == {}
        next(iter(stream))
        assert stream.consumed() == {"epochs": "0", "positions": "0-9"}
        for epoch in (1, 2, 5):
            stream.set_epoch(epoch)
            numbers(stream)
        assert stream.consumed() == {"epochs": "0-2, 5"}


def test_arguments() -> None:
    with FakeNode(10) as fake:
        dataset = genesis.connect(fake.url).dataset("numbers")
        with pytest.raises(TypeError):
            dataset.stream(columns="n")
        with pytest.raises(ValueError):
            dataset.stream(batch_size=0)
        with pytest.raises(ValueError):
            dataset.stream(position=-1)
        with pytest.raises(ValueError):
            genesis.connect(fake.url).dataset("")
        dataset.stream(columns=["a", "b"], filter='x > 1 && y == "ä"').consumed()
