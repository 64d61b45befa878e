"""What a worker's function gets, and what it may answer with."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Cancelled(Exception):
    """Nobody wants the task's end any more: raised by `Task.check`."""


class Fail(Exception):
    """Raised by a worker's function to end its task with an error.

    `code` is a stable word for the step's `retry.on`. With `retryable=False` the step is not tried
    again, whatever its `retry` says.
    """

    def __init__(
        self, code: str, message: str, retryable: bool = True, *, details: Any = None
    ) -> None:
        if not CODE.fullmatch(code):
            raise ValueError(f"{code!r}: a code has 1 to 64 lower-case letters, digits and `_`")
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.details = details


@dataclass(frozen=True)
class Submit:
    """What has come of a unit of work, where its attributes alone do not say it all."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    reasoning: str | None = None
    """Why, for whoever reads the unit's life."""
    children: Sequence[Mapping[str, Any]] = ()
    """The attributes of units that this one is broken down into."""


@dataclass(frozen=True)
class Child:
    """A unit that another one was broken down into."""

    id: str
    status: str
    attributes: dict[str, Any]


class Task:
    """A task in our hands: what is to be done, and ways to speak of it.

    Its methods may be called from any thread, and wait for nothing.
    """

    def __init__(self, body: Mapping[str, Any], wake: Callable[[], None]) -> None:
        self.id: str = body["id"]
        self.fence: int = body["fence"]
        """The number of this handing over: it only grows."""
        self.kind: str = body["kind"]
        """`unit`, `actor`, `worker`, or a plugin's kind."""
        self.queue: str | None = body.get("queue")
        self.config: Any = body.get("config")
        """The step's config, with its secrets; None for a unit of work."""
        self.project: str | None = body.get("project")
        self.run_id: str = body["run_id"]
        self.step: str = body["step"]
        self.attempt: int = body.get("attempt", 1)
        self.idempotency_key: str = body["idempotency_key"]
        """The same for every attempt: hand it to whatever you ask to do something."""
        self.deadline: str | None = body.get("deadline")
        self.last_checkpoint: Any = body.get("checkpoint")
        """What whoever held the task before has left, if anything."""
        self.raw: dict[str, Any] = dict(body)
        self.cancelled = threading.Event()
        """Set when nobody wants the task's end any more. `reason` says why."""
        self.reason: str | None = None
        self._wake = wake
        self._lines: list[dict[str, str]] = []
        self._dropped = 0
        self._told: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        # Without the config: secrets are in it.
        return f"<Task {self.kind} {self.run_id}/{self.step}>"

    @property
    def role(self) -> str | None:
        """The role, of a task that is an actor's."""
        name = (self.queue or "").partition("role:")[2]
        return name or None

    def check(self) -> None:
        """Call it now and then while working for long: raises `Cancelled` if it is in vain."""
        if self.cancelled.is_set():
            raise Cancelled(self.reason)

    def log(self, text: str, stream: str = "stdout") -> None:
        """Adds a line to the log of the step; `stream` is `stdout` or `stderr`."""
        if stream not in ("stdout", "stderr"):
            raise ValueError(f"{stream!r} is neither `stdout` nor `stderr`")
        with self._lock:
            if len(self._lines) < LINES_MAX:
                self._lines.append({"stream": stream, "text": str(text)[:TEXT_MAX]})
            else:
                self._dropped += 1
        self._wake()

    def checkpoint(self, value: Any) -> None:
        """Leaves something, JSON of 1 MiB at most, for whoever does the task if we cannot."""
        self._tell("checkpoint", value)

    def progress(self, value: Any) -> None:
        """Says how far it is, as JSON."""
        self._tell("progress", value)

    def _tell(self, name: str, value: Any) -> None:
        with self._lock:
            self._told[name] = value
        self._wake()

    def _take_told(self) -> dict[str, Any]:
        with self._lock:
            told, self._told = self._told, {}
            return told

    def _give_back(self, told: Mapping[str, Any]) -> None:
        """What could not be said, unless something newer is to be said by now."""
        with self._lock:
            self._told = {**told, **self._told}

    def _take_lines(self) -> list[dict[str, str]]:
        """The next lines to send."""
        with self._lock:
            taken, size = 0, 0
            for line in self._lines[:LINES_AT_ONCE]:
                size += len(line["text"])
                if taken and size > TEXT_AT_ONCE:
                    break
                taken += 1
            lines, self._lines = self._lines[:taken], self._lines[taken:]
            if self._dropped and not self._lines:
                note = f"{self._dropped} lines were dropped: they came faster than they were taken"
                lines.append({"stream": "stderr", "text": note})
                self._dropped = 0
            return lines

    def _give_back_lines(self, lines: list[dict[str, str]]) -> None:
        with self._lock:
            self._lines = lines + self._lines


# Of a line, no more is kept than this many bytes anyway.
TEXT_MAX = 1 << 16
LINES_MAX = 10_000
LINES_AT_ONCE = 999
TEXT_AT_ONCE = 1 << 20


class Unit:
    """A unit of work in our hands."""

    def __init__(self, body: Mapping[str, Any], task: Task) -> None:
        self.task = task
        """The task that it is: log lines, cancellation, the idempotency key."""
        self.id: str = body["id"]
        self.instance_id: str = body["instance_id"]
        self.workflow: str = body["workflow"]
        self.role: str = body["role"]
        self.place: str | None = body.get("place")
        self.parent_id: str | None = body.get("parent_id")
        self.attributes: dict[str, Any] = body.get("attributes") or {}
        self.context: dict[str, Any] = body.get("context") or {}
        """What the role remembers."""
        self.children = [
            Child(child["id"], child["status"], child.get("attributes") or {})
            for child in body.get("children") or []
        ]
        self.instructions: str | None = body.get("instructions")
        self.model_id: str | None = body.get("model_id")
        self.knowledge_fragments: Any = body.get("knowledge_fragments")
        self.interaction_count: int = body.get("interaction_count", 0)
        self.version: int = body.get("version", 0)
        self.raw: dict[str, Any] = dict(body)

    def __repr__(self) -> str:
        return f"<Unit {self.id} as {self.role}>"
