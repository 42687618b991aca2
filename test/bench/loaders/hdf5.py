"""PyTorch's DataLoader over an HDF5 file, one row an item, as it is usually written."""

import h5py
import torch
from torch.utils.data import DataLoader, Dataset


def version():
    return f"PyTorch {torch.__version__.partition('+')[0]} DataLoader, h5py {h5py.__version__}"


def make(folder, x, y):
    with h5py.File(folder / "rows.h5", "w") as f:
        f["x"], f["y"] = x, y


class Rows(Dataset):
    def __init__(self, path):
        self.path, self.file = path, None
        with h5py.File(path) as f:
            self.rows = len(f["y"])

    def __len__(self):
        return self.rows

    def __getitem__(self, i):
        if self.file is None:  # each worker opens its own
            self.file = h5py.File(self.path)
            self.x, self.y = self.file["x"], self.file["y"]
        return torch.from_numpy(self.x[i]), self.y[i]


def loader(folder, batch, workers, seed, resumable=False):
    order = torch.Generator().manual_seed(seed)
    return DataLoader(Rows(folder / "rows.h5"), batch_size=batch, shuffle=True, num_workers=workers, generator=order)


def pair(item):
    return item
