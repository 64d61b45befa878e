"""Sending events from a thread of its own, so that whoever reports them never waits and never fails.

```
  put() ──► queue ──► thread ──► POST /api/v1/events (gzip, keep-alive)
                         │  ▲
              server away▼  │server back
                        spool (files)
```

`put` only appends to a queue. The thread makes batches and sends them. What cannot be sent goes to
files at once, and is sent when the server is back, by this process or the next one. What neither can
be sent nor kept is counted as dropped.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import queue
import random
import sys
import threading
import time
import uuid
import weakref
from typing import Any, Mapping

import httpx

from ._settings import DEFAULT_SERVER, Settings
from ._spool import Spool, place_of
from ._wire import count, halves, packed

log = logging.getLogger("windlass.sender")
# A sender that told of its own troubles would send them.
log.addHandler(logging.NullHandler())

EVENTS = "/api/v1/events"
PAUSE_FIRST, PAUSE_MAX = 0.5, 30.0
WAIT_MAX = 24 * 3_600.0
# The thread's name, in log records as well.
THREAD = "windlass"
# Answers to what was sent. All others are about the server, its address or the key, which may be others
# the next time.
TOO_LARGE = 413
# How many times `queue_max` may wait before such an event is dropped; of others, twice as many.
ROOM = {"task_log": 1, "flow_started": 3, "flow_completed": 3}
MALFORMED = {400, 422}

_senders: weakref.WeakSet[Sender] = weakref.WeakSet()


def url_of(environment: Mapping[str, str] = os.environ) -> str | None:
    """The server that the environment names, if it names one."""
    names = ("WINDLASS_URL", "AUTO_WORKFLOW_SERVER_URL", "WINDLASS_SERVER")
    return next((environment[name] for name in names if environment.get(name)), None)


class Sender:
    """Sends events to a server, in batches, in the background."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        queue_max: int = 20_000,
        batch_max: int = 1_000,
        linger: float = 0.05,
        spool: str | None = None,
        spool_bytes_max: int = 64 * 1024 * 1024,
        timeout: float = 10.0,
        flush_timeout: float = 5.0,
        alive_every: float = 60.0,
    ) -> None:
        """What is left out comes from the environment: `WINDLASS_URL` or `AUTO_WORKFLOW_SERVER_URL`,
        `WINDLASS_API_KEY` or `AUTO_WORKFLOW_SERVER_API_KEY`, `WINDLASS_SPOOL` (a directory, in which
        each server and key has one; empty for none). At most `queue_max` log lines wait in memory,
        twice as many events of tasks, and three times as many that begin or end a run: those are
        missed most. A batch is sent `linger` seconds after its first event, or once it has
        `batch_max`. Every `alive_every` seconds (0: never) runs that go on are said to, so that a
        quiet one is not taken for stalled. At the end of the process up to `flush_timeout` seconds are
        spent on what is left."""
        key = os.environ.get("WINDLASS_API_KEY") or os.environ.get("AUTO_WORKFLOW_SERVER_API_KEY")
        server = url or url_of() or DEFAULT_SERVER
        self._settings = Settings.of(server, key if api_key is None else api_key, timeout, 0, True)
        self._shown = str(httpx.URL(self._settings.server).copy_with(userinfo=b""))
        place, of = place_of(spool), self._settings
        self._spool = Spool(place, of.server, of.api_key, spool_bytes_max) if place else None
        self._queue_max, self._batch_max = queue_max, batch_max
        self._flush_timeout = flush_timeout
        # A queue cannot be waited on for ever by naming a number.
        self._linger, self._alive_every = min(linger, WAIT_MAX), min(alive_every, WAIT_MAX)
        self._sent = self._dropped = self._rejected = self._spooled = 0
        self._is_in_trouble = False
        self._begin()
        _senders.add(self)

    def _begin(self) -> None:
        self._queue: queue.SimpleQueue[dict[str, Any] | threading.Event | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closed = False
        self._over_at = 0.0
        self._in_hand: list[dict[str, Any]] = []
        self._waiting: list[threading.Event] = []
        self._is_last = self._has_stumbled = False
        self._http: httpx.Client | None = None
        self._has_files = self._spool is not None
        self._pause, self._away_until = PAUSE_FIRST, 0.0
        self._alive_at, self._dropped_told = time.monotonic(), self._dropped
        self._open: dict[str, dict[str, Any]] = {}
        self._prefix = uuid.uuid4().hex
        self._number = itertools.count()

    def put(self, event: dict[str, Any]) -> bool:
        """Takes an event, without waiting. Gives it a time and an id if it has none. Answers whether
        there was room for it. The event must not be changed afterwards."""
        what = str(event.get("event"))
        if what == "flow_completed":
            # Also if there is no room: nobody is to hear for ever that it goes on.
            self._open.pop(str(event.get("run_id")), None)
        if self._is_closed or self._queue.qsize() >= self._queue_max * ROOM.get(what, 2):
            self._dropped += 1
            return False
        if "ts" not in event:
            event["ts"] = time.time()
        if "event_id" not in event:
            event["event_id"] = f"{self._prefix}-{next(self._number)}"
        self._queue.put(event)
        if what == "flow_started":
            self._open[str(event.get("run_id"))] = event
        if self._thread is None:
            self._start()
        return True

    @property
    def counts(self) -> dict[str, int]:
        """How many events were `sent`, are kept in files (`spooled`, so far), were `rejected` by the
        server, or `dropped` because there was no room."""
        return {
            "sent": self._sent,
            "spooled": self._spooled,
            "rejected": self._rejected,
            "dropped": self._dropped,
        }

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until everything so far was sent or kept in a file. Answers whether it was."""
        if self._thread is None and not self._queue.empty():
            self._start()
        if self._thread is None or not self._thread.is_alive():
            return self._queue.empty()
        done = threading.Event()
        self._queue.put(done)
        return done.wait(self._flush_timeout if timeout is None else timeout)

    def close(self) -> None:
        """Sends or keeps what is left, and ends the thread. Waits for `flush_timeout` at most."""
        if self._is_closed:
            return
        self._over_at = time.monotonic() + self._flush_timeout
        self._is_closed = True
        self._queue.put(None)
        try:
            if self._thread is not None:
                self._thread.join(self._flush_timeout)
        finally:
            # Also if whoever waits has lost patience.
            self._save()

    def _save(self) -> None:
        """Keeps what the thread did not get rid of in time, or what there was no thread for."""
        is_late = self._thread is not None and self._thread.is_alive()
        left = list(self._in_hand)
        waiting: list[threading.Event] = []
        with contextlib.suppress(queue.Empty):
            while True:
                one = self._queue.get_nowait()
                if isinstance(one, dict):
                    left.append(one)
                elif one is not None:
                    waiting.append(one)
        if is_late:
            # It is to end when it has its answer: not every sender is closed because its process ends.
            self._queue.put(None)
        if left:
            # Some may come twice. They have ids.
            self._in_trouble("there was no answer in time" if is_late else "there is no thread")
            self._keep(left)
        for done in waiting:
            done.set()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
            try:
                thread.start()
            except Exception as error:
                # There are too many, or the program is about to end. What waits does so until the next
                # event, or for `close`.
                log.debug("there is no thread: %s", error)
            else:
                self._thread = thread

    # In the thread.

    def _run(self) -> None:
        while not self._is_last:
            try:
                self._turn()
            except BaseException as error:
                # Whatever it is, there are other events than these.
                self._stumble(error)
        if self._http is not None:
            self._http.close()

    def _turn(self) -> None:
        self._gather(self._away_until if self._has_files else None)
        batch = self._in_hand
        is_away = time.monotonic() < self._away_until
        if self._open and 0 < self._alive_every <= time.monotonic() - self._alive_at:
            self._alive_at = time.monotonic()
            # What is not heard of in time is of no use later.
            batch.extend([] if is_away else self._alive())
        if self._has_files and not is_away and not self._is_last:
            self._has_files, is_away = self._send_files()
        if batch and (is_away or not self._post(packed(batch), len(batch))):
            is_away = True
            self._has_files = self._keep(batch) or self._has_files
        if self._has_files and not is_away and self._is_last:
            # What is new comes first: if time is up, the next process has the files.
            self._send_files()
        if not is_away:
            self._pause = PAUSE_FIRST
        elif time.monotonic() >= self._away_until:
            self._away_until = time.monotonic() + self._pause * random.uniform(0.5, 1.0)
            self._pause = min(self._pause * 2, PAUSE_MAX)
        if self._dropped > self._dropped_told:
            log.warning("%s events were dropped: no room", self._dropped - self._dropped_told)
            self._dropped_told = self._dropped
        self._let_go()

    def _let_go(self) -> None:
        """The batch is sent, kept or dropped."""
        waiting, self._waiting, self._in_hand = self._waiting, [], []
        for done in waiting:
            done.set()

    def _stumble(self, error: BaseException) -> None:
        """Something went wrong of which nothing is known, and is known once."""
        batch, self._in_hand = self._in_hand, []
        with contextlib.suppress(Exception):
            if not self._has_stumbled:
                self._has_stumbled = True
                log.warning("reporting went wrong, and goes on: %s", type(error).__name__)
                log.debug("where it went wrong", exc_info=error)
        try:
            if batch:
                self._has_files = self._keep(batch) or self._has_files
        except Exception:
            self._dropped += len(batch)
        self._let_go()
        if not self._is_last:
            # It may go wrong again at once.
            time.sleep(PAUSE_FIRST)

    def _gather(self, look_again_at: float | None) -> None:
        """Takes a batch in hand, with who waits for it, and sees whether it is the last one."""
        timeout = None if look_again_at is None else max(look_again_at - time.monotonic(), 0.01)
        if self._open and self._alive_every:
            timeout = min(timeout or self._alive_every, self._alive_every)
        until = None
        while len(self._in_hand) < self._batch_max:
            try:
                one = self._queue.get(timeout=timeout)
            except queue.Empty:
                break
            if one is None:
                self._is_last = True
                break
            if isinstance(one, threading.Event):
                # Whoever waits does so for no company.
                self._waiting.append(one)
                break
            self._in_hand.append(one)
            until = until or time.monotonic() + self._linger
            timeout = max(until - time.monotonic(), 0)

    def _alive(self) -> list[dict[str, Any]]:
        names = ("run_id", "flow", "flow_key")
        return [
            {"event": "flow_alive", "ts": time.time(), **{n: run[n] for n in names if n in run}}
            for run in list(self._open.values())
        ]

    def _post(self, body: bytes, many: int) -> bool:
        """Whether the batch is the server's business now, or nobody's."""
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        try:
            if self._http is None:
                self._http = httpx.Client(**self._settings.http())
            timeout = self._time_left()
            answer = self._http.post(EVENTS, content=body, headers=headers, timeout=timeout)
        except Exception as error:
            # The network, or what it is reached with: there may be no certificates on this machine.
            return self._in_trouble(f"{type(error).__name__}: {error}")
        rejected = _rejected(answer)
        if rejected is not None:
            return self._taken(many, rejected)
        if answer.status_code == TOO_LARGE and many > 1:
            # If the second half is kept, so is the first: events have ids, and may come twice.
            return all(self._post(half, count(half)) for half in halves(body))
        if answer.status_code == TOO_LARGE or answer.status_code in MALFORMED:
            return self._taken(many, [answer.text[:200]] * many)
        return self._in_trouble(f"HTTP {answer.status_code}")

    def _taken(self, many: int, rejected: list[Any]) -> bool:
        self._sent += many - len(rejected)
        self._rejected += len(rejected)
        for one in rejected[:1]:
            log.warning("the server refuses events: %s", one)
        if self._is_in_trouble:
            log.warning("events are sent to %s again", self._shown)
            self._is_in_trouble = False
        return True

    def _in_trouble(self, why: str) -> bool:
        if not self._is_in_trouble:
            kept = f"kept in {self._spool.place}" if self._spool is not None else "dropped"
            log.warning("events cannot be sent to %s, and are %s: %s", self._shown, kept, why)
            self._is_in_trouble = True
        return False

    def _time_left(self) -> float:
        """At the end there must be time left to keep what could not be sent."""
        timeout = self._settings.timeout
        left = max((self._over_at - time.monotonic()) / 2, 0.1)
        return min(timeout, left) if self._is_closed else timeout

    def _keep(self, batch: list[dict[str, Any]]) -> bool:
        if self._spool is not None and self._spool.keep(packed(batch)):
            self._spooled += len(batch)
            return True
        self._dropped += len(batch)
        return False

    def _send_files(self) -> tuple[bool, bool]:
        """Whether there may be more files, and whether the server is away."""
        if self._spool is None:
            return False, False
        for path, body in self._spool.take():
            is_taken_in = False
            try:
                if self._is_closed and time.monotonic() > self._over_at:
                    return True, False
                is_taken_in = self._post(body, count(body))
            finally:
                # Whatever becomes of it, it is not this process's for ever.
                (self._spool.done if is_taken_in else self._spool.back)(path)
            if not is_taken_in:
                return True, True
            if not self._queue.empty():
                # What is new does not wait behind all that is old.
                return True, False
        return False, False


def _rejected(answer: httpx.Response) -> list[Any] | None:
    """The events that are refused, if this is the answer of a server that took in the others: a proxy
    or a page to sign in at may say 200, too."""
    with contextlib.suppress(ValueError, AttributeError):
        found = answer.json().get("rejected") if answer.status_code == 200 else None
        return found if isinstance(found, list) else None
    return None


def _close_all() -> None:
    for sender in list(_senders):
        try:
            sender.close()
        except BaseException as error:
            # The others have events as well.
            log.debug("a sender was not closed: %r", error)


def _begin_anew() -> None:
    """A child of a fork has no thread; what waits there is its parent's."""
    for sender in list(_senders):
        # The connections are the parent's: they are neither used nor closed.
        _of_parent.append(sender._http)
        sender._begin()
    _end_with_children()


_of_parent: list[object] = []
_is_known_to_children = False


def _end_with_children() -> None:
    """Children of `multiprocessing` end without `atexit`, but with finalizers of its own."""
    global _is_known_to_children
    util = sys.modules.get("multiprocessing.util")
    if util is None or _is_known_to_children:
        return
    # Half of it may be there: a thread may be importing it.
    with contextlib.suppress(Exception):
        # A child forgets its parent's finalizers first, and then does this.
        util.register_after_fork(_close_all, _end_with_child)
        if sys.modules["multiprocessing.process"].parent_process() is not None:
            # This is a child, and is past that.
            _end_with_child()
        _is_known_to_children = True


def _end_with_child(_: object = None) -> None:
    util = sys.modules["multiprocessing.util"]
    util.Finalize(None, _close_all, exitpriority=0)


def _is_of_others(record: logging.LogRecord) -> bool:
    return record.threadName != THREAD


# Whoever wants to read of a program's own requests is not told of these.
for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy"):
    logging.getLogger(_name).addFilter(_is_of_others)

atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
_end_with_children()
