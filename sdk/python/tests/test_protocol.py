"""What workers say of roles and units, to a server that only writes down what it hears."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Iterator

import pytest
from windlass import Client, Submit, Task, Unit, Worker

from conftest import Working

WITHIN = 10.0
INSTANCE = "0198c5a8-5b2e-7c10-8d4f-000000000001"


class Desk:
    """Hands out the tasks that are put in, and keeps what is said of them."""

    def __init__(self) -> None:
        self.tasks: queue.Queue[dict[str, Any]] = queue.Queue()
        self.heard: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self.asked: dict[str, Any] = {}
        self.is_away = threading.Event()
        desk = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                status, answer = desk.answer(self.path, json.loads(self.rfile.read(length)))
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        verb = path.rsplit("/", 1)[1]
        if verb == "poll":
            self.asked = body
            try:
                return 200, {"tasks": [self.tasks.get(timeout=0.05)]}
            except queue.Empty:
                return 204, None
        if self.is_away.is_set():
            self.heard.put(("away", {"verb": verb}))
            return 503, {"code": "unavailable", "detail": "away"}
        self.heard.put((verb, body))
        beat = {"cancel": False, "reason": None, "lease_until": "2026-03-01T12:00:00Z"}
        return (200, beat) if verb == "heartbeat" else (204, None)

    def next(self, wanted: str) -> dict[str, Any]:
        """The next thing of this kind that is said."""
        while True:
            verb, body = self.heard.get(timeout=WITHIN)
            if verb == wanted:
                return body

    def hand_out(self, **more: Any) -> None:
        task = {
            "id": "0198c5a8-5b2e-7c10-8d4f-00000000000a",
            "fence": 7,
            "kind": "unit",
            "queue": "somewhere",
            "config": None,
            "project": "default",
            "run_id": "0198c5a8-5b2e-7c10-8d4f-00000000000b",
            "step": "u0",
            "attempt": 1,
            "idempotency_key": "b/u0/1",
            "lease": "1s",
            "lease_until": "2026-03-01T12:00:00Z",
            "timeout": None,
            "deadline": None,
        }
        self.tasks.put({**task, **more})


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.http.shutdown()
    desk.http.server_close()


def unit(**more: Any) -> dict[str, Any]:
    of = {"id": "u", "instance_id": INSTANCE, "workflow": "main", "role": "Payer", "place": "pay"}
    return {**of, "attributes": {"amount": 7}, **more}


def test_a_role_of_an_instance_takes_units(desk: Desk, working: Working) -> None:
    worker = Worker(Client(desk.url), name="ada", lease=1)

    @worker.role("Payer", instance="refunds")
    async def pay(unit: Unit) -> Submit:
        assert unit.children[0].attributes == {"part": 1}
        unit.task.checkpoint({"at": 1})
        unit.task.progress(0.5)
        paid = {"paid": unit.attributes["amount"], "limit": unit.context["limit"]}
        return Submit(paid, reasoning="below the limit", children=[{"part": 2}])

    with working(worker):
        child = {"id": "c", "status": "finalized", "attributes": {"part": 1}}
        desk.hand_out(unit=unit(context={"limit": 9}, children=[child]))
        who = {"worker": "ada", "fence": 7}
        told = desk.next("heartbeat")
        assert told == {**who, "checkpoint": {"at": 1}, "progress": 0.5}
        assert desk.next("complete") == {
            **who,
            "attributes": {"paid": 7, "limit": 9},
            "reasoning": "below the limit",
            "children": [{"attributes": {"part": 2}}],
        }
        assert desk.asked["units"] == [{"instance": "refunds", "role": "Payer"}]
        assert "kinds" not in desk.asked and desk.asked["lease"] == "1000ms"


def test_a_mapping_is_the_attributes_and_anything_else_a_failure(
    desk: Desk, working: Working
) -> None:
    worker = Worker(Client(desk.url), name="ada", lease=1)
    answers: list[Any] = [{"paid": 7}, "paid"]
    worker.role("Payer", instance=INSTANCE)(lambda unit: answers.pop(0))
    with working(worker):
        desk.hand_out(unit=unit())
        assert desk.next("complete")["attributes"] == {"paid": 7}
        desk.hand_out(unit=unit())
        failed = desk.next("fail")
        assert (failed["code"], failed["retryable"]) == ("bad_output", False)


def test_roles_and_queues_of_steps_and_the_checkpoint_of_another(
    desk: Desk, working: Working
) -> None:
    worker = Worker(Client(desk.url), name="ada", lease=1)
    worker.role("clerk")(lambda task: [task.role, task.config["title"]])
    worker.queue("gpu")(lambda task: [task.kind, task.last_checkpoint])
    with working(worker):
        desk.hand_out(kind="actor", queue="role:clerk", config={"title": "Look"})
        assert desk.next("complete")["output"] == ["clerk", "Look"]
        desk.hand_out(kind="worker", queue="gpu", config={}, checkpoint=41)
        assert desk.next("complete")["output"] == ["worker", 41]
        assert (desk.asked["roles"], desk.asked["queues"]) == (["clerk"], ["gpu"])
        # What nobody here does goes back at once.
        desk.hand_out(kind="worker", queue="cpu", config={})
        desk.next("release")


def test_a_function_stops_before_its_lease_ends_if_no_heartbeat_gets_through(
    desk: Desk, working: Working
) -> None:
    worker = Worker(Client(desk.url), name="ada", lease=1)
    began, ended = threading.Event(), threading.Event()
    reasons = []

    @worker.queue("gpu")
    async def held(task: Task) -> None:
        began.set()
        try:
            await asyncio.sleep(3600)
        finally:
            reasons.append(task.reason)
            ended.set()

    with working(worker):
        desk.hand_out(kind="worker", queue="gpu", config={})
        assert began.wait(WITHIN)
        desk.is_away.set()
        assert ended.wait(WITHIN)
        desk.is_away.clear()
    assert reasons == ["lease_ended"]
    heard = [desk.heard.get_nowait()[0] for _ in range(desk.heard.qsize())]
    assert set(heard) <= {"heartbeat", "away"}, "nothing is said of a task that is not ours any more"


def test_an_end_that_cannot_be_delivered_is_said_again(desk: Desk, working: Working) -> None:
    worker = Worker(Client(desk.url), name="ada", lease=5)

    @worker.queue("gpu")
    def away(task: Task) -> str:
        desk.is_away.set()
        return "kept"

    with working(worker):
        desk.hand_out(kind="worker", queue="gpu", config={}, lease="5s")
        while desk.next("away")["verb"] != "complete":
            pass
        desk.is_away.clear()
        assert desk.next("complete")["output"] == "kept"


def test_a_role_of_two_instances_needs_their_ids(desk: Desk) -> None:
    worker = Worker(Client(desk.url))
    worker.role("Payer", instance="refunds")(lambda unit: None)
    with pytest.raises(ValueError, match="ids"):
        worker.role("Payer", instance="returns")(lambda unit: None)
