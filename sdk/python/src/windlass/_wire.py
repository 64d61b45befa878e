"""Events as they are sent and kept: lines of JSON, packed.

Nothing here raises because of a value: the values are somebody else's, their `repr` may do whatever it
likes, and one of them must cost neither its event nor the others of the batch.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import Any, Iterable, Mapping

from ._told import TEXT_MAX, shown

# The server takes no event over 1 MiB.
LINE_BYTES_MAX = 900 * 1024
# Of an event that is larger, a field may have as many characters.
FIELD_MAX = 32 * 1024
# What an event cannot do without.
NEEDED = (
    *("event", "event_id", "run_id", "flow", "flow_key"),
    *("task", "node", "status", "level", "message"),
)
# JSON knows no NaN. What is not ASCII is written as it is: `_utf8` is to see lone surrogates.
_encode = json.JSONEncoder(default=shown, allow_nan=False, ensure_ascii=False).encode


def packed(batch: Iterable[Mapping[str, Any]]) -> bytes:
    """Events as a body."""
    return gzip.compress(b"\n".join([_line(event) for event in batch]), compresslevel=1)


def count(body: bytes) -> int:
    """How many events a body has."""
    with contextlib.suppress(OSError, EOFError):
        return gzip.decompress(body).count(b"\n") + 1
    return 0


def halves(body: bytes) -> list[bytes]:
    """A body as two."""
    lines = gzip.decompress(body).split(b"\n")
    middle = len(lines) // 2
    return [gzip.compress(b"\n".join(half), 1) for half in (lines[:middle], lines[middle:])]


def _line(event: Mapping[str, Any]) -> bytes:
    try:
        try:
            line = _utf8(_encode(event))
        except Exception:
            # A value that is no JSON must not cost the event, nor the other values.
            line = _utf8(_encode({str(name): _as_json(one) for name, one in event.items()}))
        if len(line) > LINE_BYTES_MAX:
            line = _utf8(_encode({str(name): _short(one) for name, one in event.items()}))
        return line
    except Exception:
        texts = {name: event.get(name) for name in NEEDED}
        return _utf8(_encode({n: one[:TEXT_MAX] for n, one in texts.items() if type(one) is str}))


def _as_json(value: Any) -> Any:
    try:
        return json.loads(_encode(value))
    except Exception:
        return shown(value)


def _short(value: Any) -> Any:
    """A value, or what can be said instead of one that is too large."""
    value = _as_json(value)
    size = len(_encode(value))
    if size <= FIELD_MAX:
        return value
    if isinstance(value, str):
        return f"{value[:TEXT_MAX]}…"
    if isinstance(value, dict) and "message" in value and "traceback" in value:
        # An error: how it is called and where it was is more than that it is large.
        return {name: _short(one) for name, one in value.items()}
    return f"<{size} characters of JSON: too large to be told>"


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a pair of surrogates (the name of a file that is no UTF-8) is no character.
        pairs = text.encode("utf-16-le", "surrogatepass")
        return pairs.decode("utf-16-le", "replace").encode()
