"""Values and errors as they are told: what is cheap to take down while a flow waits.

What costs more (reading source lines, the text of an unknown object) is done when an event is written,
on the sender's thread.
"""

from __future__ import annotations

import asyncio
import math
import re
import traceback
from collections import deque
from itertools import islice
from pathlib import PurePath
from types import CodeType
from typing import Any, Container, Mapping

# Values within values that are told, in all.
ROOM = 64
DEPTH_MAX = 5
TEXT_MAX = 10_000
# Of a number: what fits into a double.
INT_BITS_MAX = 1_000
# Of each exception in a chain of causes.
FRAMES_MAX = 20
LINKS_MAX = 4
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
# What a text under such a name may be must not be told.
SECRET = re.compile(
    r"passw|passphrase|secret|token|api_?key|private_?key|credential|authorization", re.IGNORECASE
)
HIDDEN = "***"
_PLAIN = frozenset((bool, type(None)))
_HERE = str(PurePath(__file__).parent)


def shown(value: object) -> str:
    """A value that is no JSON, as a text. Never raises, though its `repr` may."""
    try:
        if isinstance(value, (bytes, bytearray)):
            return f"<{len(value)} bytes>"
        text = repr(value)
        # A trace is short by itself, and what it ends with counts.
        is_whole = len(text) <= TEXT_MAX or type(value) is Trace
        return text if is_whole else f"{text[:TEXT_MAX]}…"
    except Exception:
        return f"<{type(value).__name__}: cannot be shown>"


class Trace:
    """Where an exception came from. Only where it passed through is taken down, and no frame is kept:
    what a program has forgotten must be gone. The text is made when it is asked for."""

    def __init__(self, error: BaseException) -> None:
        self._links: list[tuple[str, str, list[tuple[CodeType, int]]]] = []
        link: BaseException | None = error
        how = ""
        while link is not None and len(self._links) < LINKS_MAX:
            places: deque[tuple[CodeType, int]] = deque(maxlen=FRAMES_MAX)
            at = link.__traceback__
            while at is not None:
                places.append((at.tb_frame.f_code, at.tb_lineno))
                at = at.tb_next
            self._links.append((how, f"{_name(link)}: {_said(link)}", list(places)))
            if link.__cause__ is not None:
                link, how = link.__cause__, CAUSE
            else:
                link, how = None if link.__suppress_context__ else link.__context__, CONTEXT

    def __repr__(self) -> str:
        """As Python prints it, without what is in here: nobody looks for a mistake there."""
        parts = []
        for how, message, places in reversed(self._links):
            frames = [
                traceback.FrameSummary(code.co_filename, line, code.co_name)
                for code, line in places
                if not code.co_filename.startswith(_HERE)
            ]
            lines = "".join(traceback.StackSummary.from_list(frames).format())
            parts.append(f"Traceback (most recent call last):\n{lines}{message}")
            parts.extend([how] if how else [])
        return "\n\n".join(parts)


def _name(error: BaseException) -> str:
    kind = type(error)
    is_known = kind.__module__ in ("builtins", "__main__")
    return kind.__qualname__ if is_known else f"{kind.__module__}.{kind.__qualname__}"


def _said(error: BaseException) -> str:
    """What it says, as far as it can."""
    try:
        text = str(error)
    except Exception:
        return "<cannot be shown>"
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"


def told(error: BaseException) -> dict[str, object]:
    """An exception for an event's `error`. Never raises, though the exception's text may."""
    kind = type(error).__name__
    try:
        trace: object = Trace(error)
    except Exception:
        trace = None
    return {"type": kind, "message": f"{kind}: {_said(error)}", "traceback": trace}


def ended(error: BaseException) -> dict[str, Any]:
    """How a run ends with an exception: what its last event says."""
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)):
        return {"status": "CANCELLED"}
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or (isinstance(code, int) and int(code) == 0):
            # A program that is content.
            return {"status": "SUCCEEDED"}
    return {"status": "FAILED", "error": told(error)}


def taken_down(value: Any) -> Any:
    """A value as it is now, whatever becomes of it later, with no more of it than a reader wants, and
    without what must not be read. Never raises: somebody else may be changing the value meanwhile."""
    try:
        return _Copy().of(value, 0)
    except Exception:
        return f"<{type(value).__name__}: cannot be shown>"


def params_taken_down(
    params: Mapping[str, Any], hidden: Container[str] = frozenset()
) -> dict[str, Any]:
    """What a flow was called with, by name, without what must not be read."""
    return {
        name: HIDDEN if name in hidden or hides(name, value) else taken_down(value)
        for name, value in ((_key(key), value) for key, value in params.items())
    }


def hides(name: str, value: Any) -> bool:
    """Whether a value is a secret, by its name."""
    return isinstance(value, (str, bytes)) and SECRET.search(name) is not None


class _Copy:
    def __init__(self) -> None:
        self._room = ROOM

    def of(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int:
            # JSON has no such limit, but whoever reads it has: some numbers are not even written.
            bits = value.bit_length()
            return value if bits <= INT_BITS_MAX else f"<a number of {bits} bits>"
        if kind is float:
            # JSON has no others.
            return value if math.isfinite(value) else repr(value)
        if kind is str:
            return value if len(value) <= TEXT_MAX else f"{value[:TEXT_MAX]}…"
        if kind is bytes or kind is bytearray:
            return shown(value)
        if kind not in (dict, list, tuple, set, frozenset):
            # Of a kind that is made from one of these, JSON would say the same, and say it all.
            bases = [base for base in (str, dict, list, tuple) if issubclass(kind, base)]
            if not bases:
                return value
            if bases == [str]:
                return self.of(str.__str__(value), depth)
            kind = bases[0]
        if depth == DEPTH_MAX or (depth and self._room <= 0):
            return "…"
        count = len(value)
        some = min(count, max(self._room, 0))
        self._room -= some
        if kind is dict:
            pairs = islice(dict.items(value), some)
            copy = {}
            for key, one in pairs:
                name = key if type(key) is str else _key(key)
                name = name if len(name) <= TEXT_MAX else f"{name[:TEXT_MAX]}…"
                copy[name] = HIDDEN if hides(name, one) else self.of(one, depth + 1)
            if some < count:
                copy["…"] = f"{count - some} more"
            return copy
        items = [self.of(one, depth + 1) for one in islice(value, some)]
        return items if some == count else [*items, f"… {count - some} more"]


def _key(key: object) -> str:
    try:
        return str(key)
    except Exception:
        return shown(key)
