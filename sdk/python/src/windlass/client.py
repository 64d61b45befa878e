"""The client for programs that wait for each answer."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Iterator, Mapping, TypeVar

import httpx

from . import _calls
from ._call import Call, Patience
from ._calls import Source
from ._settings import Settings, Verify
from ._sse import Decoder, Place
from .errors import ApiError, RunFailed, Unavailable, Unreachable, WaitTimeout
from .models import (
    Approval,
    Instance,
    LogLine,
    Run,
    Step,
    StreamEvent,
    UnitOfWork,
    Workflow,
)

T = TypeVar("T")

LOOK_AGAIN_FIRST = 0.02
LOOK_AGAIN_MAX = 1.0


class Client:
    """Asks a server.

    What is left out comes from `WINDLASS_SERVER` and `WINDLASS_API_KEY`. A request is said again up
    to `retries` times while the server cannot be reached or says 503, with the same idempotency
    key. A client may be used by several threads.
    """

    def __init__(
        self,
        server: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 5,
        verify: Verify = True,
    ) -> None:
        self.settings = Settings.of(server, api_key, timeout, retries, verify)
        self._http = httpx.Client(**self.settings.http())

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def deploy(self, source: Source) -> Workflow:
        """Deploys a definition: YAML or JSON as text, a file's `Path`, or a mapping."""
        return self._send(_calls.deploy(source))

    def execute(
        self,
        workflow: str,
        input: Any = None,
        *,
        idempotency_key: str | None = None,
        labels: Mapping[str, str] | None = None,
        external_id: str | None = None,
        wait: float | None = None,
    ) -> RunHandle:
        """Runs a workflow's newest version. When this returns, the run is durable.

        The same key and content give the same run for 7 days. With `wait`, it returns when the
        run is over or so many seconds have passed.
        """
        call = _calls.execute(workflow, input, idempotency_key, labels, external_id, wait)
        run = self._send(call)
        return RunHandle(self, run.id, run)

    def import_template(self, source: Source) -> Workflow:
        """Imports a template that actors drive: YAML or JSON as text, a file's `Path`, a mapping."""
        return self._send(_calls.import_template(source))

    def instantiate(
        self,
        template: str,
        *,
        name: str | None = None,
        description: str | None = None,
        version: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Instance:
        """Makes an instance of a template: its own copy, which later versions never touch."""
        call = _calls.instantiate(template, name, description, version, settings)
        return self._send(call)

    def add_unit(
        self,
        instance: str,
        attributes: Mapping[str, Any],
        *,
        reasoning: str | None = None,
        priority: int | None = None,
        fairness_key: str | None = None,
        max_interactions: int | None = None,
        idempotency_key: str | None = None,
    ) -> UnitOfWork:
        """Gives an instance a unit of work. When this returns, it is durable.

        `run(unit.id)` follows it to its end.
        """
        terms = (reasoning, priority, fairness_key, max_interactions, idempotency_key)
        return self._send(_calls.add_unit(instance, attributes, *terms))

    def unit(self, unit_id: str) -> UnitOfWork:
        """A unit of work as it stands, with its attributes."""
        return self._send(_calls.get_unit(unit_id))

    def run(self, run_id: str) -> RunHandle:
        """A run that is there already, by its id or external id. Asks nothing yet."""
        return RunHandle(self, run_id)

    def _send(self, call: Call[T]) -> T:
        patience = Patience(call, self.settings.retries)
        while True:
            pause: float | None
            try:
                response = self._http.send(call.request(self._http))
            except httpx.RequestError as error:
                pause = patience.after_error(error)
                if pause is None:
                    raise call.unreachable(error, self.settings.server) from error
            else:
                pause = patience.after_answer(response)
                if pause is None:
                    return call.answer(response)
            time.sleep(pause)


class RunHandle:
    """A run, and what can be asked of it."""

    def __init__(self, client: Client, run_id: str, created: Run | None = None) -> None:
        self._client = client
        self.id = run_id
        self.created = created
        """The run as it was when it was created, if this handle comes from `execute`."""

    def __repr__(self) -> str:
        return f"RunHandle({self.id!r})"

    def get(self) -> Run:
        """The run as it stands."""
        return self._client._send(_calls.get_run(self.id))

    def wait(self, timeout: float | None = None) -> Run:
        """Waits until the run is over, however it ends.

        Raises `WaitTimeout` when it is not over after so many seconds. It goes on then.
        """
        until = None if timeout is None else time.monotonic() + timeout
        pause = LOOK_AGAIN_FIRST
        while True:
            run = self.get()
            if run.is_over:
                return run
            if until is not None:
                left = until - time.monotonic()
                if left <= 0:
                    raise WaitTimeout(f"run {run.id} is still {run.status} after {timeout} s")
                pause = min(pause, left)
            time.sleep(pause)
            pause = min(pause * 1.5, LOOK_AGAIN_MAX)

    def result(self, timeout: float | None = None) -> Any:
        """Waits for the output. Raises `RunFailed` if there is none."""
        run = self.wait(timeout)
        if run.status != "succeeded":
            raise RunFailed(run)
        return run.output

    def steps(self) -> Iterator[Step]:
        """Its steps, in the order in which they came up."""
        cursor: str | None = None
        while True:
            page = self._client._send(_calls.steps(self.id, cursor))
            yield from map(Step.read, page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def logs(self, path: str | None = None, *, after: int | None = None) -> Iterator[LogLine]:
        """Lines that its steps, or one of them, have written so far."""
        yield from map(LogLine.read, self._logs(path, after))

    def stream(self, *, after: int | None = None) -> Iterator[StreamEvent]:
        """What happens in it, until it is over.

        The first event is `snapshot`, unless `after` names the last event that was seen. A
        connection that breaks is made again; no event and no log line is missed or comes twice.
        """
        place, patience = Place(after), _reconnects(self.id)
        while True:
            # Who comes back sees to it that no line is lost.
            is_back, moved = place.log_seq is not None, False
            try:
                call = _calls.stream(self.id, place.headers())
                request = call.request(self._client._http)
                response = self._client._http.send(request, stream=True)
                try:
                    if not response.is_success:
                        response.read()
                        call.answer(response)
                    if is_back or response.status_code == 204:
                        yield from self._lines_behind(place)
                    if response.status_code == 204:
                        return
                    decoder = Decoder()
                    for chunk in response.iter_bytes():
                        for frame in decoder.feed(chunk):
                            moved = True
                            if place.misses_before(frame):
                                yield from self._lines_behind(place)
                            event = place.event(frame)
                            if event is not None:
                                yield event
                finally:
                    response.close()
                # It has ended because the run has, or because the server goes down.
                error: Exception | None = None
            except (httpx.RequestError, Unavailable) as broken:
                error = broken
            if moved:
                patience = _reconnects(self.id)
            pause = patience.after_error(httpx.ReadError(str(error or "the stream ended")))
            if pause is None:
                if isinstance(error, ApiError):
                    raise error
                raise Unreachable(f"the stream of run {self.id} cannot be resumed: {error}")
            if not moved:
                time.sleep(pause)

    def signal(self, name: str, payload: Any = None, *, idempotency_key: str | None = None) -> Run:
        """Sends it a signal. It has it when this returns."""
        return self._client._send(_calls.signal(self.id, name, payload, idempotency_key))

    def approval(self, step: str) -> Approval:
        """What one of its steps asks now."""
        return self._client._send(_calls.approval(self.id, step))

    def approve(
        self,
        step: str,
        *,
        form: Mapping[str, Any] | None = None,
        comment: str | None = None,
        hash: str | None = None,
    ) -> Run:
        """Says yes to what a step asks, in the name of the key."""
        return self._client._send(_calls.decide(self.id, step, "approve", form, comment, hash))

    def reject(self, step: str, *, comment: str | None = None, hash: str | None = None) -> Run:
        """Says no to what a step asks, in the name of the key."""
        return self._client._send(_calls.decide(self.id, step, "reject", None, comment, hash))

    def cancel(self, reason: str | None = None, *, wait: float | None = None) -> Run:
        """Cancels it. One that is over is a `Conflict`."""
        return self._client._send(_calls.cancel(self.id, reason, wait))

    def _logs(self, path: str | None, after: int | None) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._client._send(_calls.logs(self.id, path, after, cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _lines_behind(self, place: Place) -> Iterator[StreamEvent]:
        if place.log_seq is None:
            return
        for line in self._logs(None, place.log_seq):
            event = place.log(line)
            if event is not None:
                yield event


def _reconnects(run_id: str) -> Patience:
    """How often a stream is begun anew while nothing comes out of it: for about a minute."""
    return Patience(_calls.stream(run_id, {}), 16)
