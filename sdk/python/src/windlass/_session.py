"""Asking for work, handing it to functions, and ending in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from typing import TYPE_CHECKING, Any, Mapping

import httpx

from ._call import Call, body
from ._duration import written
from ._hold import DRAINING, Function, Hold
from .errors import ApiError, Unavailable, Unreachable

if TYPE_CHECKING:
    from .aio import AsyncClient

log = logging.getLogger("windlass.worker")

POLL = "/api/v1/tasks/poll"
POLL_WAIT = 30.0
TASKS_AT_ONCE = 100
PAUSE_FIRST, PAUSE_MAX = 0.5, 30.0
# What a function gets to end that was told to.
STOP_GRACE = 5.0


class Handlers:
    """Which function does what."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[str, Function]] = {"kinds": {}, "queues": {}, "roles": {}}
        self._units: dict[tuple[str, str], Function] = {}

    def add(self, group: str, name: str, function: Function) -> None:
        if not name:
            raise ValueError("a name has at least one character")
        if name in self._by_name[group]:
            raise ValueError(f"{name!r} is done by another function already")
        self._by_name[group][name] = function

    def add_role(self, role: str, instance: str | None, function: Function) -> None:
        if instance is None:
            return self.add("roles", role, function)
        if not role or not instance:
            raise ValueError("a name has at least one character")
        if (instance, role) in self._units:
            raise ValueError(f"{role!r} of {instance!r} is done by another function already")
        others = [known for known, known_role in self._units if known_role == role]
        if others and not all(_is_id(one) for one in (*others, instance)):
            # A task says of its instance nothing but the id.
            message = f"{role!r} of several instances: name them by their ids, not by their names"
            raise ValueError(message)
        self._units[instance, role] = function

    def check(self) -> None:
        if not self._units and not any(self._by_name.values()):
            raise ValueError(
                "the worker has no function; register one with `@worker.kind` or the like"
            )

    def demand(self) -> dict[str, Any]:
        """What to ask for. What there is nothing of is not named at all."""
        demand: dict[str, Any] = {
            name: list(known) for name, known in self._by_name.items() if known
        }
        if self._units:
            units = [{"instance": instance, "role": role} for instance, role in self._units]
            demand["units"] = units
        return demand

    def find(self, task: Mapping[str, Any]) -> Function | None:
        """The function for a task, if we have asked for such."""
        unit, queue = task.get("unit"), task.get("queue") or ""
        if unit is not None:
            return self._of_unit(unit)
        if task["kind"] == "actor":
            return self._by_name["roles"].get(queue.partition("role:")[2])
        if task["kind"] == "worker":
            return self._by_name["queues"].get(queue)
        return self._by_name["kinds"].get(task["kind"])

    def _of_unit(self, unit: Mapping[str, Any]) -> Function | None:
        of_role = {one: do for (one, role), do in self._units.items() if role == unit["role"]}
        if len(of_role) == 1:
            return next(iter(of_role.values()))
        by_id = {one.lower(): do for one, do in of_role.items()}
        return by_id.get(str(unit["instance_id"]).lower())


def _is_id(word: str) -> bool:
    try:
        uuid.UUID(word)
    except ValueError:
        return False
    return True


class Session:
    """A worker's life between its start and its end."""

    def __init__(
        self,
        client: AsyncClient,
        handlers: Handlers,
        name: str,
        concurrency: int,
        lease: float,
        drain: float,
    ) -> None:
        self._client = client
        self._handlers = handlers
        self._name = name
        self._concurrency = concurrency
        self._lease = lease
        self._drain_time = drain
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._works: dict[asyncio.Task[None], Hold] = {}

    def stop_soon(self) -> None:
        """From any thread. The second time, nothing is waited for."""

        def stop() -> None:
            (self._stop_now if self._stop.is_set() else self._stop).set()

        # A loop that is closed has nothing left to stop.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(stop)

    async def run(self) -> None:
        log.info("worker %s asks %s for work", self._name, self._client.settings.server)
        try:
            await self._ask()
        except asyncio.CancelledError:
            self._stop_now.set()
            raise
        finally:
            self._stop.set()
            await self._drain()
        log.info("worker %s has ended", self._name)

    async def _ask(self) -> None:
        pause = PAUSE_FIRST
        while not self._stop.is_set():
            free = self._concurrency - len(self._works)
            if free <= 0:
                await self._until_stop(*self._works)
                continue
            try:
                tasks = await self._poll(min(free, TASKS_AT_ONCE))
            except (Unreachable, Unavailable) as error:
                asked = error.retry_after if isinstance(error, ApiError) else None
                log.warning("no work can be asked for: %s", error)
                await self._sleep(max(pause * random.uniform(0.5, 1.0), asked or 0.0))
                pause = min(pause * 2, PAUSE_MAX)
                continue
            pause = PAUSE_FIRST
            for task in tasks:
                self._begin(task)

    async def _poll(self, most: int) -> list[dict[str, Any]]:
        question = {
            "worker": self._name,
            "max": most,
            "wait": written(POLL_WAIT),
            "lease": written(self._lease),
            **self._handlers.demand(),
        }
        call = Call("POST", POLL, _tasks, content=body(question), timeout=POLL_WAIT + 15.0)
        poll = asyncio.create_task(self._client._send(call))
        try:
            await self._until_stop(poll)
        finally:
            if not poll.done():
                # The server takes back what it was about to hand to a caller that hangs up.
                poll.cancel()
                await asyncio.wait({poll})
        return [] if poll.cancelled() else poll.result()

    def _begin(self, task: dict[str, Any]) -> None:
        function = self._handlers.find(task)
        hold = Hold(self._client, self._name, self._lease, task)
        if self._stop.is_set() or function is None:
            if function is None:
                log.error("%r was not asked for, and goes back", hold.task)
            work = asyncio.create_task(hold.release())
        else:
            work = asyncio.create_task(hold.work(function))
        self._works[work] = hold
        work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[None]) -> None:
        hold = self._works.pop(work)
        if not work.cancelled() and work.exception() is not None:
            log.error("%r could not be seen to its end", hold.task, exc_info=work.exception())

    async def _drain(self) -> None:
        """Waits for what is being done; then stops it, and gives it back."""
        if self._works and not self._stop_now.is_set():
            log.info("waiting for %d tasks", len(self._works))
            hurry = asyncio.create_task(self._stop_now.wait())
            end = self._loop.time() + self._drain_time
            while self._works and not hurry.done() and self._loop.time() < end:
                left = end - self._loop.time()
                some: set[asyncio.Task[Any]] = {hurry, *self._works}
                await asyncio.wait(some, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            hurry.cancel()
        works = dict(self._works)
        for hold in works.values():
            hold.stop(DRAINING)
        if works:
            await asyncio.wait(works, timeout=STOP_GRACE)
        for work, hold in works.items():
            if not work.done():
                log.error("%r does not stop; it is lost when its lease ends", hold.task)
                work.cancel()
        if self._works:
            await asyncio.wait(dict(self._works))

    async def _until_stop(self, *others: asyncio.Task[Any]) -> None:
        """Waits until one of these has ended, or the worker is to stop."""
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({stop, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _tasks(response: httpx.Response) -> list[dict[str, Any]]:
    if response.status_code == 204:
        return []
    tasks: list[dict[str, Any]] = response.json()["tasks"]
    return tasks
