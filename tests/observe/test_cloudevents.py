"""CloudEvents, by the official SDK."""

import json
import urllib.request
import uuid

import pytest
from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent

from conftest import KEY


def send(server, headers, body):
    headers = {**headers, "Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(f"{server.url}/api/v1/events", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def events(run_id):
    def event(kind, second, data):
        attributes = {
            "type": f"com.example.{kind}",
            "source": "/shop/nightly",
            "subject": run_id,
            "time": f"2026-11-22T10:00:0{second}Z",
        }
        return CloudEvent(attributes, data)

    return [
        event("flow.started", 0, {"params": {"day": 7}}),
        event("task_started", 1, {"task": "load", "node": "load:1"}),
        event("task.log", 2, {"node": "load:1", "message": "12 rows"}),
        event("task.ok", 3, {"task": "load", "node": "load:1"}),
        event("flow_completed", 4, {}),
    ]


def batched(all_events):
    bodies = [json.loads(to_structured(event)[1]) for event in all_events]
    return [({"Content-Type": "application/cloudevents-batch+json"}, json.dumps(bodies).encode())]


@pytest.mark.parametrize(
    "shape",
    [
        lambda all_events: [to_binary(event) for event in all_events],
        lambda all_events: [to_structured(event) for event in all_events],
        batched,
    ],
    ids=["binary", "structured", "batched"],
)
def test_an_event_in_an_envelope_is_an_event(server, shape):
    run_id = str(uuid.uuid4())
    sent = shape(events(run_id))
    # Twice: what was said is known.
    for headers, body in [*sent, *sent]:
        answer = send(server, headers, body)
        assert answer["ok"] and answer["rejected"] == [], answer
    run = server.run(run_id)
    assert (run["workflow"], run["status"]) == ("/shop/nightly", "succeeded")
    assert run["input"] == {"day": 7}
    assert run["started_at"] == "2026-11-22T10:00:00.000000Z"
    assert [line["text"] for line in server.lines(run_id)] == ["12 rows"]


def test_an_envelope_that_lacks_something_is_named(server):
    headers = {"Content-Type": "application/cloudevents+json"}
    answer = send(server, headers, b'{"specversion": "1.0", "id": "1", "source": "s"}')
    assert answer["rejected"][0]["code"] == "missing-field"
    answer = send(server, {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s"}, b"{}")
    assert answer["rejected"][0]["code"] == "missing-field"
