"""WebDataset: tar shards of one .npy a row, through a shuffle buffer."""

import numpy as np
import webdataset


def version():
    return f"WebDataset {webdataset.__version__}"


SHARDS = 8


def make(folder, x, y):
    step = -(-len(y) // SHARDS)
    with webdataset.ShardWriter(str(folder / "rows-%04d.tar"), maxcount=step, verbose=0) as out:
        for i, (features, target) in enumerate(zip(x, y, strict=True)):
            out.write({"__key__": f"{i:08}", "row.npy": np.append(features, target)})


def loader(folder, batch, workers, seed, resumable=False):
    shards = sorted(str(p) for p in folder.glob("*.tar"))
    rows = webdataset.WebDataset(shards, shardshuffle=len(shards), seed=seed)
    rows = rows.shuffle(10_000).decode().to_tuple("row.npy").batched(batch)
    return webdataset.WebLoader(rows, batch_size=None, num_workers=workers)


def pair(item):
    return item[0][:, :-1], item[0][:, -1]
