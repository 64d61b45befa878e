"""Units of work and what people do with them: the inbox, interventions, the pages of instances."""

import pytest
from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from pages import Page
from server import ROOT

REFUND_DESK = (ROOT / "examples" / "templates" / "refund_desk.yaml").read_text()

# The middle step is a person's.
CONTRACT = """
name: contract
input:
  type: object
  properties: { customer: { type: string } }
  required: [customer]
nodes:
  - { id: draft, type: transform, config: { output: "Between us and {{ input.customer }}" } }
  - id: review
    type: actor
    needs: [draft]
    config:
      role: lawyer
      title: "Read the contract of {{ input.customer }}"
      input: { text: "{{ draft.output }}" }
      form:
        type: object
        properties:
          risk: { type: string, enum: [low, high], title: How risky it is }
          limit: { type: integer, title: Up to how much, minimum: 1 }
          note: { type: string, format: multiline, title: What to know }
        required: [risk, limit]
  - { id: sign, type: transform, needs: [review], config: { output: "{{ review.output.risk }} up to {{ review.output.limit }}" } }
output: "{{ sign.output }}"
"""

# The same for another role, for a test that has its queue for itself.
DEED = CONTRACT.replace("name: contract", "name: deed").replace("role: lawyer", "role: notary")


@pytest.fixture(scope="module")
def desk(server):
    server.deploy(REFUND_DESK)
    server.deploy(CONTRACT)
    server.deploy(DEED)


def instantiate(page, name, context=None):
    """Makes an instance by its form, and answers its id."""
    page.open("/templates/Refund_Desk")
    page.fill("Name", name)
    if context:
        page.fill("First unit of work", context)
    page.press(("Instantiate",))
    page.until(lambda: page.path.startswith("/instances/"), "no instance opens")
    return page.path.split("/")[2]


def add_unit(page, attributes):
    page.fill("Attributes", attributes)
    page.press(("Add",))
    page.until(lambda: page.path.startswith("/uows/"), "no unit opens")
    return page.path.split("/")[2]


def by_id(page, name):
    return page.driver.find_element(By.ID, name)


def press_id(page, name):
    page.until(lambda: by_id(page, name).click() is None, f"{name} cannot be pressed")


def take(server, instance, role, worker="ada", lease="1m"):
    """Takes a unit as a program does; the task."""
    question = {
        "worker": worker,
        "units": [{"instance": instance, "role": role}],
        "wait": "10s",
        "lease": lease,
    }
    return server.request("POST", "/api/v1/tasks/poll", question)["tasks"][0]


def complete(server, task, worker="ada", **attributes):
    body = {"worker": worker, "fence": task["fence"], "attributes": attributes}
    server.request("POST", f"/api/v1/tasks/{task['id']}/complete", body)


def at_place(page, place):
    """What the graph says of an interaction."""
    titles = page.driver.find_elements(By.CSS_SELECTOR, ".interaction > title")
    told = [title.get_attribute("textContent") for title in titles]
    return next(text for text in told if text.startswith(place + ":"))


def open_task(page, title):
    """Opens a task from the inbox."""
    page.open("/inbox")
    page.until_shown(title)
    page.driver.find_element(By.PARTIAL_LINK_TEXT, title).click()
    page.until(lambda: page.heading == title, "the task does not open")


def test_the_middle_step_of_a_graph_is_done_by_a_person_in_the_inbox(server, desk, page):
    run = server.execute("contract", customer="Ada")
    open_task(page, "Read the contract of Ada")
    page.until_shown("Between us and Ada", "Nobody has it")
    press_id(page, "claim")
    page.until_shown("Yours for")
    Select(page.field("How risky it is")).select_by_value("high")
    page.fill("Up to how much", "500")
    page.fill("What to know", "They pay late.\nAlways.")
    press_id(page, "submit")
    page.until_shown("Handed in")
    assert "Read the contract of Ada" not in page.text
    found = server.wait_until_over(run)
    assert (found["status"], found["output"]) == ("succeeded", "high up to 500")


@pytest.mark.expects_console
def test_what_is_not_filled_in_rightly_is_told_and_kept(server, desk, page):
    server.execute("contract", customer="Zero")
    open_task(page, "Read the contract of Zero")
    press_id(page, "claim")
    page.until_shown("Yours for")
    Select(page.field("How risky it is")).select_by_value("high")
    page.fill("Up to how much", "0")
    page.fill("What to know", "They pay late.\nAlways.")
    press_id(page, "submit")
    page.until_shown("This is not filled in rightly")
    assert page.field("Up to how much").get_attribute("value") == "0"
    assert page.field("Up to how much").get_attribute("aria-invalid") == "true"
    assert page.field("What to know").get_attribute("value") == "They pay late.\nAlways."
    assert Select(page.field("How risky it is")).first_selected_option.text == "high"


@pytest.mark.expects_console
def test_a_task_that_somebody_else_has_taken_says_so(server, desk, page):
    run = server.execute("deed", customer="Grace")
    open_task(page, "Read the contract of Grace")
    page.until_shown("Nobody has it")
    question = {"worker": "grace's agent", "roles": ["notary"], "wait": "10s"}
    task = server.request("POST", "/api/v1/tasks/poll", question)["tasks"][0]
    assert task["run_id"] == run
    press_id(page, "claim")
    page.until_shown("You could not take it", "grace's agent", "they were quicker")


@pytest.mark.expects_console
def test_what_was_typed_outlives_the_loss_of_the_task(server, desk, page):
    server.execute("contract", customer="Late")
    open_task(page, "Read the contract of Late")
    press_id(page, "claim")
    page.until_shown("Yours for")
    # In another window they give it back.
    task = page.path.split("/")[2].split("?")[0]
    fence = int(page.driver.find_element(By.NAME, "fence").get_attribute("value"))
    server.request("POST", f"/api/v1/tasks/{task}/release", {"worker": "local", "fence": fence})
    Select(page.field("How risky it is")).select_by_value("low")
    page.fill("Up to how much", "7")
    press_id(page, "submit")
    page.until_shown("It was not handed in", "Nobody has it now")
    assert page.field("Up to how much").get_attribute("value") == "7"
    page.press(("Take it again and hand it in",))
    page.until_shown("Handed in")


def test_the_graph_of_an_instance_counts_its_units_live(server, desk, page):
    instance = instantiate(page, "Live desk")
    page.until_shown("Live desk", "No units of work yet")
    page.open(f"/instances/{instance}")
    assert page.is_live()
    page.mark()
    assert at_place(page, "Requests") == "Requests: nothing"
    # Somebody else adds a unit while we look.
    unit = added_elsewhere(page, server, instance, '{"total": 12}')
    page.until(lambda: at_place(page, "Requests") == "Requests: 1 waiting", "it is not counted")
    task = take(server, instance, "Splitter")
    assert task["id"] == unit
    page.until(lambda: at_place(page, "Requests") == "Requests: 1 in hand", "its claim is not shown")
    page.until_shown("ada")
    complete(server, task, flagged=False)
    page.until(lambda: at_place(page, "Line_Queue") == "Line_Queue: 1 waiting", "it does not move")
    assert at_place(page, "Requests") == "Requests: nothing"
    assert page.is_marked(), "the page was reloaded"


def added_elsewhere(page, server, instance, attributes):
    """Adds a unit by the form of another window; its id."""
    here = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    try:
        other = Page(page.driver, server.url).open(f"/instances/{instance}")
        return add_unit(other, attributes)
    finally:
        page.driver.close()
        page.driver.switch_to.window(here)


def test_a_person_works_on_a_unit_and_its_life_tells_why(server, desk, page):
    instantiate(page, "Paper desk", '{"total": 250, "customer": "Ada"}')
    page.driver.find_element(By.CSS_SELECTOR, "#units a[data-row]").click()
    page.until(lambda: page.path.startswith("/uows/"), "no unit opens")
    unit = page.path.split("/")[2]
    page.open(f"/inbox/{unit}")
    page.until_shown("Requests", "Paper desk")
    press_id(page, "claim")
    page.until_shown("Yours for")
    page.fill("Further attributes", '{"flagged": true}')
    page.fill("Why", "Ada is new here")
    press_id(page, "submit")
    page.until_shown("Handed in")
    page.open(f"/uows/{unit}")
    page.until_shown("Manual_Queue", "Ada is new here", "flagged", "waits at")
    assert page.is_live()
    decisions = page.driver.find_element(
        By.XPATH, "//h2[normalize-space()='What guardians said']/.."
    ).text
    assert "split_in_guardian" in decisions and "manual_if_big" in decisions, decisions


def test_an_intervention_is_approved(server, desk, page):
    instance = instantiate(page, "Stopped desk", '{"total": 9}')
    unit = take(server, instance, "Splitter")["id"]
    page.open(f"/instances/{instance}")
    page.driver.find_element(By.CSS_SELECTOR, "#kill > summary").click()
    by_id(page, "kill-reason").send_keys("the till is on fire")
    by_id(page, "kill-confirm").click()
    press_id(page, "kill-now")
    page.until_shown("1 paused")
    page.open("/interventions")
    page.until_shown("the till is on fire", "critical")
    assert page.is_live()
    request = page.driver.find_element(
        By.XPATH, f"//a[contains(@href, '{unit}')]/ancestor::li"
    ).get_attribute("id").removeprefix("request-")
    by_id(page, f"reason-{request}").send_keys("it was a candle")
    press_id(page, f"approve-{request}")
    page.until(lambda: not gone(page, f"approve-{request}"), "it still waits")
    page.open("/interventions?status=APPROVED")
    page.until_shown("approved by local", "it was a candle")
    page.open(f"/uows/{unit}")
    page.until_shown("active", "it was a candle")


def gone(page, name):
    """Whether it can be seen, asked in one go: it may be taken away at any time."""
    return page.driver.execute_script(
        "return document.getElementById(arguments[0])?.checkVisibility() ?? false", name
    )


def test_queues_and_workers_show_who_has_what(server, desk, page):
    instance = instantiate(page, "Busy desk", '{"total": 9}')
    take(server, instance, "Splitter", worker="busy-bee")
    page.open("/workers")
    page.until_shown("busy-bee", "Requests")
    page.open("/queues")
    page.until_shown("Requests", "Busy desk")
    assert page.is_live()


def test_the_inbox_works_without_javascript(server, desk, plain_page):
    page = plain_page
    run = server.execute("contract", customer="Plain")
    page.open("/inbox")
    page.driver.find_element(By.PARTIAL_LINK_TEXT, "Read the contract of Plain").click()
    by_id(page, "claim").click()
    page.until_shown("How risky it is")
    Select(page.field("How risky it is")).select_by_value("low")
    page.fill("Up to how much", "3")
    by_id(page, "submit").click()
    page.until_shown("Handed in")
    assert server.wait_until_over(run)["output"] == "low up to 3"
