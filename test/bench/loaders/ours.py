"""Genesis: a loader of the Python package, over HTTP with a token. FOLDER names the dataset."""

import os

import genesis


def version():
    import pyarrow

    return f"Genesis with pyarrow {pyarrow.__version__}"


def loader(folder, batch, workers, seed, resumable=False):
    node = genesis.connect(os.environ["GENESIS_BENCH_NODE"], os.environ["GENESIS_BENCH_TOKEN"])
    mode = os.environ.get("GENESIS_BENCH_MODE", "full")
    return node.dataset(folder.name).loader(
        ready=True, scale="none", columns=[f"x{i}" for i in range(8)], target=["y"],
        mode=mode, seed=0 if mode == "sequential" else seed, batch_size=batch, num_workers=workers,
    )  # fmt: skip


def pair(item):
    return item


def state(loader):
    return loader.state_dict()


def resume(loader, state):
    loader.load_state_dict(state)
