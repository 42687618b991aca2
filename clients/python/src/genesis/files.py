"""Bringing files and tables to a node.

A node on this machine is handed the open file, and reads it where it lies. One
elsewhere gets the bytes by an upload, which goes on where it broke off.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from .errors import Conflict, Error, Internal, Invalid, NotFound, Permission, Unavailable
from .wire import Watch, Wire

__all__ = ["brought", "is_table"]

PART = 1 << 20
TRIES = 10  # while nothing more arrives
PAUSE, MAX_PAUSE = 0.25, 30.0


def is_table(data: Any) -> bool:
    """Report whether data is a table of pandas, polars or pyarrow. Imports none of them."""
    return _maker(data) != ""


def _maker(data: Any) -> str:
    """Return which package's table data is, also by what it is derived from; empty: of none."""
    roots = (c.__module__.partition(".")[0] for c in type(data).__mro__)
    return next((r for r in roots if r in ("pandas", "polars", "pyarrow")), "")


@contextmanager
def brought(wire: Wire, op: str, data: Any, name: str, watch: Watch | None) -> Iterator[tuple[list[dict[str, str]], dict[str, str]]]:
    """Bring a table, a path or a list of paths to the node.

    Yields how to name the files in a request, and the headers that go with it. What was
    uploaded is removed when the request is over.
    """
    with ExitStack() as stack:
        refs: list[dict[str, str]] = []
        headers: dict[str, str] = {}
        for label, file in _opened(op, data, name, stack):
            if wire.home is not None:
                session = wire.home.session()
                headers = {"Genesis-Session": session.id}
                refs.append({"path": label, "token": session.hand_over(file)})
                continue
            upload = _Upload(wire, file, label, watch)
            stack.callback(upload.remove)
            refs.append({"path": label, "token": "upload:" + upload.send()})
        yield refs, headers


def _opened(op: str, data: Any, name: str, stack: ExitStack) -> Iterator[tuple[str, IO[bytes]]]:
    if is_table(data):
        yield name + ".parquet", stack.enter_context(_spooled(data))
        return
    paths = [data] if isinstance(data, (str, os.PathLike)) else list(data)
    if not paths:
        raise ValueError("no file is named")
    for path in paths:
        yield os.fspath(path), stack.enter_context(_open(op, Path(path).expanduser()))


def _open(op: str, path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise NotFound("there is no such file", op=op, subject=str(path)) from None
    except IsADirectoryError:
        raise Invalid("is a folder", op=op, subject=str(path), hint="name the files in it") from None
    except PermissionError:
        raise Permission("you may not read this file", op=op, subject=str(path)) from None


def _spooled(data: Any) -> IO[bytes]:
    """Write a table as Parquet to a file that has no name, so that nothing stays behind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = _maker(data)
    if kind in ("pandas", "polars") and hasattr(data, "to_frame"):
        data = data.to_frame()  # a series; of lazy frames and frames there is no such method
    if kind == "polars":
        table = (data.collect() if hasattr(data, "collect") else data).to_arrow()
    elif kind == "pandas":
        table = _of_pandas(data)
    else:
        table = data.read_all() if hasattr(data, "read_all") else data
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
    file = tempfile.TemporaryFile()
    try:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        file.seek(0)
        return file
    except BaseException:
        file.close()
        raise


def _of_pandas(data: Any) -> Any:
    """Return a frame as Arrow. An index that was named is a column; another is left out, and not silently."""
    import pyarrow as pa

    named = data.index.names != [None]
    if not named and type(data.index).__name__ != "RangeIndex":
        say = "the index of the table has no name and is left out: `data.index.name = ...` makes it a column, `data.reset_index(drop=True)` drops it"
        warnings.warn(say, stacklevel=2)
    try:
        return pa.Table.from_pandas(data, preserve_index=named).replace_schema_metadata()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as e:
        hint = "give each column values of one type, or write a file"
        raise Invalid(f"a column of the table has values of several types: {e}", op="read table", hint=hint) from None


class _Upload:
    """One upload under way (IETF draft *Resumable Uploads for HTTP*)."""

    def __init__(self, wire: Wire, file: IO[bytes], label: str, watch: Watch | None) -> None:
        self._wire = wire
        self._file = file
        self._label = label
        self._watch = watch
        self._size = os.fstat(file.fileno()).st_size
        self._key = uuid.uuid4().hex
        self._id = ""
        self._offset = 0

    def send(self) -> str:
        """Bring all of the file and return the upload's id.

        Raises:
            Error: what refused it, or kept it from arriving ten times in a row.
        """
        tries, before = 0, -1
        while True:
            try:
                return self._try()
            except (Unavailable, Conflict) as e:
                # Conflict: the node has not noticed yet that a connection is gone.
                tries = 1 if self._offset > before else tries + 1
                before = self._offset
                if tries > TRIES:
                    raise
                pause = min(e.retry_after or PAUSE * 2 ** (tries - 1), MAX_PAUSE)
                time.sleep(pause * random.uniform(0.5, 1))

    def _try(self) -> str:
        if not self._id:
            body = {"name": self._label, "size": self._size}
            made = self._wire.post("/v1/uploads", body, headers={"Idempotency-Key": self._key})
            self._id = str(made["id"])
        elif self._is()["complete"]:
            return self._id
        if self._offset < self._size:
            self._patch(self._parts(), {"Content-Length": str(self._size - self._offset)})
        digest = self._digest()
        done = self._patch(b"", {"Upload-Complete": "?1", "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:"})
        if done.get("sha256") != "sha256:" + digest.hex():
            raise Internal("arrived with other bytes than were sent", op="upload", subject=self._label)
        return self._id

    def _is(self) -> dict[str, Any]:
        is_now: dict[str, Any] = self._wire.get(f"/v1/uploads/{self._id}")
        self._offset = int(is_now["offset"])
        return is_now

    def _patch(self, content: Any, headers: dict[str, str]) -> dict[str, Any]:
        is_now: dict[str, Any] = self._wire.ask(
            "PATCH",
            f"/v1/uploads/{self._id}",
            content=content,
            headers={"Content-Type": "application/partial-upload", "Upload-Offset": str(self._offset), **headers},
        )
        self._offset = int(is_now["offset"])
        return is_now

    def _parts(self) -> Iterator[bytes]:
        at = self._offset
        self._file.seek(at)
        while at < self._size:
            part = self._file.read(min(PART, self._size - at))
            if not part:
                raise Invalid("the file became shorter while it was sent", op="upload", subject=self._label)
            at += len(part)
            yield part
            if self._watch is not None:
                self._watch({"stage": "uploading", "done": at, "total": self._size, "unit": "bytes"})

    def _digest(self) -> bytes:
        digest = hashlib.sha256()
        self._file.seek(0)
        while part := self._file.read(PART):
            digest.update(part)
        return digest.digest()

    def remove(self) -> None:
        """Give back the room that the upload takes at the node."""
        if self._id:
            try:
                self._wire.ask("DELETE", f"/v1/uploads/{self._id}")
            except Error:
                pass  # it expires otherwise
