"""Loaders with real PyTorch: whatever stops and whatever changes, the sequence is the same."""

from __future__ import annotations

import json
import os
import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import Served
from fake import VERSION, FakeNode, cut, problem

import genesis
from genesis import reader as reader_module

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader  # noqa: E402

from genesis.loader import GROUP_ROWS, Loader, TorchDataset  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture(params=["socket", "http"])
def dataset(node: Served, request: pytest.FixtureRequest) -> Iterator[genesis.Dataset]:
    where: dict[str, Any] = {"home": node.home} if request.param == "socket" else {"node": node.url, "token": node.token}
    with genesis.connect(**where) as connected:
        yield connected.dataset("solar-greensboro")


@pytest.fixture
def local(node: Served) -> Iterator[genesis.Dataset]:
    with genesis.connect(home=node.home) as connected:
        yield connected.dataset("solar-greensboro")


def rows(batch: dict[str, Any]) -> list[tuple[Any, ...]]:
    columns = [v.tolist() if torch.is_tensor(v) else v for v in batch.values()]
    return [tuple(map(repr, r)) for r in zip(*columns, strict=True)]


def whole(dataset: genesis.Dataset, **options: Any) -> list[tuple[Any, ...]]:
    """The sequence by one uninterrupted stream."""
    return [r for batch in dataset.torch(**options) for r in rows(batch)]


def numeric(dataset: genesis.Dataset) -> str:
    return next(c.name for c in dataset.schema if c.type == "float" and c.role == "feature")


@pytest.mark.parametrize("seed", range(4))
def test_the_same_sequence_however_it_is_stopped(dataset: genesis.Dataset, seed: int) -> None:
    """Random stops, from 1 to 2 to 7 to 3 workers, with other batch sizes, by filters that
    leave little: the loop sees what one stream sends, each row once and in order."""
    chance = random.Random(seed)
    column = numeric(dataset)
    profile = dataset.profile[column]
    assert profile.min is not None and profile.max is not None
    share = chance.choice([None, 0.3, 0.9, 0.999])
    options: dict[str, Any] = {
        "split": "train",
        "mode": chance.choice(["full", "block", "sequential"]),
        "seed": chance.randrange(2**63),
        "filter": None if share is None else f"{column} > {profile.min + share * (profile.max - profile.min)!r}",
    }
    want = whole(dataset, **options, batch_size=1000)
    got: list[tuple[Any, ...]] = []
    state = None
    for workers in (1, 2, 7, 3, chance.choice([0, 1])):
        size = chance.choice([50, 97, 256])
        loader = dataset.loader(**options, batch_size=size, num_workers=workers)
        if state is not None:
            loader.load_state_dict(state)
        stop = chance.randrange(0, 12)
        ended = True
        for k, batch in enumerate(loader):
            got += rows(batch)
            state = json.loads(json.dumps(loader.state_dict()))
            if k == stop and workers != 3 and loader.position < loader.plan.rows:
                ended = False
                break
        if ended:
            break
    assert ended
    assert got == want
    assert loader.position == loader.plan.rows


def test_state_counts_what_was_consumed(local: genesis.Dataset) -> None:
    loader = local.loader("test", ready=True, batch_size=10, num_workers=2, loader={"prefetch_factor": 8})
    assert loader.state_dict()["position"] == 0
    for k, _ in enumerate(loader):
        assert loader.state_dict()["position"] == 10 * (k + 1), "not what workers fetched ahead"
        if k == 4:
            break
    state = loader.state_dict()
    again = [loader.position for _ in loader]
    assert again[0] == 10, "without a state, an iteration begins anew"
    loader.load_state_dict(state)
    assert [loader.position for _ in loader][0] == 60
    assert [loader.position for _ in loader][0] == 10, "a state is for one iteration"


def test_epochs(local: genesis.Dataset) -> None:
    loader = local.loader("train", ready=True, batch_size=1000, seed=1, num_workers=2)
    first = torch.cat([x for x, _ in loader])
    same = torch.cat([x for x, _ in loader])
    loader.set_epoch(1)
    state = loader.state_dict()
    other = torch.cat([x for x, _ in loader])
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert first.sort(0).values.allclose(other.sort(0).values)
    fresh = local.loader("train", ready=True, batch_size=500, seed=1)
    fresh.load_state_dict(state)
    assert torch.equal(torch.cat([x for x, _ in fresh]), other)
    assert len(loader) == sum(1 for _ in loader)


def test_the_loop_that_saved_a_state_goes_on_from_it(local: genesis.Dataset) -> None:
    """set_epoch of the state's epoch keeps its position, once."""
    options: dict[str, Any] = {"split": "train", "batch_size": 1000, "seed": 1}
    want = whole(local, mode="full", epoch=2, **options)
    for make in (local.loader, local.torch, local.numpy):
        first: Any = make(**options)
        first.set_epoch(2)
        for _ in first:
            state = first.state_dict() if not isinstance(first, TorchDataset) else first.stream.state_dict() | {"position": 1000}
            break
        state.update(shard=0, shards=1, at=1000)
        again: Any = make(**options)
        again.load_state_dict(state)
        again.set_epoch(2)
        rest = list(again)
        assert sum(len(next(iter(b.values()))) for b in rest) == len(want) - 1000
        if make != local.numpy:
            assert [r for b in rest for r in rows(b)] == want[1000:]
        again.set_epoch(2)
        assert len(list(again)) == len(rest) + 1, "a state is for one iteration"
        again.load_state_dict(state)
        again.set_epoch(3)
        assert len(list(again)) == len(rest) + 1, "another epoch begins at its first row"


@pytest.mark.parametrize("workers", [1, 2])
def test_small_batches_cross_in_groups(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To pass a message from a worker to the loop costs as much as some hundred small batches."""
    crossed = 0
    real = Loader._next

    def counting(self: Loader, items: Any, *rest: Any) -> Any:
        def told() -> Iterator[Any]:
            nonlocal crossed
            for item in items:
                crossed += 1
                yield item

        return real(self, told(), *rest)

    monkeypatch.setattr(Loader, "_next", counting)
    with FakeNode(40_000) as fake:
        loader = genesis.connect(fake.url).dataset("numbers").loader(batch_size=10, mode="sequential", num_workers=workers)
        assert [b["n"].tolist() for b in loader] == [list(range(n, n + 10)) for n in range(0, 40_000, 10)]
    assert crossed == workers * -(-40_000 // workers // GROUP_ROWS), "4,000 batches"


def worlds(dataset: genesis.Dataset, world: int, workers: int, state: Any, **options: Any) -> list[Any]:
    loaders = [dataset.loader(**options, rank=r, world=world, num_workers=workers) for r in range(world)]
    for loader in loaders:
        if state is not None:
            loader.load_state_dict(state)
    return loaders


@pytest.mark.parametrize("filtered", [False, True])
def test_worlds_of_any_size_continue(local: genesis.Dataset, filtered: bool) -> None:
    """Ranks in step, r getting batches r, r+w, …; stopped at a barrier, and resumed by another world."""
    column = numeric(local)
    options: dict[str, Any] = {"split": "train", "mode": "full", "seed": 9}
    if filtered:
        p = local.profile[column]
        assert p.min is not None and p.max is not None
        options["filter"] = f"{column} > {p.min + 0.85 * (p.max - p.min)!r}"
    want = whole(local, **options)
    got: list[tuple[Any, ...]] = []
    state = None
    for world, workers, steps in ((2, 2, 3), (3, 0, 2), (1, 2, 4), (4, 1, 10**6)):
        loaders = worlds(local, world, workers, state, **options, batch_size=128)
        if world == 1:
            loaders[0].keep_empty = True
        iterators = [iter(x) for x in loaders]
        for _ in range(steps):
            batches = [next(i, None) for i in iterators]
            for batch in batches:
                if batch is not None:
                    got += rows(batch)
            if None in batches:
                for i in iterators:
                    assert next(i, None) is None
                break
            states = [x.state_dict() for x in loaders]
            assert all(s == states[0] for s in states), "one state for all ranks"
            state = states[0]
        for i in iterators:
            i.close()
    assert got == want


def test_drop_last_keeps_ranks_even(local: genesis.Dataset) -> None:
    loaders = worlds(local, 3, 0, None, split="train", batch_size=100, drop_last=True)
    counts = [[len(b[numeric(local)]) for b in x] for x in loaders]
    assert len({len(c) for c in counts}) == 1 and set(sum(counts, [])) == {100}
    assert [len(x) for x in loaders] == [len(c) for c in counts]
    uneven = worlds(local, 3, 0, None, split="train", batch_size=100)
    assert [len(x) for x in uneven] == [sum(1 for _ in x) for x in uneven]


def test_ready_rows(node: Served) -> None:
    with genesis.connect(home=node.home) as connected:
        d = connected.dataset("tumours")
        loader = d.loader("train", ready=True, batch_size=64, mask=True, num_workers=1)
        x, y, missing = next(iter(loader))
        plan = loader.plan
        assert x.dtype == torch.float32 and x.shape == (64, sum(f.width for f in plan.features))
        assert y.dtype == torch.int64 and y.shape == (64,), "classes, as cross_entropy takes them"
        assert set(y.tolist()) <= set(range(len(plan.targets[0].words)))
        assert missing.dtype == torch.bool and missing.shape == (64, len(plan.features))
        d = connected.dataset("concrete")
        every = torch.cat([x for x, _ in d.loader("train", ready=True)])
        assert every.mean(0).abs().max() < 1e-3 and (every.std(0) - 1).abs().max() < 1e-2
        x, y = next(iter(d.numpy("train", ready=True, batch_size=10)))
        assert x.shape == (10, 8) and y.shape == (10, 1) and str(x.dtype) == "float32"


def test_columns(node: Served) -> None:
    with genesis.connect(home=node.home) as connected:
        d = connected.dataset("seattle-weather")
        batch = next(iter(d.torch("train", batch_size=20)))
        frame = d.stream("train", mode="full", batch_size=20).read_all().to_pandas()[:20]
        for c in d.schema:
            assert len(batch[c.name]) == 20
            if c.type == "float":
                assert batch[c.name].dtype == torch.float64
                assert batch[c.name].tolist() == frame[c.name].tolist()
            if c.type == "categorical":
                assert batch[c.name] == frame[c.name].tolist()
            if c.type == "date":
                assert batch[c.name].dtype == torch.int32
        codes = next(iter(d.torch("train", batch_size=20, form="dictionary")))
        assert all(codes[c.name].dtype == torch.int32 for c in d.schema if c.type == "categorical")


def test_writable_and_without_a_copy(local: genesis.Dataset) -> None:
    from genesis.arrays import Columns

    batch = next(iter(local.stream("train", batch_size=100)))
    column = numeric(local)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = Columns("torch")(batch)[column]
    assert tensor.data_ptr() == batch.column(column).buffers()[1].address
    tensor += 1


def test_plain_dataloader(local: genesis.Dataset) -> None:
    want = whole(local, split="train", mode="full", batch_size=100)
    got = [r for b in DataLoader(local.torch("train", batch_size=100), batch_size=None, num_workers=3) for r in rows(b)]
    assert got == want


@pytest.mark.parametrize("workers", [0, 2])
def test_stateful_dataloader(local: genesis.Dataset, workers: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader").StatefulDataLoader
    want = whole(local, split="train", mode="full", batch_size=200)
    loader = stateful(local.torch("train", batch_size=200), batch_size=None, num_workers=workers)
    got = []
    for k, batch in enumerate(loader):
        got += rows(batch)
        if k == 6:
            state = loader.state_dict()
            break
    again = stateful(local.torch("train", batch_size=200), batch_size=None, num_workers=workers)
    again.load_state_dict(state)
    for batch in again:
        got += rows(batch)
    assert got == want
    assert [r for b in again for r in rows(b)] == want, "the next epoch begins at its first row"


def test_stateful_state_of_another_number_of_workers(local: genesis.Dataset) -> None:
    d = local.torch("train")
    state = {**d.state_dict(), "shard": 1, "shards": 2}
    with pytest.raises(genesis.Invalid, match="shard 1 of 2") as e:
        d.load_state_dict(state)
    assert "loader" in e.value.hint


def test_workers_tell_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "PAUSE", 0.001)
    with FakeNode(1000) as fake:
        loader = genesis.connect(fake.url).dataset("numbers").loader(batch_size=10, mode="sequential", num_workers=2)
        fake.always = cut(3)
        assert [n for b in loader for n in b["n"].tolist()] == list(range(1000)), "workers resume"
        fake.always = problem(403, "permission", "the grant ended")
        with pytest.raises(genesis.Permission) as e:
            list(loader)
        said = (e.value.message, e.value.hint, e.value.kind, e.value.request, str(e.value))
        assert said == ("the grant ended", "a hint", "permission", "r1", "the grant ended\nhint: a hint")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_right_that_ends(workers: int) -> None:
    """The error says that it ended, and where, with as many workers as one likes."""
    with FakeNode(1000) as fake:
        fake.always = cut(3)
        fake.reason = {"status": 403, "kind": "permission", "message": "the grant was revoked", "hint": "ask anew", "op": "read", "subject": "numbers"}
        d = genesis.connect(fake.url).dataset("numbers")
        with pytest.raises(genesis.Permission) as e:
            list(d.loader(batch_size=10, num_workers=workers))
        at = 20 if workers == 0 else 40  # batches 0 and 2 of worker 0
        text = f"your right to read numbers@{VERSION} ended while it was streamed, at position {at}: the grant was revoked"
        assert (e.value.message, e.value.hint, e.value.kind) == (text, "ask anew", "permission")
        with pytest.raises(genesis.Permission) as e:
            list(DataLoader(d.torch(batch_size=10), batch_size=None, num_workers=workers))
        assert str(e.value) == f'read "numbers": {text}\nhint: ask anew' and "Traceback" not in e.value.message
        assert (e.value.hint, e.value.kind) == ("ask anew", "permission")


@pytest.mark.parametrize("kind", [genesis.NotFound, genesis.Gone])
def test_a_dataset_that_goes(kind: type[genesis.Error], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom a dataset is hidden from is told nothing of it when the stream is opened again."""
    monkeypatch.setattr(reader_module, "PAUSE", 0.001)
    with FakeNode(100, [cut(3), problem(404 if kind is genesis.NotFound else 410, kind.kind, "is not here")]) as fake:
        with pytest.raises(kind, match="stream.* position 20: is not here"):
            list(genesis.connect(fake.url).dataset("numbers").stream(batch_size=10))


def test_shuffle(local: genesis.Dataset) -> None:
    for wrong in (lambda: local.loader("train", shuffle=True), lambda: local.numpy("train", shuffle=True), lambda: local.loader("train", loader={"shuffle": True})):
        with pytest.raises((TypeError, ValueError), match='mode="full" is the shuffle'):
            wrong()


def test_positions_behind_the_end(local: genesis.Dataset) -> None:
    rows = local.stream("train").plan.rows
    for workers in (0, 1):
        with pytest.raises(genesis.Invalid, match=f"position is 1000000; the order has {rows} rows"):
            list(local.loader("train", position=10**6, num_workers=workers))
    assert list(local.loader("train", position=rows)) == [], "the end is a position"


def test_a_state_of_the_end(local: genesis.Dataset) -> None:
    ended = local.torch("train", batch_size=100, rank=1, world=3)
    list(ended)
    again = local.torch("train", batch_size=100, rank=1, world=3)
    again.load_state_dict(ended.state_dict())
    assert ended.state_dict()["at"] > ended.stream.plan.rows and list(again) == []
    assert len(list(again)) > 1, "a state is for one iteration"


def test_length_of_arrays(local: genesis.Dataset) -> None:
    d = local.numpy("train", batch_size=100)
    assert len(d) == sum(1 for _ in d) > 10
    some = local.numpy("train", filter="dry_bulb > 20.0")
    with pytest.raises(TypeError):
        len(some)
    assert some, "it can be asked whether there is one"


def test_nothing_is_left(node: Served, no_leaks) -> None:  # type: ignore[no-untyped-def]
    with genesis.connect(home=node.home) as connected:
        d = connected.dataset("solar-greensboro")
        list(d.loader("train", batch_size=2000, num_workers=2))  # what torch itself starts once
        with no_leaks():
            for workers in (0, 2):
                for batch in d.loader("train", batch_size=50, num_workers=workers):
                    break
            del batch


def test_spawned_workers(local: genesis.Dataset) -> None:
    loader = local.loader("train", batch_size=1000, num_workers=1, loader={"multiprocessing_context": "spawn"})
    want = whole(local, split="train", mode="full")
    assert [r for b in loader for r in rows(b)] == want


def test_arguments(local: genesis.Dataset) -> None:
    for option in ({"shuffle": True}, {"batch_size": 3}, {"persistent_workers": True}, {"in_order": False}):
        with pytest.raises(ValueError):
            local.loader("train", loader=option)
    with pytest.raises(ValueError):
        local.loader("train", rank=2, world=2)
    with pytest.raises(ValueError, match="go together"):
        local.loader("train", rank=1)
    with pytest.raises(TypeError):
        len(local.loader("train", filter="dry_bulb > 20.0"))


def _rank(rank: int, home: str, store: str, queue: Any) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    with genesis.connect(home=home) as connected:
        loader = connected.dataset("concrete").loader("train", ready=True, batch_size=50, drop_last=True)
        total = torch.zeros(1)
        for x, _ in loader:
            part = x.sum().reshape(1)
            torch.distributed.all_reduce(part)
            total += part
        queue.put((rank, float(total), loader.position, loader.plan.rows))
    torch.distributed.destroy_process_group()


def test_torch_distributed(node: Served, tmp_path: Any) -> None:
    """Rank and world come from torch.distributed, and ranks stay in step."""
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    ranks = [context.Process(target=_rank, args=(r, str(node.home), str(tmp_path / "store"), queue)) for r in range(2)]
    for p in ranks:
        p.start()
    for p in ranks:
        p.join(120)
        assert p.exitcode == 0
    (a, total, *end), (b, other, *_) = queue.get(), queue.get()
    assert {a, b} == {0, 1} and total == other and end[0] == end[1]
    with genesis.connect(home=node.home) as connected:
        plain = connected.dataset("concrete").loader("train", ready=True, batch_size=100, drop_last=True)
        assert total == pytest.approx(sum(float(x.sum()) for x, _ in plain), abs=1e-2)


def test_one_type_a_column(local: genesis.Dataset) -> None:
    """Whether a batch happens to miss a value does not change the type of a column."""
    types: dict[str, set[Any]] = {}
    for batch in local.torch("train", batch_size=7):
        for name, values in batch.items():
            types.setdefault(name, set()).add(values.dtype if torch.is_tensor(values) else list)
    assert all(len(t) == 1 for t in types.values())
    gaps = [c for c in local.schema if c.type == "integer" and local.profile[c.name].nulls]
    assert gaps and all(types[c.name] == {torch.float64} for c in gaps)
    assert {torch.int64} in types.values()


def test_jax_has_what_numpy_has(node: Served) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("jax")
    import jax.numpy as jnp

    with genesis.connect(node.url, node.token) as connected:
        d = connected.dataset("concrete")
        pairs = zip(d.jax("train", ready=True, seed=3, batch_size=100), d.numpy("train", ready=True, seed=3, batch_size=100), strict=True)
        count = 0
        for (jx, jy), (nx, ny) in pairs:
            assert isinstance(jx, jnp.ndarray) and jx.dtype == jnp.float32
            np.testing.assert_array_equal(np.asarray(jx), nx)
            np.testing.assert_array_equal(np.asarray(jy), ny)
            count += len(nx)
        assert count == d.splits["random"].counts["train"]
