"""What scripts do by themselves is seen, and costs them nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import httpx
import pytest
import windlass
from server import Server
from windlass import LogHandler, Sender, flow, post_event_sink, task

from conftest import KEY, Seen


@pytest.fixture
def sender(server: Server, tmp_path: Path) -> Iterator[Sender]:
    sender = windlass.observe(server.url, KEY, spool=str(tmp_path / "spool"))
    yield sender
    sender.close()


def key() -> str:
    return f"tests:{uuid.uuid4().hex}"


def test_a_script_is_seen_with_its_tasks_retries_and_lines(seen: Seen, sender: Sender) -> None:
    log, name = logging.getLogger("shop"), key()
    log.setLevel(logging.INFO)
    handler = LogHandler()
    log.addHandler(handler)
    tries: list[int] = []

    @task(retries=2)
    def load(day: int) -> int:
        tries.append(day)
        log.warning("try %s of day %s", len(tries), day)
        if len(tries) < 2:
            raise OSError("not yet")
        return day * 2

    @task
    def save(rows: int) -> None:
        raise ValueError(f"no room for {rows}")

    @flow(key=name, tags=["etl"], metadata={"env": "test"})
    def nightly(day: int = 7) -> None:
        log.info("begins")
        save(load(day))

    with pytest.raises(ValueError, match="no room for 14"):
        nightly()
    log.removeHandler(handler)
    assert sender.flush(30)
    run = seen.run(name)
    assert (run["status"], run["input"]) == ("failed", {"day": 7})
    assert run["observed"]["tags"] == ["etl"] and run["observed"]["metadata"] == {"env": "test"}
    trace = run["error"]["details"]["traceback"]
    assert "in save" in trace and "no room for {rows}" in trace, trace
    assert "flows.py" not in trace, "nobody looks for the mistake in here"
    assert run["error"]["message"] == "ValueError: no room for 14"
    steps = seen.steps(run)
    assert (steps["load:1"]["status"], steps["load:1"]["attempt"]) == ("succeeded", 2)
    assert steps["save:1"]["error"]["details"]["type"] == "ValueError"
    assert "in save" in steps["save:1"]["error"]["details"]["traceback"]
    lines = [
        (line["path"], line["attempt"], line["level"], line["text"]) for line in seen.lines(run)
    ]
    assert lines == [
        ("", 0, "info", "begins"),
        ("load:1", 1, "warning", "try 1 of day 7"),
        ("load:1", 2, "warning", "try 2 of day 7"),
    ]
    events = seen.get(f"/runs/{run['id']}/events")["items"]
    told = [event for event in events if event["type"] == "task_retried"]
    assert [one["error"]["message"] for one in told] == ["OSError: not yet"]


def test_what_functions_return_is_told_as_it_was(seen: Seen, sender: Sender) -> None:
    name = key()

    @task
    def load(rows: list[int]) -> list[int]:
        return rows

    @task(result=False)
    def password() -> str:
        return "hunter2"

    @flow(key=name)
    def nightly(rows: list[int]) -> dict[str, object]:
        found = load(rows)
        password()
        found.append(-1)
        return {"rows": len(found), "long": list(range(1_000))}

    nightly([1, 2])
    assert sender.flush(30)
    run = seen.run(name)
    assert (run["input"], run["output"]["rows"]) == ({"rows": [1, 2]}, 3)
    assert len(run["output"]["long"]) < 110 and run["output"]["long"][-1].endswith(" more")
    steps = seen.steps(run)
    assert steps["load:1"]["output"] == [1, 2], "and not what became of it"
    assert steps["password:1"]["output"] is None


def test_a_pause_between_attempts_is_no_attempt(seen: Seen, sender: Sender) -> None:
    name, tries = key(), iter([True, False])

    @task(retries=1, backoff=0.3)
    def load() -> None:
        if next(tries):
            raise OSError("not yet")

    @flow(key=name)
    def nightly() -> None:
        load()

    nightly()
    assert sender.flush(30)
    events = seen.get(f"/runs/{seen.run(name)['id']}/events")["items"]
    told = [event for event in events if event["type"].startswith("task_")]
    types = [event["type"] for event in told]
    assert types == ["task_started", "task_retried", "task_started", "task_ended"], told
    begun, retried, again = (event["said_at"] for event in told[:3])
    assert begun < retried < again and told[2]["attempt"] == 2


def test_tasks_of_a_loop_are_told_apart(seen: Seen, sender: Sender) -> None:
    name = key()

    @task
    async def square(number: int) -> int:
        await asyncio.sleep(0)
        return number * number

    @flow(key=name)
    async def squares() -> list[int]:
        return list(await asyncio.gather(*(square(number) for number in range(3))))

    assert asyncio.run(squares()) == [0, 1, 4]
    assert asyncio.run(squares()) == [0, 1, 4]
    assert sender.flush(30)
    first, second = seen.runs(name)
    assert first["status"] == second["status"] == "succeeded"
    assert set(seen.steps(first)) == {"square:1", "square:2", "square:3"}


class StandInBus:
    """What the library's bus does: callbacks by name, on the loop's thread."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callable[[dict[str, Any]], object]]] = {}

    def subscribe(self, name: str, callback: Callable[[dict[str, Any]], object]) -> None:
        self._callbacks.setdefault(name, []).append(callback)

    def emit(self, name: str, payload: dict[str, Any]) -> None:
        for callback in self._callbacks.get(name, []):
            callback(payload)


def test_any_bus_that_can_be_subscribed_to_is_heard(seen: Seen, sender: Sender) -> None:
    bus, name, run_id = StandInBus(), key(), str(uuid.uuid4())

    class Context:
        flow_name = name
        params: Dict[str, Any] = {"day": 7, "password": "hunter2", "rows": [1]}

    Context.run_id = run_id  # type: ignore[attr-defined]
    post_event_sink(bus, sender=sender, context=lambda: Context)
    bus.emit("flow_started", {"flow": name, "run_id": run_id})
    Context.params["rows"].append(2)
    bus.emit("task_started", {"task": "load", "node": "load:1"})
    bus.emit("task_retry", {"task": "load", "attempt": 1, "max": 2})
    bus.emit("task_succeeded", {"task": "load", "node": "load:1", "duration_ms": 12.5})
    bus.emit("task_started", {"task": "save", "node": "save:1"})
    bus.emit("task_failed", {"task": "save", "node": "save:1", "error": "Boom('no')"})
    bus.emit("middleware_error", {"task": "save", "middleware_index": 0, "error": "odd"})
    bus.emit("flow_completed", {"flow": name, "run_id": run_id, "tasks": 2})
    assert sender.flush(30)
    run = seen.run(name)
    told = {"day": 7, "password": "***", "rows": [1]}
    assert (run["status"], run["input"]) == ("failed", told), "as it was when it began"
    steps = seen.steps(run)
    assert (steps["load:1"]["status"], steps["load:1"]["attempt"]) == ("succeeded", 2)
    assert steps["save:1"]["error"]["message"] == "Boom('no')"


@pytest.mark.parametrize("context", [None, lambda: None, "dict"])
def test_a_bus_whose_tasks_do_not_name_their_run_is_heard(
    seen: Seen, sender: Sender, context: Any
) -> None:
    bus, name, run_id = StandInBus(), key(), str(uuid.uuid4())
    if context == "dict":
        context = lambda: {"run_id": run_id, "flow_name": name, "params": {"day": 7}}  # noqa: E731
    post_event_sink(bus, sender=sender, context=context)
    bus.emit("flow_started", {"flow": name, "run_id": run_id})
    bus.emit("task_started", {"task": "load", "node": "load:1"})
    bus.emit("middleware_error", {"task": "load", "middleware_index": 0, "error": "odd"})
    bus.emit("task_failed", {"task": "load", "node": "load:1", "error": "Boom('no')"})
    bus.emit("flow_completed", {"flow": name, "run_id": run_id, "tasks": 1})
    assert sender.flush(30)
    run = seen.run(name)
    assert run["status"] == "failed"
    assert set(seen.steps(run)) == {"load:1"}


class Door:
    """An address that nobody listens at until it is opened: then it is the server's."""

    def __init__(self, server: Server) -> None:
        self._to = httpx.URL(server.url)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._listener: socket.socket | None = None

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._let_in, args=(self._listener,), daemon=True).start()

    def _let_in(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest, _ = listener.accept()
                host = socket.create_connection((self._to.host, self._to.port or 80))
                for one, other in ((guest, host), (host, guest)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()


@pytest.fixture
def door(server: Server) -> Iterator[Door]:
    door = Door(server)
    yield door
    door.close()


def kept_in(spool: Path) -> bytes:
    return b"\n".join(gzip.decompress(file.read_bytes()) for file in spool.rglob("*.gz"))


def files_in(spool: Path) -> list[Path]:
    return [path for path in spool.rglob("*") if path.is_file()]


def test_what_cannot_be_sent_is_kept_and_sent_by_the_next_process(
    door: Door, seen: Seen, tmp_path: Path
) -> None:
    name, spool = key(), tmp_path / "spool"
    script = textwrap.dedent(
        f"""
        import windlass

        @windlass.flow(key={name!r})
        def nightly():
            pass

        nightly()
        """
    )

    def run() -> None:
        environment = {**os.environ, "WINDLASS_URL": door.url, "WINDLASS_API_KEY": KEY}
        environment["WINDLASS_SPOOL"] = str(spool)
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    run()
    assert len(files_in(spool)) == 1 and seen.runs(name) == []
    door.open()
    sender = Sender(door.url, KEY, spool=str(spool))
    sender.put({"event": "task_log", "run_id": "r", "flow": name, "message": "here"})
    assert sender.flush(30)
    sender.close()
    assert files_in(spool) == []
    kept = [run for run in seen.runs(name) if run["run_id"] != "r"]
    assert [run["status"] for run in kept] == ["succeeded"]


def test_a_process_that_is_over_at_once_sends_what_was_kept(
    door: Door, seen: Seen, tmp_path: Path
) -> None:
    name, spool = key(), str(tmp_path / "spool")
    away = Sender(door.url, KEY, spool=spool)
    away.put({"event": "flow_started", "run_id": "kept", "flow": name})
    away.close()
    assert away.counts["spooled"] == 1
    door.open()
    short = Sender(door.url, KEY, spool=spool)
    short.put({"event": "flow_started", "run_id": "new", "flow": name})
    short.close()
    assert files_in(Path(spool)) == []
    assert {run["run_id"] for run in seen.runs(name)} == {"kept", "new"}


@pytest.mark.parametrize("path", ["/api/v1", "/login"])
def test_whoever_is_no_windlass_gets_nothing_for_good(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """A wrong path is 404; a page may be 200, too, and has taken in nothing."""
    spool = tmp_path / "spool"
    sender = Sender(server.url + path, KEY, spool=str(spool))
    with caplog.at_level(logging.WARNING, "windlass.sender"):
        sender.put({"event": "flow_started", "run_id": "r", "flow": key()})
        assert sender.flush(30)
        sender.put({"event": "flow_completed", "run_id": "r"})
        sender.close()
    assert sender.counts == {"sent": 0, "spooled": 2, "rejected": 0, "dropped": 0}
    assert len(files_in(spool)) == 2
    [line] = [record.getMessage() for record in caplog.records]
    assert "cannot be sent" in line and str(spool) in line


def test_a_batch_that_is_too_large_is_sent_in_parts(
    server: Server, seen: Seen, tmp_path: Path
) -> None:
    name = key()
    sender = Sender(server.url, KEY, spool=str(tmp_path / "spool"), linger=1.0)
    for number in range(40):
        event = {"event": "task_log", "run_id": "large", "flow": name}
        sender.put({**event, "message": str(number), "unknown": "x" * 900_000})
    sender.close()
    assert sender.counts == {"sent": 40, "spooled": 0, "rejected": 0, "dropped": 0}
    [run] = seen.runs(name)
    assert [line["text"] for line in seen.lines(run)] == [str(number) for number in range(40)]


class Slow(BaseHTTPRequestHandler):
    """A server that answers when it is told to."""

    may_answer = threading.Event()

    def do_POST(self) -> None:
        self.may_answer.wait(30)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_flow_never_waits_for_a_server(tmp_path: Path) -> None:
    slow = HTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=slow.serve_forever, daemon=True)
    thread.start()
    sender = Sender(
        f"http://127.0.0.1:{slow.server_port}", "", queue_max=50, spool=str(tmp_path / "spool")
    )
    try:
        taken = [sender.put({"event": "task_log", "message": str(one)}) for one in range(500)]
        # It has taken what there was room for, and has said of the rest that it has not.
        assert taken[0] and not taken[-1]
        assert sender.counts["dropped"] == taken.count(False)
    finally:
        Slow.may_answer.set()
        sender.close()
        slow.shutdown()
        slow.server_close()
        thread.join()
    assert sender.counts["sent"] == 0
    assert sender.counts["spooled"] == taken.count(True)


def test_whoever_never_answers_loses_nothing(tmp_path: Path) -> None:
    """It takes connections, and that is all."""
    silent = socket.create_server(("127.0.0.1", 0))
    spool = tmp_path / "spool"
    port = silent.getsockname()[1]
    sender = Sender(f"http://127.0.0.1:{port}", "", spool=str(spool), flush_timeout=0.5)
    sender.put({"event": "flow_started", "run_id": "r", "flow": "f"})
    # It is asked, so that the first event is on its way.
    connection, _ = silent.accept()
    assert connection.recv(4)
    sender.put({"event": "flow_completed", "run_id": "r"})
    sender.close()
    connection.close()
    silent.close()
    kept = kept_in(spool)
    assert b"flow_started" in kept and b"flow_completed" in kept


def test_a_burst_costs_lines_at_most(seen: Seen, sender: Sender, tmp_path: Path) -> None:
    small = Sender(sender._settings.server, KEY, spool=str(tmp_path / "own"), queue_max=1_000)
    name = key()
    small.put({"event": "flow_started", "run_id": name, "flow": name})
    for number in range(30_000):
        small.put({"event": "task_log", "run_id": name, "message": str(number)})
    small.put({"event": "task_ok", "run_id": name, "node": "n:1"})
    small.put({"event": "flow_completed", "run_id": name, "status": "SUCCEEDED"})
    assert small.flush(60)
    small.close()
    assert small.counts["dropped"] > 0, "the burst was none"
    assert seen.run(name)["status"] == "succeeded"
    assert "n:1" in seen.steps(seen.run(name))


def test_a_quiet_run_is_said_to_go_on(seen: Seen, server: Server, tmp_path: Path) -> None:
    name = key()
    sender = Sender(server.url, KEY, spool=str(tmp_path / "spool"), alive_every=0.05)
    sender.put({"event": "flow_started", "run_id": name, "flow": name})
    assert sender.flush(30)
    until = time.monotonic() + 30
    while sender.counts["sent"] < 4:
        assert time.monotonic() < until, "it was never said"
        time.sleep(0.02)
    assert sender.counts["rejected"] == 0 and seen.run(name)["status"] == "running"
    sender.close()


def test_secrets_are_not_told(seen: Seen, sender: Sender) -> None:
    name = key()

    @task
    def connect() -> dict[str, object]:
        return {"api_key": "hunter2", "tokens": 7, "user": "ada"}

    @flow(key=name, hide=["place"])
    def nightly(password: str, place: str, day: int) -> None:
        connect()

    nightly("hunter2", "hunter2", day=7)
    assert sender.flush(30)
    run = seen.run(name)
    assert run["input"] == {"password": "***", "place": "***", "day": 7}
    told = seen.steps(run)["connect:1"]["output"]
    assert told == {"api_key": "***", "tokens": 7, "user": "ada"}


def test_a_program_that_is_content_has_not_failed(seen: Seen, sender: Sender) -> None:
    name = key()

    @flow(key=name)
    def nightly(code: int) -> None:
        sys.exit(code)

    for code in (0, 3):
        with pytest.raises(SystemExit):
            nightly(code)
    assert sender.flush(30)
    stands = {run["run_id"]: run["status"] for run in seen.runs(name)}
    assert sorted(stands.values()) == ["failed", "succeeded"]


def test_a_task_that_is_not_seen_is_warned_of(
    seen: Seen, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    name = key()

    @task
    def unseen() -> int:
        return 1

    @flow(key=name)
    def nightly() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(unseen).result()

    with caplog.at_level(logging.WARNING, "windlass.sender"):
        nightly()
    assert any("unseen is called in a thread" in record.getMessage() for record in caplog.records)


def test_values_that_are_no_json_cost_no_event(seen: Seen, sender: Sender) -> None:
    name = key()
    around: list[object] = []
    around.append(around)
    odd = {"a": object(), "n": float("nan")}
    sender.put({"event": "flow_started", "run_id": name, "flow": name, "params": odd})
    sender.put({"event": "task_log", "run_id": name, "message": "m", "payload": around})
    sender.put({"event": "task_ok", "run_id": name, "node": "n:1", "result": float("nan")})
    sender.put({"event": "nonsense", "run_id": name})
    assert sender.flush(30)
    assert sender.counts == {"sent": 3, "spooled": 0, "rejected": 1, "dropped": 0}
    run = seen.run(name)
    assert "<object object" in str(run["input"])
    assert seen.steps(run)["n:1"]["status"] == "succeeded"


def test_without_a_server_functions_are_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WINDLASS_URL", "AUTO_WORKFLOW_SERVER_URL", "WINDLASS_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("windlass.flows._sender", None)

    @task(retries=1)
    def one() -> int:
        return 1

    @flow
    def both() -> int:
        return one() + one()

    assert both() == 2
    assert one() == 1


class Unshowable:
    def __repr__(self) -> str:
        raise LookupError("no")


def test_what_cannot_be_shown_costs_nothing_else(seen: Seen, sender: Sender) -> None:
    """Neither a number that Python does not write, nor a `repr` that raises."""
    name = key()

    @task
    def give(value: object) -> object:
        return value

    @flow(key=name)
    def nightly() -> None:
        for value in (10**5_000, 10**400, Unshowable(), {"one": Unshowable(), "two": 2}, 7):
            give(value)

    nightly()
    sender.put({"event": "task_ok", "run_id": "r", "flow": name, "node": "n", "result": 10**5_000})
    assert sender.flush(30)
    assert sender.counts["dropped"] == sender.counts["rejected"] == 0
    [run] = [run for run in seen.runs(name) if run["run_id"] != "r"]
    told = [step["output"] for step in seen.steps(run).values()]
    large = "<a number of 16610 bits>", "<a number of 1329 bits>"
    unshown = "<Unshowable: cannot be shown>"
    assert told == [*large, unshown, {"one": unshown, "two": 2}, 7]


def test_what_is_too_large_is_cut(seen: Seen, sender: Sender) -> None:
    name = key()

    class Large:
        def __repr__(self) -> str:
            return "x" * 3_000_000

    @task
    def give(value: object) -> object:
        return value

    @flow(key=name)
    def nightly() -> None:
        give(b"\xff" * 400_000)
        give(Large())
        # Each is short enough, and four bytes a character.
        give(["\U0001f300" * 10_000] * 60)
        raise ValueError("y" * 3_000_000)

    with pytest.raises(ValueError, match="yyy"):
        nightly()
    assert sender.flush(30)
    assert sender.counts["rejected"] == 0
    run = seen.run(name)
    assert run["status"] == "failed" and run["error"]["message"].startswith("ValueError: yyy")
    steps = seen.steps(run)
    assert [step["status"] for step in steps.values()] == ["succeeded"] * 3
    assert steps["give:1"]["output"] == "<400000 bytes>"
    assert steps["give:2"]["output"] == "x" * 10_000 + "…"
    assert "too large to be told" in steps["give:3"]["output"]


def test_half_a_character_costs_no_event(seen: Seen, sender: Sender) -> None:
    name = key()

    @flow(key=name)
    def nightly(file: str) -> str:
        return file

    nightly(os.fsdecode(b"a\xff") + "\U0001f300")
    assert sender.flush(30)
    assert sender.counts["rejected"] == 0
    assert seen.run(name)["input"] == {"file": "a\ufffd\U0001f300"}


def test_whatever_goes_wrong_in_the_thread_it_goes_on(
    seen: Seen,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender, name = Sender(server.url, KEY, spool=str(tmp_path)), key()
    post, falls = Sender._post, iter([SystemExit(3), LookupError("odd")])

    def falling(self: Sender, body: bytes, many: int) -> bool:
        for error in falls:
            raise error
        return post(self, body, many)

    monkeypatch.setattr(Sender, "_post", falling)
    with caplog.at_level(logging.WARNING, "windlass.sender"):
        for number in range(3):
            sender.put({"event": "task_ok", "run_id": name, "flow": name, "node": f"n:{number}"})
            assert sender.flush(30)
    sender.close()
    assert set(seen.steps(seen.run(name))) == {"n:0", "n:1", "n:2"}
    told = [record.getMessage() for record in caplog.records]
    [line] = [line for line in told if "goes on: " in line]
    assert "SystemExit" in line, told


def test_a_machine_without_room_for_a_thread_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender("http://127.0.0.1:9", "", spool=str(tmp_path))

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert sender.put({"event": "flow_started", "run_id": "first"})
        assert not sender.flush(0)
        sender.put({"event": "flow_started", "run_id": "second"})
        sender.close()
    assert b"first" in kept_in(tmp_path) and b"second" in kept_in(tmp_path)
    again = Sender("http://127.0.0.1:9", "", spool=str(tmp_path / "again"))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        again.put({"event": "flow_started", "run_id": "first"})
    again.put({"event": "flow_completed", "run_id": "first"})
    assert again.flush(30) and again.counts["spooled"] == 2
    again.close()


def test_one_sender_that_cannot_be_closed_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / str(number) for number in range(3)]
    senders = [Sender("http://127.0.0.1:9", "", spool=str(place)) for place in places]
    for sender in senders:
        sender.put({"event": "flow_started", "run_id": "r"})
    close = Sender.close

    def closing(self: Sender) -> None:
        if self is senders[1]:
            raise KeyboardInterrupt
        close(self)

    with monkeypatch.context() as patch:
        patch.setattr(Sender, "close", closing)
        patch.setattr("windlass.sender._senders", senders)
        windlass.sender._close_all()
    assert kept_in(places[0]) and kept_in(places[2])
    senders[1].close()


def test_a_dead_thread_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender("http://127.0.0.1:9", "", spool=str(tmp_path))
    monkeypatch.setattr(sender, "_run", lambda: None)
    sender.put({"event": "flow_started", "run_id": "r"})
    assert sender._thread is not None
    sender._thread.join()
    assert not sender.flush(30)
    sender.close()
    assert b"flow_started" in kept_in(tmp_path)


def test_an_end_for_which_there_is_no_room_is_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender("http://127.0.0.1:9", "", spool=str(tmp_path), queue_max=1)
    # Nobody takes anything from the queue.
    monkeypatch.setattr(sender, "_start", lambda: None)
    sender.put({"event": "flow_started", "run_id": "r"})
    assert sender._alive()
    while sender.put({"event": "flow_started", "run_id": "other"}):
        pass
    assert not sender.put({"event": "flow_completed", "run_id": "r"})
    sender.put({"event": "flow_completed", "run_id": "other"})
    assert sender._alive() == []
    sender.close()


class Mute(Exception):
    def __str__(self) -> str:
        raise LookupError("no")

    __repr__ = __str__


def test_a_flow_sees_its_own_exception_whatever_is_wrong_with_it(
    seen: Seen, sender: Sender
) -> None:
    name = key()

    @task(retries=1)
    def load() -> None:
        raise Mute

    @flow(key=name)
    def nightly() -> None:
        load()

    with pytest.raises(Mute):
        nightly()
    assert sender.flush(30)
    run = seen.run(name)
    assert (run["status"], run["error"]["message"]) == ("failed", "Mute: <cannot be shown>")
    assert seen.steps(run)["load:1"]["error"]["details"]["type"] == "Mute"


def test_a_value_that_cannot_be_taken_down_is_said_so(seen: Seen, sender: Sender) -> None:
    name = key()

    class Odd(Dict[str, object]):
        """It is masked and cut as those it is made from."""

    class Name:
        def __str__(self) -> str:
            raise LookupError("no")

        __repr__ = __str__

    @flow(key=name)
    def nightly(odd: object, names: object) -> None:
        pass

    nightly(Odd(password="hunter2", rows=Odd(token="hunter2")), {Name(): 1})
    assert sender.flush(30)
    masked = {"password": "***", "rows": {"token": "***"}}
    unshown = {"<Name: cannot be shown>": 1}
    assert seen.run(name)["input"] == {"odd": masked, "names": unshown}


def test_reporting_that_goes_wrong_leaves_the_flow_alone(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(self: Sender, event: Dict[str, Any]) -> bool:
        raise LookupError("odd")

    tries: list[int] = []

    @task(retries=1)
    def load(day: int) -> int:
        logging.getLogger("shop").warning("here")
        tries.append(day)
        if len(tries) == 1:
            raise OSError("not yet")
        return day

    @task
    async def wait(day: int) -> int:
        return day

    @flow
    def nightly(day: int) -> int:
        return load(day)

    @flow
    async def daily(day: int) -> int:
        return await wait(day)

    @flow
    def fails() -> None:
        raise ValueError("its own")

    handler = LogHandler()
    logging.getLogger("shop").addHandler(handler)
    parts = "sender.Sender.put", "flows.sender", "_context.Current.node"
    for part in parts:
        with monkeypatch.context() as patch:
            patch.setattr(f"windlass.{part}", wrong)
            tries.clear()
            assert (nightly(7), asyncio.run(daily(7)), tries) == (7, 7, [7, 7])
            with pytest.raises(ValueError, match="its own"):
                fails()
    logging.getLogger("shop").removeHandler(handler)


def test_what_was_for_one_server_and_key_is_for_no_other(
    server: Server, seen: Seen, tmp_path: Path
) -> None:
    name = key()
    tmp_path.joinpath("old.ndjson.gz").write_bytes(gzip.compress(b"whose is it?"))
    for url, api_key in (("http://127.0.0.1:9", KEY), (server.url, "another key")):
        other = Sender(url, api_key, spool=str(tmp_path))
        other.put({"event": "flow_started", "run_id": "others", "flow": name})
        other.close()
        assert other.counts["spooled"] == 1
    sender = Sender(server.url, KEY, spool=str(tmp_path))
    sender.put({"event": "flow_started", "run_id": "own", "flow": name})
    assert sender.flush(30)
    sender.close()
    assert [run["run_id"] for run in seen.runs(name)] == ["own"]
    assert len(files_in(tmp_path)) == 3
    # There is one bound to all of it.
    full = sum(file.stat().st_size for file in files_in(tmp_path))
    bounded = Sender("http://127.0.0.1:9", "", spool=str(tmp_path), spool_bytes_max=full)
    bounded.put({"event": "flow_started", "run_id": "r"})
    bounded.close()
    assert bounded.counts["dropped"] == 1 and len(files_in(tmp_path)) == 3


def test_a_file_of_a_process_that_had_our_number_is_free(
    door: Door, seen: Seen, tmp_path: Path
) -> None:
    name, spool = key(), str(tmp_path)
    away = Sender(door.url, KEY, spool=spool)
    away.put({"event": "flow_started", "run_id": f"kept {name}", "flow": name})
    away.close()
    [file] = files_in(tmp_path)
    taken = file.rename(file.with_name(f"{file.name}.taken-{os.getpid()}-0123456789abcdef"))
    # This one is ours, and on its way.
    ours = file.with_name(f"own.ndjson.gz.taken-{os.getpid()}-{windlass._spool._token}")
    ours.write_bytes(taken.read_bytes())
    door.open()
    sender = Sender(door.url, KEY, spool=spool)
    sender.put({"event": "flow_started", "run_id": f"new {name}", "flow": name})
    sender.close()
    # Runs of other tests have ids of their own.
    assert {run["run_id"] for run in seen.runs(name)} == {f"kept {name}", f"new {name}"}
    assert files_in(tmp_path) == [ours]


CHILDREN = """
import {first}, {second}
import multiprocessing

@windlass.flow(key={name!r})
def nightly(day):
    return day

if __name__ == "__main__":
    method = multiprocessing.get_context({method!r})
    children = [method.Process(target=nightly, args=(day,)) for day in range(5)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    print([child.exitcode for child in children])
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("first", ["windlass", "multiprocessing.util"])
def test_children_are_seen(
    server: Server, seen: Seen, tmp_path: Path, method: str, first: str
) -> None:
    """They end with `os._exit`, at once."""
    name, file = key(), tmp_path / "parent.py"
    second = "multiprocessing.util" if first == "windlass" else "windlass"
    file.write_text(CHILDREN.format(name=name, method=method, first=first, second=second))
    environment = {**os.environ, "WINDLASS_URL": server.url, "WINDLASS_API_KEY": KEY}
    environment["WINDLASS_SPOOL"] = ""
    command = [sys.executable, str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[0, 0, 0, 0, 0]\n"), done.stderr
    assert [run["status"] for run in seen.runs(name)] == ["succeeded"] * 5
