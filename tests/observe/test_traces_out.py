"""Runs as OpenTelemetry traces: what a collector is sent, read by the official messages."""

import gzip
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from conftest import KEY, Watched

ERROR = 2

CHILD = "name: child\nnodes: [{ id: only, type: noop }]\n"
PARENT = """
name: parent
on_failure: continue_independent
nodes:
  - { id: first, name: The first one, type: noop }
  - { id: each, type: map, needs: [first], config: { items: [1, 2], body: { nodes: [{ id: one, type: noop }] } } }
  - { id: below, type: workflow, config: { workflow: child } }
  - { id: boom, type: fail, config: { message: "no room" } }
"""


class Collector:
    """Takes traces as a collector does; the first request is turned down."""

    def __init__(self):
        self.spans, self.resources, self.headers = queue.Queue(), [], []
        self.traces = {}
        collector, turned_down = self, []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                if not turned_down:
                    turned_down.append(body)
                    self.send_response(503)
                    self.end_headers()
                    return
                collector.headers.append(dict(self.headers))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.resources.append({one.key: one.value.string_value for one in resource.resource.attributes})
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            collector.spans.put(span)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def trace(self, run_id, count):
        """So many spans of a run, by their names, once they are there."""
        found = self.traces.setdefault(run_id.replace("-", ""), {})
        while len(found) < count:
            span = self.spans.get(timeout=30)
            self.traces.setdefault(span.trace_id.hex(), {})[span.name] = span
        return found


class Traced(Watched):
    def __init__(self, data, collector):
        self.collector = collector
        super().__init__(data, KEY)

    def settings(self):
        return super().settings() | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=shop",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
        }


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    server = Traced(tmp_path_factory.mktemp("traced") / "data", Collector())
    try:
        server.wait_until_ready()
        server.deploy(CHILD)
        server.deploy(PARENT)
        yield server
    finally:
        server.stop()
        server.collector.stop()


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_run_is_a_trace(traced):
    run = traced.execute("parent")
    assert traced.wait_until_over(run)["status"] == "failed"
    spans = traced.collector.trace(run, 7)
    root = spans["parent"]
    assert not root.parent_span_id and root.status.code == ERROR
    assert "no room" in root.status.message
    about = attributes(root)
    assert about["windlass.run.id"] == run and about["windlass.run.status"] == "failed"
    assert spans["The first one"].parent_span_id == root.span_id
    assert spans["each[0].one"].parent_span_id == spans["each"].span_id
    assert attributes(spans["each"])["windlass.node.type"] == "map"
    assert spans["boom"].status.code == ERROR
    for span in spans.values():
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano


def test_a_run_below_is_a_trace_of_its_own_with_a_link(traced):
    run = traced.execute("parent")
    traced.wait_until_over(run)
    spans = traced.collector.trace(run, 7)
    child = traced.request("GET", "/api/v1/runs?workflow=child")["items"][0]
    root = traced.collector.trace(child["id"], 2)["child"]
    [link] = root.links
    assert link.trace_id.hex() == run.replace("-", "")
    assert link.span_id == spans["below"].span_id


def test_the_standard_variables_hold(traced):
    run = traced.execute("child")
    traced.wait_until_over(run)
    traced.collector.trace(run, 2)
    resource = traced.collector.resources[-1]
    assert resource["service.name"] == "windlass"
    assert resource["deployment.environment.name"] == "tests"
    assert traced.collector.headers[-1]["x-tenant"] == "shop"
