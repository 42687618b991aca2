"""Reading ahead: one thread fetches while the loop computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead(Generic[T]):
    """Iterates over what a thread takes from a source, at most *depth* items ahead.

    An exception of the source is raised where the item would have come. ``close`` ends
    thread and source; *interrupt* must make an item that the source waits for fail.
    """

    def __init__(self, source: Iterator[T], depth: int, interrupt: Callable[[], None]) -> None:
        self._source = source
        self._depth = depth
        self._interrupt = interrupt
        self._ready: deque[T] = deque()
        self._change = threading.Condition()
        self._ended = False  # the source is
        self._closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="genesis-stream", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                with self._change:
                    while len(self._ready) >= self._depth and not self._closed:
                        self._change.wait()
                    if self._closed:
                        break
                    self._ready.append(item)
                    self._change.notify_all()
                del item  # else the last one stays alive while the next is fetched
        except BaseException as e:
            error = e
        finally:
            getattr(self._source, "close", lambda: None)()
            with self._change:
                self._ended, self._error = True, error
                self._change.notify_all()

    def __iter__(self) -> Ahead[T]:
        return self

    def __next__(self) -> T:
        with self._change:
            while not self._ready and not self._ended:
                self._change.wait()
            if self._ready:
                item = self._ready.popleft()
                self._change.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None and not self._closed:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop, and wait for the thread."""
        with self._change:
            self._closed = True
            self._ready.clear()
            self._change.notify_all()
        if not self._ended:
            self._interrupt()
        if self._thread is not threading.current_thread():
            self._thread.join()
