"""Which run and which task the code that is running belongs to."""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import PurePath

from .sender import Sender


@dataclass
class Current:
    """A run that is under way in this process."""

    sender: Sender
    run_id: str
    flow: str
    flow_key: str
    _numbers: defaultdict[str, itertools.count[int]] = field(
        default_factory=lambda: defaultdict(lambda: itertools.count(1))
    )

    def node(self, task: str) -> str:
        """The next life of a task: `load:1`, `load:2`."""
        return f"{task}:{next(self._numbers[task])}"

    def say(self, event: str, **fields: object) -> None:
        """Reports an event of this run."""
        self.sender.put(
            {
                "event": event,
                "run_id": self.run_id,
                "flow": self.flow,
                "flow_key": self.flow_key,
                **fields,
            }
        )


current_run: ContextVar[Current | None] = ContextVar("windlass_run", default=None)
current_node: ContextVar[str | None] = ContextVar("windlass_node", default=None)
# Which attempt of the node, from 1; 0 if nobody knows.
current_attempt: ContextVar[int] = ContextVar("windlass_attempt", default=0)


def module_of(name: str) -> str:
    """A module's name. That of the program itself is the name under which others would import it."""
    if name != "__main__":
        return name
    main = sys.modules.get(name)
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return PurePath(file).stem if file else name
