"""Flows and tasks, which run as they are called."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable

from .context import RunContext, current
from .events import emit


class Flow:
    def __init__(self, build_fn: Callable[..., Any]) -> None:
        self.build_fn, self.name = build_fn, build_fn.__name__

    def run(self, **params: Any) -> Any:
        return asyncio.run(self._run_internal(params))

    async def _run_internal(self, params: dict[str, Any]) -> Any:
        context = RunContext(self.name, params)
        current.set(context)
        emit("flow_started", {"flow": self.name, "run_id": context.run_id})
        result = self.build_fn(**params)
        emit("flow_completed", {"flow": self.name, "run_id": context.run_id, "tasks": 0})
        return result


def flow(build_fn: Callable[..., Any]) -> Flow:
    return Flow(build_fn)


def task(function: Callable[..., Any]) -> Callable[..., Any]:
    name = function.__name__

    def does(*args: Any) -> Any:
        context = current.get()
        assert context is not None
        number = context.nodes[name] = context.nodes.get(name, 0) + 1
        payload = {"task": name, "node": f"{name}:{number}"}
        emit("task_started", payload)
        began = time.perf_counter()
        try:
            result = function(*args)
        except Exception as error:
            emit("task_failed", {**payload, "error": repr(error)})
            raise
        emit("task_succeeded", {**payload, "duration_ms": (time.perf_counter() - began) * 1e3})
        return result

    return does
