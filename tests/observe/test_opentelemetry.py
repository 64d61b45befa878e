"""OpenTelemetry, by its official exporter."""

import json

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import Status, StatusCode

from conftest import KEY


def exporter(server, **options):
    headers = {"Authorization": f"Bearer {KEY}"}
    return OTLPSpanExporter(endpoint=f"{server.url}/v1/traces", headers=headers, **options)


def traced(server, processor, service):
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(processor(exporter(server, compression=Compression.Gzip)))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("nightly", attributes={"day": 7}) as root:
        with tracer.start_as_current_span("load", attributes={"rows": 12, "parts": ["a", "b"]}) as load:
            load.add_event("cache miss", {"key": "k"})
        with tracer.start_as_current_span("save") as save:
            try:
                raise ValueError("no room")
            except ValueError as error:
                save.record_exception(error)
                save.set_status(Status(StatusCode.ERROR))
        root.set_status(Status(StatusCode.ERROR, "save has failed"))
    provider.shutdown()
    return f"{root.get_span_context().trace_id:032x}"


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_a_trace_is_a_run_and_its_spans_are_steps(server, processor):
    service = f"shop-{processor.__name__}"
    trace = traced(server, processor, service)
    run = server.run(trace)
    assert (run["workflow"], run["status"]) == (service, "failed")
    assert run["input"] == {"day": 7}
    assert run["error"]["message"] == "save has failed"
    assert run["observed"]["metadata"]["span"] == "nightly"
    steps = server.steps(trace)
    assert {path: step["status"] for path, step in steps.items()} == {
        "load": "succeeded",
        "save": "failed",
    }
    assert steps["load"]["input"]["attributes"] == {"rows": 12, "parts": ["a", "b"]}
    assert steps["save"]["error"]["message"] == "no room"
    assert steps["save"]["error"]["details"]["type"] == "ValueError"
    assert "in traced" in steps["save"]["error"]["details"]["traceback"]
    [miss, thrown] = sorted(server.lines(trace), key=lambda line: line["level"], reverse=True)
    assert (miss["text"], miss["level"]) == ('cache miss {"key":"k"}', "info")
    assert thrown["text"].startswith("ValueError: no room\nTraceback"), thrown
    assert thrown["level"] == "error"


def test_the_exporter_is_told_that_all_is_well(server):
    provider = TracerProvider()
    with provider.get_tracer("tests").start_as_current_span("alone") as span:
        pass
    assert exporter(server).export([span]) is SpanExportResult.SUCCESS


def test_json_is_read_too_and_what_cannot_be_is_counted(server):
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "root",
        "startTimeUnixNano": "1763805600000000000",
        "endTimeUnixNano": "1763805601000000000",
        "kind": 1,
    }
    future = {**span, "spanId": "eee19b7ec3c1b175", "endTimeUnixNano": "9963805601000000000"}
    short = {**span, "traceId": "5b8e"}
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [span, future, short]}]}]}
    answer = server.post("/v1/traces", spans)
    assert int(answer["partialSuccess"]["rejectedSpans"]) == 2, json.dumps(answer)
    run = server.run(span["traceId"])
    assert (run["workflow"], run["status"]) == ("unknown_service", "succeeded")
