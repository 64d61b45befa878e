"""From the form to the end, and what a person does when it goes wrong: run again, settle by hand."""

import pytest

from pages import RERUN, START, Page
from server import Server

SUCCEEDED = ("It has succeeded",)
SKIP = ("Skip it",)

# Fails as long as the file is missing.
NEEDS = """
name: needs a file
input:
  type: object
  properties: { file: { type: string, title: The file } }
  required: [file]
nodes:
  - id: look
    type: shell
    config:
      env: { FILE: "{{ input.file }}" }
      script: test -e "$FILE" || { echo "there is no file" >&2; exit 3; }
  - { id: after, type: noop, needs: [look], config: { output: found } }
output: "{{ after.output }}"
"""

# Begins to pay, and never comes to the end of it.
PAYS = """
name: pays
input:
  type: object
  properties: { begun: { type: string } }
  required: [begun]
nodes:
  - id: pay
    type: shell
    effect: never
    config:
      env: { BEGUN: "{{ input.begun }}" }
      script: touch "$BEGUN"; sleep 600
  - { id: receipt, type: transform, needs: [pay], config: { output: "{{ default(pay.output, 'none') }}" } }
output: "{{ receipt.output }}"
"""


def test_a_run_is_started_from_the_form_and_watched_to_its_end(server, page, tmp_path):
    gate = tmp_path / "gate"
    page.open_workflow("gated")
    page.fill("gate", str(gate))
    page.press(START)
    page.until_on_a_run()
    page.until_shown("waiting at the gate")
    page.until(lambda: page.step_status("gate") == "running", "the step is not shown as running")
    assert page.is_live()
    page.mark()
    gate.touch()
    page.until(lambda: page.run_status() == "succeeded", "its end is not shown")
    page.until_shown("through the gate")
    assert page.step_status("end_of_it") == "succeeded"
    assert page.is_marked(), "the page was reloaded"
    assert server.run(page.run_id)["status"] == "succeeded"


def test_a_failed_run_is_run_again_once_the_cause_is_gone(server, page, tmp_path):
    file = tmp_path / "file"
    server.deploy(NEEDS)
    page.open_workflow("needs a file")
    page.fill("The file", str(file))
    page.press(START)
    page.until_on_a_run()
    failed = page.run_id
    page.until(lambda: page.run_status() == "failed", "its failure is not shown")
    page.until_shown("exit_code", "there is no file")
    file.touch()
    page.press(RERUN)
    page.until(lambda: page.run_id != failed, "no other run opens")
    page.until(lambda: page.run_status() == "succeeded", "the repeated run does not succeed")
    page.until_shown("found", "Repeats")
    assert server.run(page.run_id)["rerun_of"] == failed
    assert server.run(failed)["status"] == "failed", "what is finished stays finished"


@pytest.fixture
def in_doubt(page, tmp_path):
    """The page of a run whose server died in the middle of a payment, on the next server."""
    data, begun = tmp_path / "data", tmp_path / "begun"
    killed = Server(data)
    try:
        killed.wait_until_ready()
        killed.deploy(PAYS)
        run = killed.execute("pays", begun=str(begun))
        page.until(begun.exists, "the payment does not begin")
    finally:
        killed.process.kill()
        killed.process.wait()
        killed.log.close()
    server = Server(data)
    try:
        server.wait_until_ready()
        doubtful = Page(page.driver, server.url)
        doubtful.open_run(run)
        doubtful.until(lambda: doubtful.step_status("pay") == "waiting", "it does not wait")
        doubtful.open_step("pay")
        doubtful.until_shown("Nobody knows whether")
        yield doubtful, server
        doubtful.leave()
    finally:
        server.stop()


def test_a_step_whose_outcome_nobody_knows_is_settled_by_hand(in_doubt):
    page, server = in_doubt
    run = page.run_id
    page.driver.find_element("css selector", "input[name=output]").send_keys('{"paid": 12}')
    page.press(SUCCEEDED)
    page.until(lambda: page.run_status() == "succeeded", "the run does not go on")
    assert server.run(run)["output"] == {"paid": 12}
    assert page.step_status("pay") == "succeeded"


def test_a_step_whose_outcome_nobody_knows_is_skipped(in_doubt):
    page, server = in_doubt
    run = page.run_id
    page.press(SKIP)
    page.until(lambda: page.step_status("pay") == "skipped", "the step is not skipped")
    assert server.wait_until_over(run)["status"] == "succeeded"
