"""Plain scripts, seen: `@flow` and `@task` report what a function does, and `LogHandler` what it logs.

Without a server in the environment, and without one in `observe`, nothing is reported and the
functions are called as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import random
import threading
import time
import uuid
from contextvars import ContextVar, Token
from typing import Any, Callable, Iterable, Iterator, TypeVar, cast, overload

from ._context import Current, current_attempt, current_node, current_run, module_of
from ._told import ended, params_taken_down, taken_down, told
from .sender import Sender, log, url_of

F = TypeVar("F", bound=Callable[..., Any])
# A part of the reporting, which is nothing that a flow knows of.
Part = TypeVar("Part", bound=Callable[..., Any])


def _harmless(part: Part) -> Part:
    """Such that nothing that goes wrong in it is seen by the flow: then it answers None."""

    @functools.wraps(part)
    def does(*args: Any, **kwargs: Any) -> Any:
        try:
            return part(*args, **kwargs)
        except Exception:
            # Even telling of it may go wrong: a handler is somebody else's, and the stack may be full.
            with contextlib.suppress(Exception):
                log.debug("%s went wrong", part.__qualname__, exc_info=True)
            return None

    return cast(Part, does)


_sender: Sender | None = None
# Whether the environment names a server that cannot be one.
_is_hopeless = False
_lock = threading.Lock()


def observe(url: str | None = None, api_key: str | None = None, **options: Any) -> Sender:
    """Reports to this server from now on. `options` are those of `Sender`."""
    global _sender
    with _lock:
        if _sender is not None:
            _sender.close()
        _sender = Sender(url, api_key, **options)
        return _sender


def sender() -> Sender | None:
    """What events are sent with; the server in the environment, if there is one. Never raises."""
    global _sender, _is_hopeless
    if _sender is None and not _is_hopeless and url_of() is not None:
        with _lock:
            if _sender is None and not _is_hopeless:
                try:
                    _sender = Sender()
                except ValueError as error:
                    _is_hopeless = True
                    log.warning("nothing is reported: %s", error)
    return _sender


@overload
def flow(function: F) -> F: ...


@overload
def flow(
    *,
    name: str | None = None,
    key: str | None = None,
    tags: Iterable[str] = (),
    metadata: dict[str, Any] | None = None,
    result: bool = True,
    hide: Iterable[str] = (),
) -> Callable[[F], F]: ...


def flow(
    function: F | None = None,
    *,
    name: str | None = None,
    key: str | None = None,
    tags: Iterable[str] = (),
    metadata: dict[str, Any] | None = None,
    result: bool = True,
    hide: Iterable[str] = (),
) -> F | Callable[[F], F]:
    """A function whose calls are runs. `key` tells the flow from all others; left out, it is
    `module:name`, where a program itself goes by the name of its file. The arguments are the run's
    parameters, and what it returns the run's output, unless `result` is false. Texts in them under a
    name like `password` or `token` are told as `***`, and so are the parameters that `hide` names. What
    it raises it still raises."""

    def decorate(function: F) -> F:
        label = name or function.__name__
        flow_key = key or f"{module_of(function.__module__)}:{label}"
        signature, hidden = inspect.signature(function), frozenset(hide)

        @_harmless
        def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Current | None:
            to = sender()
            if to is None:
                return None
            run = Current(to, str(uuid.uuid4()), label, flow_key)
            more: dict[str, object] = {"params": _params(signature, hidden, args, kwargs)}
            if tags:
                more["tags"] = list(tags)
            if metadata:
                more["metadata"] = metadata
            run.say("flow_started", **more)
            return run

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def runs_async(*args: Any, **kwargs: Any) -> Any:
                run = begin(args, kwargs)
                if run is None:
                    return await function(*args, **kwargs)
                with _within(run) as end:
                    returned = await function(*args, **kwargs)
                    end.returns(returned, result)
                    return returned

            return cast(F, runs_async)

        @functools.wraps(function)
        def runs(*args: Any, **kwargs: Any) -> Any:
            run = begin(args, kwargs)
            if run is None:
                return function(*args, **kwargs)
            with _within(run) as end:
                returned = function(*args, **kwargs)
                end.returns(returned, result)
                return returned

        return cast(F, runs)

    return decorate if function is None else decorate(function)


@overload
def task(function: F) -> F: ...


@overload
def task(
    *,
    name: str | None = None,
    retries: int = 0,
    backoff: float = 0.0,
    jitter: float = 0.0,
    tags: Iterable[str] = (),
    result: bool = True,
) -> Callable[[F], F]: ...


def task(
    function: F | None = None,
    *,
    name: str | None = None,
    retries: int = 0,
    backoff: float = 0.0,
    jitter: float = 0.0,
    tags: Iterable[str] = (),
    result: bool = True,
) -> F | Callable[[F], F]:
    """A function whose calls are tasks of the run around them. It is called again `retries` times
    after an exception, `backoff` seconds later, twice as many each time, and up to `jitter` more. What
    it returns is reported unless `result` is false. Outside of a flow it is called just the same, and
    nothing is reported."""

    def decorate(function: F) -> F:
        label = name or function.__name__
        more: dict[str, object] = {"tags": list(tags)} if tags else {}

        def pause(attempt: int) -> float:
            return float(backoff * 2 ** (attempt - 1) + random.uniform(0, jitter))

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def does_async(*args: Any, **kwargs: Any) -> Any:
                life = _Life(label, retries, more)
                try:
                    while True:
                        try:
                            returned = await function(*args, **kwargs)
                        except Exception as error:
                            if not life.fails(error):
                                raise
                            await asyncio.sleep(pause(life.attempt - 1))
                            life.begins_again()
                        else:
                            life.returns(returned, result)
                            return returned
                except BaseException as error:
                    life.breaks(error)
                    raise
                finally:
                    life.leave()

            return cast(F, does_async)

        @functools.wraps(function)
        def does(*args: Any, **kwargs: Any) -> Any:
            life = _Life(label, retries, more)
            try:
                while True:
                    try:
                        returned = function(*args, **kwargs)
                    except Exception as error:
                        if not life.fails(error):
                            raise
                        time.sleep(pause(life.attempt - 1))
                        life.begins_again()
                    else:
                        life.returns(returned, result)
                        return returned
            except BaseException as error:
                life.breaks(error)
                raise
            finally:
                life.leave()

        return cast(F, does)

    return decorate if function is None else decorate(function)


# Runs that are under way in this process, in whichever thread.
_open_runs: set[str] = set()
_missed: set[str] = set()


def _miss(task: str) -> None:
    """A task is called outside of any run, which is no mistake unless one is under way elsewhere."""
    if _open_runs and task not in _missed:
        _missed.add(task)
        log.warning(
            "%s is called in a thread that knows of no run, and is not reported: "
            "call it in contextvars.copy_context(), as asyncio.to_thread does",
            task,
        )


class _End:
    """How a run ends well."""

    def __init__(self) -> None:
        self.fields: dict[str, object] = {}

    def returns(self, value: object, is_told: bool) -> None:
        if is_told and value is not None:
            self.fields["result"] = taken_down(value)


@_harmless
def _tell_end(run: Current, end: _End, error: BaseException | None = None) -> None:
    how = ended(error) if error is not None else {"status": "SUCCEEDED", **end.fields}
    run.say("flow_completed", **how)


@_harmless
def _leave(of: ContextVar[Any], token: Token[Any]) -> None:
    of.reset(token)


@contextlib.contextmanager
def _within(run: Current) -> Iterator[_End]:
    """What happens here is of this run, and ends it."""
    end = _End()
    tokens = current_run.set(run), current_node.set(None)
    _open_runs.add(run.run_id)
    try:
        yield end
    except BaseException as error:
        _tell_end(run, end, error)
        raise
    finally:
        _open_runs.discard(run.run_id)
        _leave(current_run, tokens[0])
        _leave(current_node, tokens[1])
    _tell_end(run, end)


class _Life:
    """One call of a task."""

    def __init__(self, task: str, retries: int, more: dict[str, object]) -> None:
        self.attempt = 1
        self._retries, self._task = retries, task
        self._run = current_run.get()
        self._is_over = False
        self._tokens: list[tuple[ContextVar[Any], Token[Any]]] = []
        self._begin(more)

    @_harmless
    def _begin(self, more: dict[str, object]) -> None:
        if self._run is None:
            _miss(self._task)
        else:
            self._began = time.perf_counter()
            self._node = self._run.node(self._task)
            self._tokens.append((current_node, current_node.set(self._node)))
            self._tokens.append((current_attempt, current_attempt.set(1)))
            self._run.say("task_started", task=self._task, node=self._node, **more)

    def fails(self, error: Exception) -> bool:
        """An attempt has failed. Answers whether there is another one."""
        if self.attempt > self._retries:
            return False
        if self._run is not None:
            self._say("task_retry", attempt=self.attempt, max=self._retries, error=told(error))
            current_attempt.set(self.attempt + 1)
        self.attempt += 1
        return True

    def begins_again(self) -> None:
        """The pause between two attempts is over."""
        self._say("task_started", attempt=self.attempt)

    def returns(self, value: object, is_told: bool) -> None:
        if is_told and value is not None and self._run is not None:
            self.ends("task_ok", result=taken_down(value))
        else:
            self.ends("task_ok")

    @_harmless
    def breaks(self, error: BaseException) -> None:
        """The call ends with an exception."""
        if self._run is None:
            return
        end = ended(error)
        if end["status"] == "FAILED":
            self.ends("task_err", error=end["error"])
        else:
            self.ends("task_cancelled" if end["status"] == "CANCELLED" else "task_ok")

    @_harmless
    def ends(self, event: str, **fields: object) -> None:
        if self._run is not None and not self._is_over:
            self._is_over = True
            lasted = (time.perf_counter() - self._began) * 1e3
            self._say(event, duration_ms=lasted, attempt=self.attempt, **fields)

    def leave(self) -> None:
        for of, token in self._tokens:
            _leave(of, token)

    @_harmless
    def _say(self, event: str, **fields: object) -> None:
        if self._run is not None:
            self._run.say(event, task=self._task, node=self._node, **fields)


class LogHandler(logging.Handler):
    """Reports log records of flows as their log lines. Records outside of a flow are left alone."""

    def emit(self, record: logging.LogRecord) -> None:
        run = current_run.get()
        if run is None or record.name.startswith(("windlass.", "httpx", "httpcore")):
            return
        try:
            message = self.format(record)
        except Exception:
            self.handleError(record)
            return
        fields: dict[str, object] = {"level": record.levelname, "message": message}
        node = current_node.get()
        if node is not None:
            fields["node"] = node
            if current_attempt.get():
                fields["attempt"] = current_attempt.get()
        _tell_line(run, record.created, fields)


@_harmless
def _tell_line(run: Current, at: float, fields: dict[str, Any]) -> None:
    run.say("task_log", ts=at, **fields)


def _params(
    signature: inspect.Signature,
    hidden: frozenset[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> dict[str, Any]:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        # The call itself will say what is wrong.
        return {}
    bound.apply_defaults()
    return params_taken_down(bound.arguments, hidden)
