"""`/metrics` of a server that has done real work: promtool has nothing to say against its text, the
official parser of OpenMetrics reads it, and the numbers that alerts hang on are there."""

import os
import shutil
import subprocess
import urllib.request

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from conftest import KEY, Watched
from model import Model
from server import ROOT

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text"
EXAMPLES = ("triage-order.json", "book-trip.yaml", "flaky-download.yaml", "resize-pictures.yaml")

ASKS = """
name: asks
nodes:
  - { id: ask, type: llm, config: { model: gpt-test, prompt: "What is in the harbour?" } }
"""
# Its step waits for a worker, of which the first lets it go.
QUEUED = """
name: queued
nodes:
  - { id: far, type: worker, config: { queue: gpu, kind: noop, config: {} } }
"""
SETTINGS = """
[llm]
default_provider = "tests"
[llm.providers.tests]
base_url = "{url}"
api_key = "none"
[llm.prices."tests/gpt-*"]
input = 3.0
output = 15.0
[sweeper]
every = "100ms"
"""


class Worked(Watched):
    """With models that are made up and cost something."""

    def __init__(self, data, model):
        self.config = data.parent / "windlass.toml"
        self.config.write_text(SETTINGS.format(url=model.url))
        super().__init__(data, KEY)

    def settings(self):
        return super().settings() | {"WINDLASS_CONFIG": str(self.config)}

    def metrics(self, accept):
        headers = {"Accept": accept, "X-API-Key": KEY}
        request = urllib.request.Request(f"{self.url}/metrics", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers["Content-Type"], answer.read().decode()


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    model = Model()
    server = Worked(tmp_path_factory.mktemp("worked") / "data", model)
    try:
        server.wait_until_ready()
        work(server)
        # One stream is being listened to while it is looked at.
        stream = urllib.request.Request(
            f"{server.url}/api/v1/runs/{server.execute('queued')}/stream", headers={"X-API-Key": KEY}
        )
        with urllib.request.urlopen(stream, timeout=30) as listened:
            listened.readline()
            yield server
    finally:
        server.stop()
        model.stop()


def work(server):
    for name in EXAMPLES:
        text = (ROOT / "examples" / name).read_text()
        server.request("POST", "/api/v1/workflows", text, f"application/{name.rpartition('.')[2]}")
    server.deploy(ASKS)
    server.deploy(QUEUED)
    runs = [
        server.execute("Triage an order", customer="Grace", amount=20),
        server.execute("Book a trip", customer="Grace", limit=300),
        server.execute("Resize pictures", count=20),
        server.execute("Flaky download"),
        server.execute("asks"),
    ]
    run = {"run_id": "r-1", "flow": "nightly"}
    server.post("/api/v1/events", [run | {"event": "flow_started"}, run | {"event": "flow_completed"}])
    # A worker takes a step and is never heard of again: the next one gets it.
    lost = server.execute("queued")
    question = {"worker": "lost", "queues": ["gpu"], "wait": "10s", "lease": "1s"}
    [first] = server.post("/api/v1/tasks/poll", question)["tasks"]
    [again] = server.post("/api/v1/tasks/poll", question | {"worker": "found", "lease": "1m"})["tasks"]
    assert first["run_id"] == again["run_id"] == lost
    for one in runs:
        assert server.wait_until_over(one)["status"] == "succeeded", one


def samples(families):
    """The names of all samples, with their labels and values."""
    return [(sample.name, sample.labels, sample.value) for one in families for sample in one.samples]


def parsed(server):
    return list(openmetrics.text_string_to_metric_families(server.metrics(OPENMETRICS)[1]))


def test_promtool_finds_nothing(worked):
    promtool = shutil.which(os.environ.get("PROMTOOL", "promtool"))
    assert promtool, "promtool is missing: Debian's package prometheus has it"
    kind, text = worked.metrics(TEXT)
    assert kind.replace(" ", "").startswith("text/plain;version=0.0.4")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_parser_of_openmetrics_reads_it(worked):
    for accept in (OPENMETRICS, f"{OPENMETRICS};version=1.0.0,{TEXT};q=0.5,*/*;q=0.1"):
        kind, text = worked.metrics(accept)
        assert kind.replace(" ", "") == f"{OPENMETRICS};version=1.0.0;charset=utf-8"
        assert text.endswith("# EOF\n")
        assert "\n# UNIT windlass_run_duration_seconds seconds\n" in text
        families = {one.name: one for one in openmetrics.text_string_to_metric_families(text)}
        assert families["windlass_run_duration_seconds"].unit == "seconds"
        assert families["windlass_runs"].type == "counter"


def test_both_formats_have_the_same_numbers(worked):
    text = text_string_to_metric_families(worked.metrics(TEXT)[1])
    assert {name for name, _, _ in samples(text)} == {name for name, _, _ in samples(parsed(worked))}


# Name, labels that there must be, and how much there is at least.
WANTED = [
    ("windlass_runs_total", {"workflow": "Triage an order", "status": "succeeded"}, 1),
    ("windlass_run_duration_seconds_count", {}, 5),
    ("windlass_node_duration_seconds_count", {"type": "noop", "status": "succeeded"}, 1),
    ("windlass_node_duration_seconds_count", {"type": "shell", "status": "failed"}, 2),
    ("windlass_node_queue_seconds_count", {}, 1),
    ("windlass_queue_depth", {}, 1),
    ("windlass_queue_oldest_age_seconds", {}, 0.001),
    ("windlass_worker_heartbeat_age_seconds", {}, 0),
    ("windlass_lease_reclaims_total", {}, 1),
    ("windlass_llm_tokens_total", {"model": "gpt-test", "direction": "input"}, 120),
    ("windlass_llm_tokens_total", {"model": "gpt-test", "direction": "output"}, 15),
    ("windlass_llm_cost_dollars_total", {}, 0.000_5),
    ("windlass_db_transaction_seconds_count", {}, 10),
    ("windlass_stream_clients", {}, 1),
    ("windlass_build_info", {"version": "0.1.0"}, 1),
]


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted[0] + "".join(wanted[1].values()))
def test_what_alerts_hang_on_is_there(worked, wanted):
    name, labels, least = wanted
    found = [one for one in samples(parsed(worked)) if one[0] == name]
    assert any(labels.items() <= has.items() and value >= least for _, has, value in found), found
