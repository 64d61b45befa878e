"""One task in our hands: its lease, its heartbeats, its log lines and its end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
import traceback
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple

from ._call import Call, body, segment
from ._duration import seconds
from .errors import ApiError, Unavailable, Unreachable
from .tasks import Cancelled, Fail, Submit, Task, Unit

if TYPE_CHECKING:
    from .aio import AsyncClient

log = logging.getLogger("windlass.worker")

Function = Callable[[Any], Any]

DRAINING = "draining"
LEASE_ENDED = "lease_ended"

HEARTBEATS_PER_LEASE = 3
# How long before its lease ends a task is let go of that could not be prolonged.
MARGIN_SHARE, MARGIN_MIN, MARGIN_MAX = 0.1, 0.2, 5.0
# Lines and checkpoints are collected this long.
COLLECT = 0.1
SAY_AGAIN = 1.0
MESSAGE_MAX = 8_000


class Ended(NamedTuple):
    """What a function has come to."""

    value: Any
    error: BaseException | None


class Hold:
    """One task in our hands."""

    def __init__(
        self, client: AsyncClient, worker: str, lease: float, task: Mapping[str, Any]
    ) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._something_said = asyncio.Event()
        self._line_written = asyncio.Event()
        self._stopped = asyncio.Event()
        self.task = Task(task, self._wake)
        self._unit = task.get("unit")
        self._who = {"worker": worker, "fence": self.task.fence}
        self._lease = seconds(task.get("lease")) or lease
        self._end_of_lease: asyncio.TimerHandle | None = None
        self._prolong(self._loop.time())

    def stop(self, reason: str) -> None:
        """Tells the function to stop. The first reason counts."""
        if self.task.reason is None:
            self.task.reason = reason
            self.task.cancelled.set()
            self._stopped.set()

    async def release(self) -> None:
        """Gives it back untouched."""
        await self._say("release", {})
        self._forget_lease()

    async def work(self, function: Function) -> None:
        """Has it done, and says what has come of it."""
        beating = asyncio.create_task(self._beat())
        writing = asyncio.create_task(self._write_lines())
        try:
            argument = self.task if self._unit is None else Unit(self._unit, self.task)
            is_async = _is_async(function)
            begin = (
                asyncio.ensure_future(function(argument))
                if is_async
                else self._thread(function, argument)
            )
            ended = await self._follow(begin, is_async)
            await self._settle(ended, is_async)
        finally:
            self._forget_lease()
            for task in (beating, writing):
                task.cancel()

    # Having it done.

    def _thread(self, function: Function, argument: Any) -> asyncio.Future[Any]:
        """A function that nobody can interrupt, in a thread that holds nobody up at the end."""
        future: asyncio.Future[Any] = self._loop.create_future()
        context = contextvars.copy_context()

        def tell(ended: Ended) -> None:
            if not future.done():
                future.set_result(ended)

        def do() -> None:
            try:
                ended = Ended(context.run(function, argument), None)
            except BaseException as error:
                ended = Ended(None, error)
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(tell, ended)

        threading.Thread(target=do, name=f"windlass-{self.task.step}", daemon=True).start()
        return future

    async def _follow(self, begun: asyncio.Future[Any], is_async: bool) -> Ended:
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({begun, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not begun.done():
                if is_async:
                    begun.cancel()
                await asyncio.wait({begun})
        finally:
            stopped.cancel()
            if not begun.done():
                begun.cancel()
        if begun.cancelled():
            return Ended(None, Cancelled(self.task.reason))
        error = begun.exception()
        if error is not None:
            return Ended(None, error)
        return Ended(begun.result(), None) if is_async else begun.result()

    async def _settle(self, ended: Ended, is_async: bool) -> None:
        reason, error = self.task.reason, ended.error
        if reason is not None and reason != DRAINING:
            log.warning("%r: stopped (%s)", self.task, reason)
            return
        if reason == DRAINING and error is not None and (is_async or isinstance(error, Cancelled)):
            await self._flush()
            return await self._say("release", {})
        if error is not None and not isinstance(error, (Fail, Exception)):
            error = RuntimeError(f"{type(error).__name__}: {error}")
        if error is None:
            try:
                answer = self._answer(ended.value)
                body(answer)
            except (TypeError, ValueError) as wrong:
                error = Fail("bad_output", f"what was returned cannot be sent: {wrong}", False)
            else:
                await self._flush()
                return await self._complete(answer)
        if not isinstance(error, Fail):
            log.error("%r has failed", self.task, exc_info=error)
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self.task.log(text, "stderr")
        await self._flush()
        await self._say("fail", _failure(error))

    def _answer(self, value: Any) -> dict[str, Any]:
        if self._unit is None:
            return {"output": value}
        if value is None:
            value = Submit()
        if isinstance(value, Mapping):
            value = Submit(value)
        if not isinstance(value, Submit):
            raise TypeError("a function for a role returns a mapping of attributes, or a `Submit`")
        answer: dict[str, Any] = {"attributes": dict(value.attributes)}
        if value.reasoning is not None:
            answer["reasoning"] = value.reasoning
        if value.children:
            answer["children"] = [{"attributes": dict(child)} for child in value.children]
        return answer

    async def _complete(self, answer: dict[str, Any]) -> None:
        try:
            await self._say("complete", answer)
        except ApiError as error:
            # An answer that the server will never take must not keep the task for ever.
            failure = Fail("bad_output", f"the server refuses it: {error}", False)
            await self._say("fail", _failure(failure))

    # Talking to the server.

    async def _say(self, verb: str, what: Mapping[str, Any]) -> None:
        """Ends the task. What could not be delivered is said again: it counts once."""
        until = self._loop.time() + max(self._lease, 2 * SAY_AGAIN)
        while True:
            try:
                await self._post(verb, what, timeout=30.0)
                return
            except (Unavailable, Unreachable) as error:
                if self._loop.time() > until:
                    log.error("%r: cannot say `%s`: %s", self.task, verb, error)
                    return
            except ApiError as error:
                log.warning("%r: `%s` was refused: %s", self.task, verb, error)
                is_over = error.status in (401, 403, 404, 409) or error.code == "invalid-output"
                if verb == "complete" and not is_over:
                    raise
                return
            await asyncio.sleep(SAY_AGAIN)

    async def _post(self, verb: str, what: Mapping[str, Any], timeout: float) -> Any:
        path = f"/api/v1/tasks/{segment(self.task.id)}/{verb}"
        content = body({**self._who, **what})
        read = lambda response: response.json() if response.content else None  # noqa: E731
        return await self._client._send(Call("POST", path, read, content, timeout=timeout))

    async def _beat(self) -> None:
        interval = self._lease / HEARTBEATS_PER_LEASE
        soon = min(interval / 3, SAY_AGAIN)
        due = self._loop.time() + interval
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(
                    self._something_said.wait(), max(0.0, due - self._loop.time())
                )
                await asyncio.sleep(COLLECT)
            self._something_said.clear()
            told, sent_at = self.task._take_told(), self._loop.time()
            if not told and sent_at < due:
                continue
            try:
                beat = await self._post("heartbeat", told, timeout=max(0.2, min(interval, 10.0)))
            except (ApiError, Unreachable, TypeError, ValueError) as error:
                if isinstance(error, ApiError) and error.status in (404, 409):
                    return self.stop(error.code)
                if told and (isinstance(error, (TypeError, ValueError)) or _is_wrong(error)):
                    log.error("%r: checkpoint or progress is not taken: %s", self.task, error)
                    due = self._loop.time()
                    continue
                log.warning("%r: no heartbeat: %s", self.task, error)
                self.task._give_back(told)
                due = self._loop.time() + soon
            else:
                self._prolong(sent_at)
                due = sent_at + interval
                if beat["cancel"]:
                    return self.stop(beat.get("reason") or "cancelled")

    async def _write_lines(self) -> None:
        while True:
            await self._line_written.wait()
            await asyncio.sleep(COLLECT)
            self._line_written.clear()
            if not await self._send_lines():
                await asyncio.sleep(SAY_AGAIN)
                self._line_written.set()

    async def _send_lines(self) -> bool:
        """Whether all are on their way."""
        while lines := self.task._take_lines():
            try:
                await self._post("logs", {"lines": lines}, timeout=10.0)
            except (Unreachable, Unavailable):
                self.task._give_back_lines(lines)
                return False
            except ApiError as error:
                log.warning("%r: log lines were refused: %s", self.task, error)
        return True

    async def _flush(self) -> None:
        """What was said before the end is to be there at the end, if that is possible."""
        told = self.task._take_told()
        if told:
            with contextlib.suppress(ApiError, Unreachable, TypeError, ValueError):
                await self._post("heartbeat", told, timeout=5.0)
        await self._send_lines()

    # The lease.

    def _prolong(self, since: float) -> None:
        """Nobody else has the task until a lease after this moment, at which we last asked."""
        self._forget_lease()
        margin = min(max(self._lease * MARGIN_SHARE, MARGIN_MIN), MARGIN_MAX)
        self._end_of_lease = self._loop.call_at(
            since + self._lease - margin, self.stop, LEASE_ENDED
        )

    def _forget_lease(self) -> None:
        if self._end_of_lease is not None:
            self._end_of_lease.cancel()

    def _wake(self) -> None:
        def wake() -> None:
            self._something_said.set()
            self._line_written.set()

        # A thread that was left behind may speak after the end.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(wake)


def _is_async(function: Function) -> bool:
    call = getattr(function, "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _is_wrong(error: Exception) -> bool:
    return isinstance(error, ApiError) and error.status in (400, 413, 422)


def _failure(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, Fail):
        message = f"{type(error).__name__}: {error}"[:MESSAGE_MAX]
        return {"message": message, "code": "worker_error", "retryable": True}
    failure = {
        "message": error.message[:MESSAGE_MAX],
        "code": error.code,
        "retryable": error.retryable,
    }
    try:
        body(error.details)
    except (TypeError, ValueError):
        return failure
    return failure if error.details is None else {**failure, "details": error.details}
