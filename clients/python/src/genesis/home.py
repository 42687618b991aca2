"""Reaching the node of a home on this machine, and having one where there is none.

Whoever serves a home holds its lock and listens on two Unix sockets: ``api.sock``
speaks HTTP, ``hand.sock`` takes open files. The lock file says where they are. A
connection to ``hand.sock`` is a *session*: while it is open, the node stays.

If nobody serves the home, ``genesis hold`` does, as a child of this process, until its
standard input ends. That is closed when the last user here is done, and by the kernel
if this process is killed, so nothing stays behind.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import IO, Any

from .errors import Invalid, Unavailable, Unsupported, from_problem

__all__ = ["Home", "Session"]

# How long a node may take to start, to greet, or to accept a file.
START_TIMEOUT = 60.0
HAND_TIMEOUT = 10.0
# How long the child may take to put everything away before we stop waiting for it.
LEAVE_TIMEOUT = 10.0


class NoNode(Exception):
    """Nobody serves the home."""


class Session:
    """A connection over which open files are handed to a local node."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(HAND_TIMEOUT)
        self._rest = b""
        try:
            self._sock.connect(str(path))
            self.id = str(self._reply().get("session", ""))
        except (FileNotFoundError, ConnectionError):
            self._sock.close()
            raise NoNode from None  # also one that is just leaving: it gives no greeting
        except BaseException:
            self._sock.close()
            raise

    def _reply(self) -> dict[str, Any]:
        # No file object: its lock would be held for ever after a fork at the wrong time.
        while b"\n" not in self._rest:
            piece = self._sock.recv(1 << 16)
            if not piece or len(self._rest) > 1 << 20:
                raise ConnectionResetError
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        if problem := reply.get("error"):
            raise from_problem(problem)
        return reply

    def hand_over(self, file: IO[bytes]) -> str:
        """Pass an open file to the node and return the token that names it.

        The node has a descriptor of its own from then on. A token serves one request.
        """
        fds = array.array("i", [file.fileno()])
        with self._lock:  # one at a time, so that files and tokens cannot come apart
            try:
                self._sock.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
                return str(self._reply()["token"])
            except OSError as e:
                raise Unavailable("the node did not take the file", op="hand over") from e

    def close(self) -> None:
        """End the session. The descriptor is closed, never shut down: after a fork the
        connection is the parent's as well."""
        self._sock.close()


class Home:
    """The way to the node of a home: its sockets, and a session that keeps it there."""

    def __init__(self, path: Path) -> None:
        if not hasattr(socket, "AF_UNIX"):
            raise Unsupported(
                "nodes do not run on this system", op="open home", subject=str(path), hint="connect to one by its URL"
            )
        self.path = Path(os.path.abspath(path))
        self._keeper: Keeper | None = None
        self._session: Session | None = None
        self._sockets = Path()
        self._lock = threading.Lock()
        _homes.add(self)

    def api_socket(self) -> Path:
        """Return the path of the socket that speaks HTTP, with a node behind it."""
        self.session()
        return self._sockets / "api.sock"

    def session(self) -> Session:
        """Return the session with the node; start a node if there is none."""
        with self._lock:
            if self._session is None:
                self._session = self._join()
            return self._session

    def lost(self) -> None:
        """Forget the node: it went away."""
        with self._lock:
            if self._session is not None:
                self._session.close()
                self._session = None

    def close(self) -> None:
        """Leave the node. One that was started here ends, unless others use it."""
        self.lost()
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.release()

    def abandon(self) -> None:
        """Drop what belongs to the process that this one was forked from."""
        self._lock = threading.Lock()
        if self._session is not None:
            self._session.close()  # this process's descriptor of it
        self._session, self._keeper = None, None

    def _join(self) -> Session:
        deadline = time.monotonic() + START_TIMEOUT
        pause = 0.002
        while True:
            try:
                session = self._dial()
                if self._keeper is None:
                    self._keeper = Keeper.share(self.path)
                return session
            except NoNode:
                if time.monotonic() > deadline:
                    raise Unavailable(
                        "is held by another process that does not answer",
                        op="open home",
                        subject=str(self.path),
                        hint="the file lock in the home names the process; end it and try again",
                    ) from None
            if self._keeper is None or self._keeper.ended():
                if self._keeper is not None:
                    self._keeper.release()
                self._keeper = Keeper.of(self.path)
                continue
            time.sleep(pause)
            pause = min(2 * pause, 0.2)

    def _dial(self) -> Session:
        try:
            said = json.loads((self.path / "lock").read_bytes())
            self._sockets = Path(said["sockets"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            raise NoNode from None  # nobody ever did, or it is just being written
        if self._sockets != self.path.resolve() and not _private(self._sockets):
            raise NoNode
        return Session(self._sockets / "hand.sock")


def _private(folder: Path) -> bool:
    """Report whether nobody else could have put a socket there to listen in."""
    try:
        info = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and info.st_uid == os.geteuid() and info.st_mode & 0o777 == 0o700


class Keeper:
    """A child process that serves a home while this process uses it."""

    _all: dict[Path, Keeper] = {}
    _guard = threading.Lock()
    # Those that we do not wait for any more: they serve others, and end when they do.
    _leaving: list[subprocess.Popen[bytes]] = []

    @classmethod
    def of(cls, path: Path) -> Keeper:
        """Return the keeper of a home, one for the whole process."""
        with cls._guard:
            keeper = cls._all.get(path)
            if keeper is None or keeper.ended():
                keeper = cls._all[path] = cls(path)
            keeper._users += 1
            return keeper

    @classmethod
    def share(cls, path: Path) -> Keeper | None:
        """Return the keeper that this process has for a home, if it has one."""
        with cls._guard:
            keeper = cls._all.get(path)
            if keeper is None or keeper.ended():
                return None
            keeper._users += 1
            return keeper

    def __init__(self, path: Path) -> None:
        self._users = 0
        self._path = path
        self._leaving[:] = [p for p in self._leaving if p.poll() is None]
        self._complaints = tempfile.TemporaryFile()
        their_end, self._input = os.pipe()  # raw, so that a fork can close it and forget it
        environ = {k: v for k, v in os.environ.items() if k != "GENESIS_NODE"}
        try:
            self._process = subprocess.Popen(
                [_binary(), "--home", str(path), "hold"],
                stdin=their_end,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=environ,
                start_new_session=True,  # Ctrl-C is for this process; it cancels its requests
            )
        except BaseException:
            os.close(self._input)
            self._complaints.close()
            raise
        finally:
            os.close(their_end)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()  # it serves, or it ended
        self._process.stdout.close()
        if not said:
            raise self._failed()

    def _failed(self) -> Exception:
        self._shut()
        self._complaints.seek(0)
        lines = self._complaints.read(64 << 10).decode("utf-8", "replace").splitlines()
        self._complaints.close()
        said = {"error": "ended before it served the home", "hint": ""}
        for line in lines:
            for key in said:
                if line.startswith(f"genesis: {key}: "):
                    said[key] = line.removeprefix(f"genesis: {key}: ")
        return Unavailable(said["error"], hint=said["hint"])

    def ended(self) -> bool:
        """Report whether the child is no more."""
        return self._process.poll() is not None

    def release(self) -> None:
        """Let go of the home. After the last user here, the child ends."""
        with self._guard:
            self._users -= 1
            if self._users > 0:
                return
            if self._all.get(self._path) is self:
                del self._all[self._path]
        self._shut()
        self._complaints.close()

    def _shut(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
        try:
            self._process.wait(LEAVE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._leaving.append(self._process)

    def _forked(self) -> None:
        """In a child of a fork: the process is not ours, and must not be kept by us."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
        self._process.returncode = 0  # keeps subprocess from waiting for it


def _binary() -> str:
    """Return the path of the genesis binary."""
    named = os.environ.get("GENESIS_BIN")
    found = shutil.which(named or "genesis")
    if found is None:
        raise Invalid(
            "no program genesis is found to serve the home with" if not named else f"$GENESIS_BIN is no program: {named}",
            op="open home",
            hint="install genesis and put it on PATH, name it in $GENESIS_BIN, or connect to a node by its URL",
        )
    return found


def _forget_parents() -> None:
    Keeper._guard = threading.Lock()
    for keeper in Keeper._all.values():
        keeper._forked()
    for process in Keeper._leaving:
        process.returncode = 0
    Keeper._all.clear()
    Keeper._leaving.clear()


def _leave_all() -> None:
    for home in list(_homes):
        home.lost()  # a node stays while there are sessions
    with Keeper._guard:
        keepers = list(Keeper._all.values())
        Keeper._all.clear()
    for keeper in keepers:
        keeper._shut()


_homes: weakref.WeakSet[Home] = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents)
atexit.register(_leave_all)
