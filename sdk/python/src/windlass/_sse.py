"""Server-sent events, and where in a run's stream its reader stands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterator

from .models import StreamEvent


@dataclass(frozen=True)
class Frame:
    """One event of a stream."""

    event: str
    id: str | None
    data: str


class Decoder:
    """Takes a stream apart.

    Lines end with CR, LF or both and with nothing else. What Python and httpx take for the end of a
    line besides, such as U+2028, may stand in the data.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._event = ""
        self._id: str | None = None
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        text = self._rest + chunk
        # A CR at the end may be half of a CRLF.
        held = b"\r" if text.endswith(b"\r") else b""
        text = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._rest = rest + held
        for line in lines:
            frame = self._line(line.decode("utf-8", "replace"))
            if frame is not None:
                yield frame

    def _line(self, line: str) -> Frame | None:
        if line:
            name, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "event":
                self._event = value
            elif name == "data":
                self._data.append(value)
            elif name == "id":
                self._id = value
            return None
        frame = Frame(self._event or "message", self._id, "\n".join(self._data))
        has_data = bool(self._data)
        self._event, self._id, self._data = "", None, []
        return frame if has_data else None


class Place:
    """Where a reader stands: what it has seen, so that it can go on there."""

    def __init__(self, after: int | None) -> None:
        self.after = after
        self.log_seq: int | None = None
        """The last log line that was seen, if that is known."""

    def headers(self) -> dict[str, str]:
        headers = {"Accept": "text/event-stream"}
        if self.after is not None:
            headers["Last-Event-ID"] = str(self.after)
        return headers

    def event(self, frame: Frame) -> StreamEvent | None:
        """What a frame says; None if it was seen before or says nothing."""
        data = json.loads(frame.data)
        if frame.event == "log":
            return self.log(data)
        number = int(frame.id) if frame.id else None
        if number is not None:
            if self.after is not None and number <= self.after and frame.event != "snapshot":
                return None
            self.after = number
        if frame.event == "snapshot":
            self.log_seq = data.get("log_seq")
        return StreamEvent(frame.event, number, data)

    def log(self, line: dict[str, object]) -> StreamEvent | None:
        """A log line; None if it was seen before."""
        number = line.get("log_seq")
        if isinstance(number, int):
            if self.log_seq is not None and number <= self.log_seq:
                return None
            self.log_seq = number
        return StreamEvent("log", None, line)

    def misses_before(self, frame: Frame) -> bool:
        """Whether log lines before this frame have not come."""
        if frame.event != "log" or self.log_seq is None:
            return False
        number = json.loads(frame.data).get("log_seq")
        return isinstance(number, int) and number > self.log_seq + 1
