"""What the server answers with. `raw` has each answer whole, with fields of later versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Workflow:
    """A workflow with its newest definition."""

    id: str
    name: str
    version: int
    findings: list[dict[str, Any]]
    """Warnings that `check` has about the definition."""
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: Json) -> Workflow:
        return cls(body["id"], body["name"], body["version"], body.get("findings", []), dict(body))


@dataclass(frozen=True)
class Instance:
    """A template's copy that units of work go through."""

    id: str
    name: str
    template: str
    template_version: int
    status: str
    """`active`, `paused` or `archived`."""
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: Json) -> Instance:
        version = body["template_version"]
        return cls(
            body["id"], body["name"], body["template"], version, body["status"], dict(body)
        )


@dataclass(frozen=True)
class UnitOfWork:
    """A unit of work as it stands. That of a base is its run's id, too."""

    id: str
    run_id: str
    instance_id: str
    status: str
    """`pending`, `active`, `completed`, `failed`, `finalized`, …"""
    place: str | None
    """The interaction it is at."""
    reason: str | None
    holder: str | None
    attributes: dict[str, Any]
    """Empty as long as only its creation was answered."""
    children: list[dict[str, Any]]
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: Json) -> UnitOfWork:
        attributes = body.get("attributes") or {}
        return cls(
            id=body["id"],
            run_id=body["run_id"],
            instance_id=body["instance_id"],
            status=body["status"],
            place=body.get("place"),
            reason=body.get("reason"),
            holder=body.get("holder"),
            attributes={name: one["value"] for name, one in attributes.items()},
            children=list(body.get("children") or []),
            raw=dict(body),
        )


@dataclass(frozen=True)
class Run:
    """A run as it stands."""

    id: str
    workflow: str
    version: int
    status: str
    """`queued`, `running`, `waiting`, `paused`, `succeeded`, `failed` or `cancelled`."""
    reason: str | None
    input: Any
    output: Any
    error: dict[str, Any] | None
    """`code`, `message` and perhaps `details` and `step`, once it has failed."""
    labels: dict[str, str]
    external_id: str | None
    raw: dict[str, Any] = field(repr=False)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status in TERMINAL

    @classmethod
    def read(cls, body: Json) -> Run:
        return cls(
            id=body["id"],
            workflow=body["workflow"],
            version=body["version"],
            status=body["status"],
            reason=body.get("reason"),
            input=body.get("input"),
            output=body.get("output"),
            error=body.get("error"),
            labels=body.get("labels") or {},
            external_id=body.get("external_id"),
            raw=dict(body),
        )


@dataclass(frozen=True)
class Step:
    """One node's life inside one run."""

    path: str
    node: str
    kind: str
    status: str
    reason: str | None
    attempt: int
    input: Any
    output: Any
    error: dict[str, Any] | None
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: Json) -> Step:
        return cls(
            path=body["path"],
            node=body["node"],
            kind=body["kind"],
            status=body["status"],
            reason=body.get("reason"),
            attempt=body["attempt"],
            input=body.get("input"),
            output=body.get("output"),
            error=body.get("error"),
            raw=dict(body),
        )


@dataclass(frozen=True)
class LogLine:
    """A line that a step has written."""

    log_seq: int
    """Its number among the run's lines, from 1."""
    at: str
    path: str
    attempt: int
    stream: str
    text: str

    @classmethod
    def read(cls, body: Json) -> LogLine:
        names = ("log_seq", "at", "path", "attempt", "stream", "text")
        return cls(**{name: body[name] for name in names})


@dataclass(frozen=True)
class Approval:
    """What a step asks of people."""

    run_id: str
    step: str
    title: str
    subject: Any
    form: dict[str, Any] | None
    hash: str
    """Hand it to `approve` to decide about what was seen and nothing else."""
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: Json) -> Approval:
        return cls(
            run_id=body["run_id"],
            step=body["step"],
            title=body["title"],
            subject=body.get("subject"),
            form=body.get("form"),
            hash=body["hash"],
            raw=dict(body),
        )


@dataclass(frozen=True)
class StreamEvent:
    """Something that has happened in a run."""

    type: str
    """`snapshot`, an event's type, `log`, or what is kept nowhere, such as `llm_token`."""
    id: int | None
    """Its number in the journal. What is kept nowhere has none."""
    data: dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    items: list[dict[str, Any]]
    next_cursor: str | None

    @classmethod
    def read(cls, body: Json) -> Page:
        return cls(body["items"], body.get("next_cursor"))
