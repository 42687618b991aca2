"""One loader, one task, one process: what loaders.go runs.

    main.py make PEER FOLDER TABLE.csv ROWS
                                           write the first rows as the peer wants them, and say what they add up to
    main.py epoch PEER FOLDER WORKERS      one epoch into a loop that touches each batch
    main.py stretch PEER FOLDER WORKERS FROM TO BATCHES
                                           go on from the state in FROM (-: begin), for so many batches, and save
                                           the state in TO (-: go on to the end)

Each prints one line of JSON.
"""

import importlib
import json
import os
import pickle
import resource
import sys
import time
import warnings
from pathlib import Path

BATCH = 256
SEED = 7


def table(path, rows):
    """Return the features and the target of a CSV of numbers, float32."""
    import numpy as np
    import pyarrow.csv

    columns = pyarrow.csv.read_csv(path).slice(0, rows)
    x = np.stack([columns[n].to_numpy() for n in columns.column_names[:-1]], axis=1).astype("float32")
    return np.ascontiguousarray(x), columns["y"].to_numpy().astype("float32")


def make(peer, folder, path, rows):
    """Write the rows, and return what an epoch over them has to add up to."""
    x, y = table(path, rows)
    folder.mkdir()
    if hasattr(peer, "make"):
        peer.make(folder, x, y)
    return {"version": peer.version(), "rows": len(y), "x": float(x.sum(dtype="f8")), "y": float(y.sum(dtype="f8"))}


def epoch(peer, folder, workers):
    """Run a loop over one epoch. The sums say that it was over the same rows."""
    import torch  # noqa: F401  what every training loop has loaded

    before = peak()
    loader = peer.loader(folder, BATCH, workers, SEED)
    rows, sum_x, sum_y, first = 0, 0.0, 0.0, None
    start = time.perf_counter()
    for item in loader:
        if first is None:
            first = time.perf_counter() - start
        x, y = peer.pair(item)
        rows += len(x)
        sum_x += float(x.sum())
        sum_y += float(y.sum())
    seconds = time.perf_counter() - start
    check(x, y)
    return {"seconds": seconds, "first": first, "rows": rows, "x": sum_x, "y": sum_y, "before": before, "peak": peak()}


def check(x, y):
    import torch

    assert torch.is_tensor(x) and x.dtype == torch.float32 and x.shape[1] == 8, x
    assert torch.is_tensor(y) and y.dtype == torch.float32 and y.numel() == len(x), y


def peak():
    """Return the peak resident memory of this process and of its largest child, in bytes."""
    use = resource.getrusage
    return 1024 * max(use(resource.RUSAGE_SELF).ru_maxrss, use(resource.RUSAGE_CHILDREN).ru_maxrss)


def stretch(peer, folder, workers, begin, end, batches):
    """Return the targets, which are the rows' numbers, in the order they came."""
    loader = peer.loader(folder, BATCH, workers, SEED, resumable=True)
    if begin != "-":
        peer.resume(loader, pickle.loads(Path(begin).read_bytes()))
    seen = []
    for n, item in enumerate(loader, 1):
        seen += [int(v) for v in peer.pair(item)[1].reshape(-1)]
        if n == batches and end != "-":
            Path(end).write_bytes(pickle.dumps(peer.state(loader)))
            break
    return {"numbers": seen}


def main():
    warnings.simplefilter("ignore")
    task, name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    said = os.dup(1)  # what libraries print goes to standard error
    os.dup2(2, 1)
    peer = importlib.import_module(name)
    if task == "make":
        result = make(peer, folder, sys.argv[4], int(sys.argv[5]))
    elif task == "epoch":
        result = epoch(peer, folder, int(sys.argv[4]))
    else:
        result = stretch(peer, folder, int(sys.argv[4]), sys.argv[5], sys.argv[6], int(sys.argv[7]))
    os.write(said, json.dumps(result).encode() + b"\n")


if __name__ == "__main__":
    main()
