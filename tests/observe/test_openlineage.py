"""OpenLineage, by its official client."""

from datetime import datetime, timedelta, timezone

import pytest
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, JobEvent, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, parent_run
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport
from openlineage.client.uuid import generate_new_uuid

from conftest import KEY

PRODUCER = "https://tests.example/producer"
BEGAN = datetime(2026, 11, 22, 10, 0, 0, tzinfo=timezone.utc)


@pytest.fixture
def client(server):
    auth = ApiKeyTokenProvider({"api_key": KEY})
    return OpenLineageClient(transport=HttpTransport(HttpConfig(url=server.url, auth=auth)))


def event(state, seconds, run, job, **more):
    at = (BEGAN + timedelta(seconds=seconds)).isoformat()
    return RunEvent(eventType=state, eventTime=at, run=run, job=job, producer=PRODUCER, **more)


def test_a_job_with_tasks_is_a_run_with_steps(server, client):
    dag, task = Job("shop", "nightly"), Job("shop", "nightly.load")
    run_id, load_id, save_id = (str(generate_new_uuid()) for _ in range(3))
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=run_id), job=parent_run.Job(namespace="shop", name="nightly")
    )
    load = Run(load_id, facets={"parent": parent})
    why = error_message_run.ErrorMessageRunFacet(
        message="no room", programmingLanguage="python", stackTrace="line 1"
    )
    save = Run(save_id, facets={"parent": parent, "errorMessage": why})
    # Tasks are heard of before their run is.
    client.emit(event(RunState.START, 1, load, task, inputs=[InputDataset("pg", "orders")]))
    client.emit(event(RunState.COMPLETE, 3, load, task, outputs=[OutputDataset("s3", "rows")]))
    client.emit(event(RunState.START, 3, save, Job("shop", "nightly.save")))
    client.emit(event(RunState.FAIL, 4, save, Job("shop", "nightly.save")))
    client.emit(event(RunState.START, 0, Run(run_id), dag))
    client.emit(event(RunState.FAIL, 5, Run(run_id), dag))
    client.close(10)
    run = server.run(run_id)
    assert (run["workflow"], run["status"]) == ("shop/nightly", "failed")
    assert run["started_at"] == "2026-11-22T10:00:00.000000Z"
    steps = server.steps(run_id)
    assert {path: step["status"] for path, step in steps.items()} == {
        "load": "succeeded",
        "save": "failed",
    }
    assert steps["load"]["input"]["outputs"] == ["s3/rows"]
    assert steps["save"]["error"]["message"] == "no room"
    assert run["error"]["step"] == "save"


def test_what_is_about_no_run_is_accepted(client):
    at = BEGAN.isoformat()
    client.emit(JobEvent(eventTime=at, producer=PRODUCER, job=Job("shop", "idle")))


def test_what_cannot_be_is_named(server):
    at = BEGAN.isoformat()
    bad = [
        {"eventTime": at, "eventType": "EXPLODE", "run": {"runId": "r"}, "job": {"name": "j"}},
        {"eventType": "START", "run": {"runId": "r"}, "job": {"name": "j"}},
        {"eventTime": at, "eventType": "START", "run": {"runId": "r"}},
        {"eventTime": at, "eventType": "START", "run": {}, "job": {"name": "j"}},
        {
            "eventTime": at,
            "eventType": "START",
            "run": {"runId": "r", "facets": {"parent": 3}},
            "job": {"name": "j"},
        },
    ]
    answer = server.post("/api/v1/lineage", bad)
    assert answer["accepted"] == 0 and answer["ok"] is False
    codes = [one["code"] for one in answer["rejected"]]
    assert codes == ["unknown-event", "missing-field", "missing-field", "bad-value", "bad-value"]
