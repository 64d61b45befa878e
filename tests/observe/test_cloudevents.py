"""CloudEvents, by the official SDK."""

import base64
import json
import urllib.parse
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


def test_headers_and_data_may_be_encoded(server):
    run_id, source = str(uuid.uuid4()), "/lager/nächtlich 5 %"
    attributes = {"specversion": "1.0", "id": "1", "source": source, "subject": run_id}
    headers = {**attributes, "type": "flow.started", "time": "2026-11-22T10:00:00Z"}
    headers = {f"ce-{name}": urllib.parse.quote(value) for name, value in headers.items()}
    assert send(server, headers, b'{"params": {"day": 7}}')["rejected"] == []
    data = base64.b64encode(b'{"node": "load:1", "message": "12 rows"}').decode()
    envelope = {**attributes, "id": "2", "type": "task_log", "data_base64": data}
    headers = {"Content-Type": "application/cloudevents+json"}
    assert send(server, headers, json.dumps(envelope).encode())["rejected"] == []
    assert server.run(run_id)["workflow"] == source
    assert [line["text"] for line in server.lines(run_id)] == ["12 rows"]

    envelope["data_base64"] = "no base64"
    answer = send(server, headers, json.dumps(envelope).encode())
    assert answer["rejected"][0]["code"] == "bad-value"
    answer = send(server, headers, json.dumps({**envelope, "data_base64": data, "specversion": "0.3"}).encode())
    assert "specversion" in answer["rejected"][0]["detail"]


def test_an_envelope_that_lacks_something_is_named(server):
    headers = {"Content-Type": "application/cloudevents+json"}
    answer = send(server, headers, b'{"specversion": "1.0", "id": "1", "source": "s"}')
    assert answer["rejected"][0]["code"] == "missing-field"
    answer = send(server, {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s"}, b"{}")
    assert answer["rejected"][0]["code"] == "missing-field"
