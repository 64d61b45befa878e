"""Events that could not be sent, in files: they outlive the process.

A file is a batch. It gets its name once it is whole and on the disk. Who sends one takes it by
renaming it, so that no two processes send the same; the files of a process that died are free again.

Each server and key has a directory of its own: what one was to get is nothing for another.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import Iterator

KEPT = ".ndjson.gz"
TAKEN = ".taken-"


def place_of(named: str | None) -> Path | None:
    """Where to keep them: as named, by `WINDLASS_SPOOL`, else where programs keep their state. An
    empty name is nowhere."""
    named = os.environ.get("WINDLASS_SPOOL") if named is None else named
    if named is not None:
        return Path(named) if named else None
    state = os.environ.get("XDG_STATE_HOME")
    with contextlib.suppress(RuntimeError):
        return (Path(state) if state else Path.home() / ".local" / "state") / "windlass" / "spool"
    return None


# What tells this process from another that had its number: in a container, each is the first.
_token = secrets.token_hex(8)


def _become_another() -> None:
    global _token
    _token = secrets.token_hex(8)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_become_another)


class Spool:
    """A directory of batches for a server and a key, beside those for others."""

    def __init__(self, whole: Path, server: str, api_key: str | None, bytes_max: int) -> None:
        """All that is in `whole` counts towards `bytes_max`; what lies there itself, from a time when
        there was but one directory, is left alone: nobody knows whose it is."""
        whose = hashlib.sha256(f"{server}\0{api_key or ''}".encode()).hexdigest()
        self._whole, self.place = whole, whole / whose[:16]
        self._bytes_max = bytes_max
        self._count = 0

    def keep(self, batch: bytes) -> bool:
        """Whether the batch is on the disk. It is not if there is no room, or no disk."""
        try:
            for place in (self._whole, self.place):
                place.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._size() + len(batch) > self._bytes_max:
                return False
            self._count += 1
            name = f"{time.time_ns():020}-{os.getpid()}-{self._count}"
            unfinished = self.place / f"{name}.tmp"
            with open(unfinished, "xb") as file:
                file.write(batch)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self.place / f"{name}{KEPT}")
        except OSError:
            return False
        return True

    def take(self) -> Iterator[tuple[Path, bytes]]:
        """The batches, the oldest first, each this process's own until `done` or `back`."""
        self._free_those_of_the_dead()
        for path in self._files(KEPT):
            taken = path.with_name(f"{path.name}{TAKEN}{os.getpid()}-{_token}")
            try:
                path.rename(taken)
                batch = taken.read_bytes()
            except OSError:
                continue
            yield taken, batch

    def done(self, taken: Path) -> None:
        """A batch was sent."""
        with contextlib.suppress(OSError):
            taken.unlink()

    def back(self, taken: Path) -> None:
        """A batch could not be sent after all."""
        with contextlib.suppress(OSError):
            taken.rename(taken.with_name(taken.name.partition(TAKEN)[0]))

    def _files(self, ending: str) -> list[Path]:
        try:
            return sorted(path for path in self.place.iterdir() if path.name.endswith(ending))
        except OSError:
            return []

    def _size(self) -> int:
        total = 0
        for path in (*self._whole.iterdir(), *self._whole.glob("*/*")):
            with contextlib.suppress(OSError):
                total += path.stat().st_size if path.is_file() else 0
        return total

    def _free_those_of_the_dead(self) -> None:
        try:
            paths = [path for path in self.place.iterdir() if TAKEN in path.name]
        except OSError:
            return
        for path in paths:
            process, _, token = path.name.rpartition(TAKEN)[2].partition("-")
            if not process.isdigit() or not _is_alive(int(process), token):
                self.back(path)


def _is_alive(process: int, token: str) -> bool:
    if process == os.getpid():
        return token == _token
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
