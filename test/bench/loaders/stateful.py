"""torchdata's StatefulDataLoader over the same HDF5 file."""

from importlib.metadata import version as installed

import torch
from torchdata.stateful_dataloader import StatefulDataLoader

from hdf5 import Rows, make, pair  # noqa: F401


def version():
    return f"torchdata {installed('torchdata')}"


def loader(folder, batch, workers, seed, resumable=False):
    order = torch.Generator().manual_seed(seed)
    return StatefulDataLoader(
        Rows(folder / "rows.h5"), batch_size=batch, shuffle=True, num_workers=workers, generator=order
    )


def state(loader):
    return loader.state_dict()


def resume(loader, state):
    loader.load_state_dict(state)
