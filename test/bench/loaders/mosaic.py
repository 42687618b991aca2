"""MosaicML streaming: MDS shards, shuffled by its default algorithm."""

from importlib.metadata import version as installed

from streaming import MDSWriter, StreamingDataLoader, StreamingDataset


def version():
    return f"MosaicML streaming {installed('mosaicml-streaming')}"


def make(folder, x, y):
    with MDSWriter(out=str(folder / "mds"), columns={"x": "ndarray:float32:8", "y": "float32"}) as out:
        for features, target in zip(x, y, strict=True):
            out.write({"x": features, "y": target})


def loader(folder, batch, workers, seed, resumable=False):
    rows = StreamingDataset(local=str(folder / "mds"), shuffle=True, shuffle_seed=seed, batch_size=batch)
    return StreamingDataLoader(rows, batch_size=batch, num_workers=workers)


def pair(item):
    return item["x"], item["y"]


def state(loader):
    return loader.state_dict()


def resume(loader, state):
    loader.load_state_dict(state)
