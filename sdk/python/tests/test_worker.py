"""Workers, against a server: kinds of a plugin."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from server import Server
from windlass import Cancelled, Client, Denied, Fail, RunFailed, RunHandle, Task, Worker

from conftest import KEY, Working

OneStep = Callable[..., str]
WITHIN = 30


def test_functions_do_steps_each_in_its_way(
    client: Client, working: Working, one_step: OneStep
) -> None:
    worker = Worker(client, concurrency=2)
    keys = []

    @worker.kind("shout")
    def shout(task: Task) -> dict[str, str]:
        keys.append(task.idempotency_key)
        task.log("loud")
        task.log("louder\nloudest", "stderr")
        return {"text": task.config["text"].upper()}

    @worker.kind("count")
    async def count(task: Task) -> int:
        await asyncio.sleep(0)
        return len(task.config["text"])

    with working(worker):
        run = client.execute(one_step("shout", {"text": "hello"}))
        assert run.result(WITHIN) == {"text": "HELLO"}
        assert client.execute(one_step("count", {"text": "hello"})).result(WITHIN) == 5
    assert keys == [f"{run.id}/one"]
    lines = [(line.stream, line.text) for line in run.logs()]
    assert lines == [("stdout", "loud"), ("stderr", "louder"), ("stderr", "loudest")]


def test_an_error_is_retried_or_not_and_seen(
    client: Client, working: Working, one_step: OneStep
) -> None:
    worker = Worker(client, concurrency=3)
    attempts = []

    @worker.kind("shout")
    def at_the_second_time(task: Task) -> int:
        attempts.append(task.attempt)
        if task.attempt == 1:
            raise OSError("the printer is on fire")
        return task.attempt

    @worker.kind("hold")
    def never(task: Task) -> None:
        raise Fail("no_paper", "there is none", retryable=False, details={"trays": 2})

    @worker.kind("count")
    def nonsense(task: Task) -> object:
        return object()

    with working(worker):
        retry = {"max_attempts": 3, "delay": "10ms"}
        run = client.execute(one_step("shout", retry=retry))
        assert run.result(WITHIN) == 2
        assert attempts == [1, 2]
        assert "OSError: the printer is on fire" in [line.text for line in run.logs()]
        for kind, code in (("hold", "no_paper"), ("count", "bad_output")):
            with pytest.raises(RunFailed):
                run = client.execute(one_step(kind, retry=retry))
                run.result(WITHIN)
            step = next(iter(run.steps()))
            assert step.error is not None
            assert (step.attempt, step.error["code"]) == (1, code)
    with pytest.raises(ValueError):
        Fail("Not A Code", "x")


def test_a_cancelled_step_stops_its_function(
    client: Client, working: Working, one_step: OneStep
) -> None:
    worker = Worker(client, concurrency=2, lease=1)
    ended: dict[str, str | None] = {}
    began = {name: threading.Event() for name in ("shout", "hold")}

    @worker.kind("shout")
    async def coroutine(task: Task) -> None:
        began["shout"].set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended["shout"] = task.reason
            raise

    @worker.kind("hold")
    def thread(task: Task) -> None:
        began["hold"].set()
        assert task.cancelled.wait(WITHIN)
        ended["hold"] = task.reason
        task.check()

    with working(worker):
        for kind in ("shout", "hold"):
            run = client.execute(one_step(kind))
            assert began[kind].wait(WITHIN)
            assert run.cancel(wait=WITHIN).status == "cancelled"
            # Both hear of it by their next heartbeat.
    assert ended == {"shout": "cancelled", "hold": "cancelled"}


def test_a_function_that_takes_longer_than_a_lease_keeps_its_task(
    client: Client, working: Working, one_step: OneStep
) -> None:
    worker = Worker(client, lease=1)
    fences = []

    @worker.kind("hold")
    def long(task: Task) -> str:
        fences.append(task.fence)
        # Time is what this is about: two leases and a half.
        assert not task.cancelled.wait(2.5)
        return "done"

    with working(worker):
        assert client.execute(one_step("hold")).result(WITHIN) == "done"
    assert len(fences) == 1


def test_a_worker_that_is_told_to_end_finishes_what_it_does(
    client: Client, working: Working, one_step: OneStep
) -> None:
    worker = Worker(client)
    began, go_on = threading.Event(), threading.Event()

    @worker.kind("hold")
    def held(task: Task) -> str:
        began.set()
        assert go_on.wait(WITHIN)
        return "in time"

    with working(worker):
        run = client.execute(one_step("hold"))
        assert began.wait(WITHIN)
        worker.stop()
        go_on.set()
        assert run.result(WITHIN) == "in time"


@pytest.mark.parametrize("is_async", [False, True])
def test_what_it_cannot_finish_goes_to_another(
    client: Client, working: Working, one_step: OneStep, is_async: bool
) -> None:
    first, began = Worker(client, drain=0.0, lease=60), threading.Event()
    if is_async:

        @first.kind("hold")
        async def held(task: Task) -> None:
            began.set()
            await asyncio.sleep(3600)

    else:

        @first.kind("hold")
        def waits(task: Task) -> None:
            began.set()
            assert task.cancelled.wait(WITHIN)
            raise Cancelled

    with working(first):
        run = client.execute(one_step("hold"))
        assert began.wait(WITHIN)
    second = Worker(client)
    second.kind("hold")(lambda task: task.attempt)
    with working(second):
        # Well before the lease would have ended, and it is the same attempt.
        assert run.result(WITHIN) == 1


SCRIPT = """
import sys
from pathlib import Path
from windlass import Task, Worker

worker = Worker(lease=2)

@worker.kind("hold")
def held(task: Task) -> str:
    Path(sys.argv[1]).touch()
    while not Path(sys.argv[2]).exists():
        task.cancelled.wait(0.02)
    return "by " + sys.argv[1][-1]

worker.run()
"""


class Process:
    """A worker in a process of its own, which waits for a file before it ends its task."""

    def __init__(self, server: Server, place: Path, name: str) -> None:
        self.began, self.go_on = place / f"began-{name}", place / "go-on"
        environment = {"WINDLASS_SERVER": server.url, "WINDLASS_API_KEY": KEY}
        command = [sys.executable, "-c", SCRIPT, str(self.began), str(self.go_on)]
        self.process = subprocess.Popen(command, env={**os.environ, **environment})

    def wait_until_begun(self) -> None:
        end = time.monotonic() + WITHIN
        while not self.began.exists():
            assert time.monotonic() < end and self.process.poll() is None
            time.sleep(0.02)


def test_sigterm_drains_and_a_killed_worker_is_replaced(
    server: Server, client: Client, one_step: OneStep, tmp_path: Path
) -> None:
    run: RunHandle = client.execute(one_step("hold"))
    killed = Process(server, tmp_path, "1")
    killed.wait_until_begun()
    killed.process.kill()
    killed.process.wait()
    drained = Process(server, tmp_path, "2")
    try:
        drained.wait_until_begun()
        drained.process.send_signal(signal.SIGTERM)
        drained.go_on.touch()
        assert drained.process.wait(WITHIN) == 0
    finally:
        drained.process.kill()
        drained.process.wait()
    assert run.result(WITHIN) == "by 2"


def test_a_worker_that_may_not_work_hears_so(server: Server, client: Client) -> None:
    worker = Worker(Client(server.url, "wl_wrong"))
    worker.kind("hold")(lambda task: None)
    with pytest.raises(Denied):
        worker.run()
    with pytest.raises(ValueError):
        Worker(client).run()
    with pytest.raises(ValueError):
        worker.kind("hold")(lambda task: None)
    wrong: list[dict[str, Any]] = [{"lease": 0.5}, {"concurrency": 0}, {"name": ""}]
    for arguments in wrong:
        with pytest.raises(ValueError):
            Worker(client, **arguments)
