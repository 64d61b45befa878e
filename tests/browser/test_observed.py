"""A program elsewhere says what its run does, while its page is open."""

import os
import subprocess
import sys
import uuid

from conftest import NARROW
from views import View

# Each line that it is given lets it go on, so that what is shown can be looked at in between.
SCRIPT = """
import logging
import sys

from windlass import LogHandler, flow, task

log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(LogHandler())
tries = []


@task(retries=1)
def load():
    tries.append(1)
    input()
    if len(tries) == 1:
        raise ConnectionError("the warehouse is away")
    log.warning("12 rows are late")
    return 12


@task
def save(rows):
    input()
    raise ValueError(f"no room for {rows}")


@flow(key=sys.argv[1], tags=["etl"])
def nightly():
    save(load())


nightly()
"""


def event(name, run, **fields):
    return {"event": name, "run_id": run, "flow": "nightly"} | fields


def test_a_flow_that_runs_elsewhere_is_followed_live(server, page):
    run = str(uuid.uuid4())
    report = lambda *events: server.request("POST", "/api/v1/events", list(events))
    report(
        event("flow_started", run, tags=["etl"]),
        event("task_started", run, task="load", node="load:1"),
    )
    page.open_run(server.request("GET", f"/api/v1/runs/{run}")["id"])
    page.is_live()
    page.mark()
    assert page.run_status() == "running"
    report(event("task_retry", run, task="load", node="load:1", attempt=1, max=2))
    page.until_shown("attempt 2")
    report(event("task_log", run, node="load:1", level="WARNING", message="12 rows are late"))
    page.until_shown("12 rows are late")
    report(
        event("task_ok", run, task="load", node="load:1"),
        event("task_started", run, task="save", node="save:1"),
    )
    page.until_shown("save:1")
    report(event("task_err", run, task="save", node="save:1", error="Boom('no room')"))
    page.until_shown("Boom('no room')")
    report(event("flow_completed", run))
    page.until(lambda: page.run_status() == "failed", "its end is not shown")
    assert page.is_marked(), "the page was reloaded"
    assert "Run again" not in page.text


def test_a_python_script_is_followed_live(server, page, tmp_path):
    key = f"shop:{uuid.uuid4()}"
    own = {"WINDLASS_URL": server.url, "WINDLASS_SPOOL": str(tmp_path / "spool")}
    page.open("/runs")
    page.is_live()
    page.mark()
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, key],
        env={**os.environ, **own},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        go_on = lambda: (script.stdin.write("\n"), script.stdin.flush())
        page.until_shown(key)
        assert page.is_marked(), "the list was reloaded"
        [run] = server.request("GET", f"/api/v1/runs?workflow={key}")["items"]
        page.open_run(run["id"])
        page.is_live()
        page.mark()
        page.until_shown("load:1")
        assert page.run_status() == "running"
        go_on()
        page.until_shown("attempt 2")
        go_on()
        page.until_shown("12 rows are late", "save:1")
        go_on()
        page.until_shown("ValueError: no room for 12", "in save")
        page.until(lambda: page.run_status() == "failed", "its end is not shown")
        assert page.is_marked(), "the page was reloaded"
        assert script.wait(30) == 1
    finally:
        script.kill()
        script.communicate()


def test_a_new_run_of_a_flow_comes_up_in_the_list(server, page):
    run = str(uuid.uuid4())
    page.open("/runs")
    page.is_live()
    page.mark()
    server.request("POST", "/api/v1/events", event("flow_started", run, flow=f"flow {run}"))
    page.until_shown(f"flow {run}")
    assert page.is_marked(), "the page was reloaded"


def test_the_steps_of_a_flow_that_nobody_has_described_have_the_full_width(server, page):
    run = str(uuid.uuid4())
    server.request("POST", "/api/v1/events", event("flow_started", run, flow="not described"))
    server.request("POST", "/api/v1/events", event("task_ok", run, flow="not described", task="a", node="a"))
    page.open_run(server.request("GET", f"/api/v1/runs/{run}")["id"])
    width = "return document.querySelector('[aria-labelledby=%s]').clientWidth"
    steps, timeline = (page.driver.execute_script(width % name) for name in ("steps-title", "timeline-title"))
    assert steps == timeline
    assert "nobody has described this flow" in page.text


def test_on_a_phone_no_time_breaks_between_its_number_and_its_unit(view):
    page = view(View("/search", "/search?q=rows"), NARROW[0])
    broken = """return [...document.querySelectorAll("main time")]
        .filter((time) => time.getClientRects().length > 1).map((time) => time.textContent)"""
    assert page.driver.execute_script("return document.querySelectorAll('main time').length") > 0
    assert page.driver.execute_script(broken) == []
