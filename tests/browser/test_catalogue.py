"""The catalogue, the charts, the search, two runs side by side."""

import uuid

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from views import VIEWS

BRANCHES = """
name: one or the other
nodes:
  - { id: ask, type: transform, config: { output: { n: "{{ input.n }}" } } }
  - { id: which, type: conditional, needs: [ask], config: { condition: "input.n > 10", true_edge: big, false_edge: small } }
  - { id: big, type: noop }
  - { id: small, type: noop }
"""


def talks(server, words):
    """A run whose step writes these words."""
    name = f"talks {uuid.uuid4()}"
    script = "; ".join(f"echo {one}" for one in words)
    server.deploy(f"name: {name}\nnodes: [{{ id: say, type: shell, config: {{ script: '{script}' }} }}]\n")
    run = server.execute(name)
    server.wait_until_over(run)
    return name, run


def test_the_root_leads_to_the_catalogue_and_that_to_a_workflow(server, page):
    server.wait_until_over(server.execute("quick"))
    page.open("/")
    page.until(lambda: page.path == "/flows", "the root leads elsewhere")
    row = page.driver.find_element(By.XPATH, "//tr[.//a[text()='quick']]")
    assert row.find_elements(By.CSS_SELECTOR, "svg.spark rect"), "there is no sparkline"
    assert "succeeded" in row.text.lower()
    page.press(("quick",))
    page.until(lambda: page.heading.startswith("quick"), "its page does not open")


def test_a_flow_comes_up_in_the_catalogue_by_itself_and_is_found_by_its_tag(server, page):
    name = f"nightly {uuid.uuid4()}"
    page.open("/flows?q=nightly")
    page.is_live()
    page.mark()
    server.request("POST", "/api/v1/flows", {"flow_key": name, "owner": "data team", "tags": ["etl"]})
    server.request("POST", "/api/v1/events", {"event": "flow_started", "flow": name, "run_id": name})
    page.until_shown(name, "elsewhere", "data team", "1 going on")
    assert page.is_marked(), "the page was reloaded"
    page.press(("etl",))
    page.until(lambda: "tag=etl" in page.path, "the tag leads nowhere")
    assert page.has_link(name) and not page.has_link("quick")


def test_charts_show_what_ran(server, page):
    name, _ = talks(server, ["one"])
    page.open("/analytics?since=24h")
    for chart in ("throughput", "success", "duration"):
        assert page.driver.find_element(By.ID, f"chart-{chart}").is_displayed()
    Select(page.field("Workflow")).select_by_visible_text(name)
    page.press(("Show",))
    page.until(lambda: "workflow=talks" in page.path, "the choice is not in the address")
    page.until_shown("1 in all", "100 %")


def test_a_search_finds_runs_steps_and_lines(server, page):
    word = uuid.uuid4().hex
    name, run = talks(server, ["first", f"the {word} is here", "last"])
    page.open("/queues")
    page.press_keys("/")
    page.press_keys(word + Keys.ENTER)
    page.until(lambda: page.path.startswith("/search"), "the search does not begin")
    line = page.driver.find_element(By.CSS_SELECTOR, "a.found-line")
    assert name in line.text and f"the {word} is here" in line.text
    line.click()
    page.until(lambda: page.path.startswith(f"/runs/{run}"), "the line leads elsewhere")
    page.until_shown(f"the {word} is here")
    assert "#line-" in page.path
    page.open(f"/search?q={run}")
    assert page.driver.find_element(By.CSS_SELECTOR, f"td a[href='/runs/{run}']").is_displayed()
    page.open("/search?q=say")
    assert page.has_link("in the last run")


def test_the_log_is_filtered_and_stays_live(server, page):
    run = str(uuid.uuid4())
    report = lambda *events: server.request("POST", "/api/v1/events", list(events))
    line = lambda level, text: {
        "event": "task_log", "run_id": run, "flow": "filtered", "node": "load:1", "level": level, "message": text,
    }
    report({"event": "flow_started", "run_id": run, "flow": "filtered"}, line("INFO", "all is well"))
    report(line("ERROR", "the disk is full"))
    page.open_run(server.request("GET", f"/api/v1/runs/{run}")["id"])
    page.until_shown("all is well", "the disk is full")
    Select(page.field("At least")).select_by_value("warning")
    page.field("Words").send_keys("disk" + Keys.ENTER)
    page.until(lambda: "level=warning" in page.path and "q=disk" in page.path, "it is not in the address")
    page.until_shown("the disk is full")
    assert "all is well" not in page.text
    page.is_live()
    report(line("ERROR", "something else"), line("INFO", "a disk is fine"), line("ERROR", "another disk is full"))
    page.until_shown("another disk is full")
    assert "something else" not in page.text and "a disk is fine" not in page.text


def test_two_runs_are_compared(server, page):
    server.deploy(BRANCHES)
    one, two = server.execute("one or the other", n=1), server.execute("one or the other", n=20)
    server.wait_until_over(one)
    server.wait_until_over(two)
    page.open_run(two)
    page.press(("Compare",))
    page.until(lambda: page.path == f"/runs/compare?a={one}&b={two}", "it is compared with another one")
    page.until_shown("They part at ask", "/n")
    assert "skipped" in page.text and "small" in page.text


def test_failures_that_are_alike_stand_together(server, page):
    run = str(uuid.uuid4())
    event = lambda name, **fields: {"event": name, "run_id": run, "flow": "alike"} | fields
    failed = [
        event("task_err", task="load", node=f"load:{number}", error=f"timeout after {number} s")
        for number in range(1, 6)
    ]
    server.request("POST", "/api/v1/events", [event("flow_started"), *failed, event("flow_completed")])
    page.open_run(server.request("GET", f"/api/v1/runs/{run}")["id"])
    page.until_shown("5 ×", "timeout after # s")


def test_times_are_said_as_they_lie_back_and_exactly_on_hover(server, page):
    run = server.execute("quick")
    server.wait_until_over(run)
    page.open("/runs?workflow=quick")
    time = page.driver.find_element(By.CSS_SELECTOR, "td time")
    page.until(lambda: time.text.endswith("ago") or time.text == "now", "the time is not said")
    assert time.get_attribute("title").endswith("UTC")
    page.open_run(run)
    assert page.driver.find_element(By.CSS_SELECTOR, f"button[data-copy='{run}']").is_displayed()


def test_what_models_cost_is_not_called_nothing_if_nobody_knows_it(view):
    for name in ("run-of-models", "workflow-of-models", "analytics"):
        page = view(VIEWS[name])
        assert "no price" in page.text and "$0" not in page.text, name
