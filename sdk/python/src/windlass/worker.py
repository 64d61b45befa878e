"""A worker: functions that do what a server hands out."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import uuid
from typing import Any, Awaitable, Callable, Mapping, TypeVar, Union

from ._session import Handlers, Session
from .aio import AsyncClient
from .client import Client
from .tasks import Submit, Task, Unit

Answer = Union[Mapping[str, Any], Submit, None]
UnitFunction = Callable[[Unit], Union[Answer, Awaitable[Answer]]]
TaskFunction = Callable[[Task], Any]
F = TypeVar("F", bound=Callable[..., Any])

LEASE_MIN, LEASE_MAX = 1.0, 3600.0


class Worker:
    """Asks a server for work and has functions do it, several at once if it may.

    While a function works, heartbeats go out by themselves, three in each lease. An ordinary
    function works in a thread of its own; an `async` one in the event loop, which it must not hold
    up. A worker that is told to end asks for no more work, gives what it does `drain` seconds to
    end, and gives the rest back. A function that does not stop keeps its task until the lease ends.
    """

    def __init__(
        self,
        client: Client | AsyncClient | None = None,
        *,
        name: str | None = None,
        concurrency: int = 1,
        lease: float = 60.0,
        drain: float = 30.0,
    ) -> None:
        if not 1 <= concurrency <= 1000:
            raise ValueError("concurrency is 1 to 1000")
        if not LEASE_MIN <= lease <= LEASE_MAX:
            raise ValueError("a lease lasts for 1 to 3600 seconds")
        name = name if name is not None else _own_name()
        if not (1 <= len(name) <= 100 and name.isprintable()):
            raise ValueError("a worker's name has 1 to 100 characters that can be seen")
        # Connections belong to the loop that makes them, so the client lends its settings alone.
        self.settings = client.settings if client is not None else Client().settings
        self.name = name
        """Two workers at the same time take two names."""
        self.concurrency = concurrency
        self.lease = lease
        self.drain = drain
        self._handlers = Handlers()
        self._session: Session | None = None
        self._is_stopped = False
        self._lock = threading.Lock()

    def role(self, name: str, *, instance: str | None = None) -> Callable[[F], F]:
        """The function does units of work for a role of an instance, by its id or name.

        It gets a `Unit` and returns its attributes as a mapping, or a `Submit`. Without `instance`
        it does steps of the kind `actor` with this role instead: it gets a `Task` and returns the
        output.
        """

        def register(function: F) -> F:
            self._handlers.add_role(name, instance, function)
            return function

        return register

    def kind(self, name: str) -> Callable[[F], F]:
        """The function does steps of a plugin's kind: it gets a `Task` and returns the output."""

        def register(function: F) -> F:
            self._handlers.add("kinds", name, function)
            return function

        return register

    def queue(self, name: str) -> Callable[[F], F]:
        """The function does steps of the kind `worker` on this queue, like those of a plugin."""

        def register(function: F) -> F:
            self._handlers.add("queues", name, function)
            return function

        return register

    def run(self) -> None:
        """Works until SIGTERM or SIGINT, and has drained when it returns.

        A second signal gives back at once what can be given back. Raises what the server refuses
        for good, such as a key that may not work.
        """
        asyncio.run(self._run(handles_signals=True))

    async def run_async(self) -> None:
        """Works until `stop` is called, and has drained when it returns.

        Cancelled, it gives back at once what it does.
        """
        await self._run(handles_signals=False)

    def stop(self) -> None:
        """Tells the worker to end, from any thread. Said twice, it waits for nothing."""
        with self._lock:
            session, self._is_stopped = self._session, True
        if session is not None:
            session.stop_soon()

    async def _run(self, handles_signals: bool) -> None:
        self._handlers.check()
        async with AsyncClient(
            self.settings.server,
            # Nothing is to be found in the environment that the client did not find.
            self.settings.api_key or "",
            timeout=self.settings.timeout,
            retries=0,
            verify=self.settings.verify,
        ) as client:
            session = Session(
                client, self._handlers, self.name, self.concurrency, self.lease, self.drain
            )
            with self._lock:
                if self._session is not None:
                    raise RuntimeError("the worker runs already")
                self._session = session
                if self._is_stopped:
                    session.stop_soon()
            forget = _on_signals(self.stop) if handles_signals else None
            try:
                await session.run()
            finally:
                if forget is not None:
                    forget()
                with self._lock:
                    self._session, self._is_stopped = None, False


def _own_name() -> str:
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:6]}"


def _on_signals(stop: Callable[[], None]) -> Callable[[], None]:
    """Calls it on SIGTERM and SIGINT; what is answered sets everything as it was."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    handler = lambda *_: loop.call_soon_threadsafe(stop)  # noqa: E731
    before = {one: signal.signal(one, handler) for one in (signal.SIGTERM, signal.SIGINT)}

    def forget() -> None:
        for one, earlier in before.items():
            signal.signal(one, earlier)

    return forget
