"""Flows of the auto-workflow library, seen without a change to their code.

The library's bus has `subscribe(name, callback)` and tells of tasks without saying of which run; that
is asked of its context. A run that fails ends without an event, so its one entry is wrapped.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import time
from contextvars import ContextVar
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Protocol

import _windlass_bind

from ._context import Current, current_attempt, current_node, current_run, module_of
from ._told import ended, params_taken_down, shown, taken_down
from .flows import sender as default_sender
from .sender import Sender

log = logging.getLogger("windlass.sink")

LIBRARY = _windlass_bind.LIBRARY
# Where the flow that is beginning was written: the first half of its key.
flow_module: ContextVar[str | None] = ContextVar("windlass_flow_module", default=None)
EVENTS = (
    "flow_started",
    "flow_completed",
    "task_started",
    "task_succeeded",
    "task_failed",
    "task_retry",
    "middleware_error",
)
# What of an event are values of the flow's.
VALUES = ("params", "result", "output", "payload", "metadata")


class Bus(Protocol):
    """What events are heard on."""

    def subscribe(self, name: str, callback: Callable[[dict[str, Any]], object], /) -> object: ...


def post_event_sink(
    bus: Bus,
    *,
    sender: Sender | None = None,
    context: Callable[[], Any] | None = None,
    events: tuple[str, ...] = EVENTS,
) -> Sink:
    """Reports what a bus tells. `context` answers with the run that is under way (`run_id`,
    `flow_name`, `params`; a dict or attributes), for events that do not say; without it, they are of the
    run that began last in the same context. Left out, the sender is that of `observe` or of
    the environment."""
    sink = Sink(sender, context)
    for name in events:
        bus.subscribe(name, functools.partial(sink, name))
    return sink


class Sink:
    """Turns what a bus tells into events of the server's."""

    def __init__(self, sender: Sender | None, context: Callable[[], Any] | None) -> None:
        self._sender, self._context = sender, context
        # When tasks began: their failures do not say how long they took.
        self._began: dict[tuple[str, str], float] = {}
        self._flows: dict[str, str] = {}
        self._called: dict[str, str] = {}
        self._has_complained = False

    def __call__(self, name: str, payload: dict[str, Any]) -> None:
        """Never raises, and never waits."""
        try:
            self._tell(name, dict(payload))
        except Exception:
            log.debug("an event was not understood", exc_info=True)

    def fails(self, run_id: str, flow: str, error: BaseException) -> None:
        """A run has ended with an exception, of which the bus says nothing."""
        named = self._named(run_id, flow)
        self._forget(run_id)
        try:
            end = ended(error)
            if isinstance(end.get("error"), dict):
                # As the library writes the errors of tasks.
                end["error"] = {**end["error"], "message": shown(error)}
            self._put({"event": "flow_completed", "run_id": run_id, **end, **named})
        except Exception:
            log.debug("an end could not be told", exc_info=True)

    def _tell(self, name: str, payload: dict[str, Any]) -> None:
        context = self._context() if self._context is not None else None
        run_id = payload.get("run_id") or _said(context, "run_id") or self._open_run()
        if run_id is None:
            if not self._has_complained:
                self._has_complained = True
                log.warning("%s does not say of which run it is, and no context does", name)
            return
        run_id = str(run_id)
        flow = payload.get("flow") or _said(context, "flow_name") or self._called.get(run_id, "flow")
        if name == "flow_started":
            self._enter(run_id, str(flow))
        event: dict[str, Any] = {**payload, "event": name, "run_id": run_id}
        event.setdefault("ts", time.time())
        event.update(self._named(run_id, str(flow)))
        node = str(payload["node"]) if "node" in payload else None
        if name == "flow_started":
            params = _said(context, "params")
            if isinstance(params, dict):
                event.setdefault("params", params)
        # They are the flow's own, which goes on with them, and may have secrets.
        for field in [field for field in VALUES if field in event]:
            value = event[field]
            event[field] = params_taken_down(value) if type(value) is dict else taken_down(value)
        if name == "task_started" and node is not None:
            # Each node runs in a task of its own, so its log records and retries see this too.
            current_node.set(node)
            current_attempt.set(1)
            self._began[run_id, node] = time.perf_counter()
        elif name in ("task_retry", "middleware_error"):
            node = node or current_node.get()
            if node is not None:
                event["node"] = node
            if name == "task_retry" and isinstance(payload.get("attempt"), int):
                current_attempt.set(payload["attempt"] + 1)
        elif node is not None:
            began = self._began.pop((run_id, node), None)
            if began is not None:
                event.setdefault("duration_ms", (time.perf_counter() - began) * 1e3)
        self._put(event)
        if name == "flow_completed":
            self._forget(run_id)

    def _enter(self, run_id: str, flow: str) -> None:
        module = flow_module.get()
        self._called[run_id] = flow
        key = self._flows[run_id] = f"{module_of(module)}:{flow}" if module else flow
        sender = self._sender or default_sender()
        if sender is not None:
            current_run.set(Current(sender, run_id, flow, key))

    def _open_run(self) -> str | None:
        """The run that began here and is under way; the only one, where it began in another thread."""
        run = current_run.get()
        if run is not None and run.run_id in self._flows:
            return run.run_id
        # Other threads may begin runs meanwhile.
        known = list(self._flows)
        return known[0] if len(known) == 1 else None

    def _named(self, run_id: str, flow: str) -> dict[str, str]:
        return {"flow": flow, "flow_key": self._flows.get(run_id, flow)}

    def _forget(self, run_id: str) -> None:
        self._flows.pop(run_id, None)
        self._called.pop(run_id, None)
        for place in [place for place in self._began if place[0] == run_id]:
            del self._began[place]

    def _put(self, event: dict[str, Any]) -> None:
        sender = self._sender or default_sender()
        if sender is not None:
            sender.put(event)


def _said(context: Any, name: str) -> Any:
    """What a context says, which may be a dict or anything with attributes."""
    return context.get(name) if isinstance(context, dict) else getattr(context, name, None)


# Buses that are heard already: a library can be loaded again.
_bound: list[object] = []


def bind_library() -> bool:
    """Reports what flows of the library do, if it is there. Answers whether it is."""
    library = sys.modules.get(LIBRARY)
    if library is None:
        return False
    bus = _part(library, "events")
    if bus is None:
        return False
    if bus in _bound:
        return True
    _bound.append(bus)
    sink = post_event_sink(bus, context=_part_of(library, "context", "get_context"))
    flow_class = _part_of(library, "flow", "Flow")
    entry = getattr(flow_class, "_run_internal", None)
    if flow_class is not None and entry is not None:
        setattr(flow_class, "_run_internal", _watched(entry, sink))
    return True


def bind_at_import() -> None:
    """Binds the library now, or as soon as it is imported. Never raises."""
    try:
        if not bind_library():
            _windlass_bind.wait()
    except Exception:
        log.debug("the library could not be bound", exc_info=True)


def watched(spec: ModuleSpec | None) -> ModuleSpec | None:
    """The library's spec, such that it is bound once it has been imported."""
    if spec is not None and spec.loader is not None:
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            # A loader may be that of many modules.
            if module.__name__ == LIBRARY:
                bind_at_import()

        setattr(spec.loader, "exec_module", exec_module)
    return spec


def _watched(entry: Callable[..., Any], sink: Sink) -> Callable[..., Any]:
    @functools.wraps(entry)
    async def runs(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = current_run.set(None)
        module = getattr(getattr(self, "build_fn", None), "__module__", None)
        flow_module.set(module)
        try:
            return await entry(self, *args, **kwargs)
        except BaseException as error:
            run = current_run.get()
            if run is not None:
                sink.fails(run.run_id, run.flow, error)
            raise
        finally:
            current_run.reset(token)

    return runs


def _part(library: ModuleType, name: str) -> Any:
    """The library itself, or the part of it that has the bus."""
    if hasattr(library, "subscribe"):
        return library
    try:
        part = importlib.import_module(f"{LIBRARY}.{name}")
    except ImportError:
        return None
    return part if hasattr(part, "subscribe") else None


def _part_of(library: ModuleType, module: str, name: str) -> Any:
    if hasattr(library, name):
        return getattr(library, name)
    try:
        return getattr(importlib.import_module(f"{LIBRARY}.{module}"), name, None)
    except ImportError:
        return None
