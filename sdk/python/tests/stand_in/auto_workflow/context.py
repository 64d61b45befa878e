"""The run that is under way."""

from __future__ import annotations

import uuid
from contextvars import ContextVar
from typing import Any


class RunContext:
    """What a callback may ask for."""

    def __init__(self, flow_name: str, params: dict[str, Any]) -> None:
        self.run_id, self.flow_name, self.params = str(uuid.uuid4()), flow_name, params
        self.nodes: dict[str, int] = {}


current: ContextVar[RunContext | None] = ContextVar("current", default=None)


def get_context() -> RunContext | None:
    return current.get()
