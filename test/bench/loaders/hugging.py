"""Hugging Face datasets: streaming local Parquet through a shuffle buffer."""

import datasets
import pyarrow as pa
import pyarrow.parquet
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

FILES = 8


def version():
    return f"Hugging Face datasets {datasets.__version__}"


def make(folder, x, y):
    step = -(-len(y) // FILES)
    for k in range(FILES):
        part = slice(k * step, (k + 1) * step)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(x[part].reshape(-1)), x.shape[1])
        table = pa.table({"x": vectors, "y": pa.array(y[part])})
        pa.parquet.write_table(table, folder / f"part-{k}.parquet")


def loader(folder, batch, workers, seed, resumable=False):
    files = sorted(str(p) for p in folder.glob("*.parquet"))
    rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    if resumable:
        # The states of batch(), and of workers with fewer files than are read at a time (10), cannot be loaded.
        rows = rows.shuffle(seed=seed, buffer_size=10_000, max_buffer_input_shards=1).with_format("torch")
        return StatefulDataLoader(rows, batch_size=batch, num_workers=workers)
    rows = rows.shuffle(seed=seed, buffer_size=10_000).with_format("torch")
    # Batches made by the library cost a fifth of those that the DataLoader makes of its rows.
    return DataLoader(rows.batch(batch), batch_size=None, num_workers=workers)


def pair(item):
    return item["x"], item["y"]


def state(loader):
    return loader.state_dict()


def resume(loader, state):
    loader.load_state_dict(state)
