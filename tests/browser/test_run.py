"""A run's page: it moves by itself, and a reader can act on it."""

from selenium.webdriver.common.by import By

from pages import CANCEL, RERUN


def test_states_and_log_lines_appear_without_a_reload(server, page, tmp_path):
    gate = tmp_path / "gate"
    run = server.execute("gated", gate=str(gate))
    page.open_run(run)
    page.until_shown("running", "waiting at the gate")
    page.mark()
    gate.touch()
    page.until_shown("succeeded", "through the gate")
    page.until(lambda: page.run_status() == "succeeded", "the run's own status does not move")
    page.until(lambda: page.step_status("end_of_it") == "succeeded", "the last step does not move")
    assert page.is_marked(), "the page was reloaded"


def test_a_finished_run_shows_what_happened(server, page):
    run = server.execute("greet", who="Lin")
    server.wait_until_over(run)
    page.open_run(run)
    page.until_shown("succeeded", "hello Lin", "Lin was greeted", "greet")
    assert page.graph_nodes() >= {"hello", "done"}
    assert not page.has_button(CANCEL)


def test_a_failed_run_says_why(server, page):
    run = server.execute("fails")
    server.wait_until_over(run)
    page.open_run(run)
    page.until_shown("failed", "it had to be", "doomed")


def test_a_step_leaves_the_list_of_those_that_run(server, page, tmp_path):
    gate = tmp_path / "gate"
    run = server.execute("gated", gate=str(gate))
    page.open_run(run)
    page.until_shown("running", "waiting at the gate")
    page.open(f"/runs/{run}?status=running")
    rows = lambda: page.driver.find_elements(By.CSS_SELECTOR, "#steps li")
    assert rows()
    page.is_live()
    page.mark()
    gate.touch()
    page.until(lambda: not rows(), "a step that is over stands among those that run")
    assert page.is_marked(), "the page was reloaded"


def test_words_that_are_looked_for_are_marked_in_the_log(server, page):
    run = server.execute("greet", who="Barbara")
    server.wait_until_over(run)
    page.open_run(run)
    page.fill("Words", "barbara")
    page.press(("Filter",))
    page.until(lambda: "q=barbara" in page.path, "the words are not in the address")
    assert "Barbara" in [one.text for one in page.driver.find_elements(By.CSS_SELECTOR, "#lines mark")]


def test_cancel_ends_a_run_and_its_child(server, page, tmp_path):
    run = server.execute("gated", gate=str(tmp_path / "never"))
    page.open_run(run)
    page.until_shown("waiting at the gate")
    page.press(CANCEL)
    page.until(lambda: page.run_status() == "cancelled", "the run is not cancelled")
    assert server.wait_until_over(run)["status"] == "cancelled"
    assert not page.has_button(CANCEL)


def test_rerun_makes_a_new_run_with_the_same_input(server, page):
    first = server.execute("greet", who="Ken")
    server.wait_until_over(first)
    page.open_run(first)
    page.press(RERUN)
    page.until(lambda: page.run_id != first, "no other run opens")
    second = server.wait_until_over(page.run_id)
    assert (second["input"], second["rerun_of"]) == ({"who": "Ken"}, first)
    page.until_shown("succeeded", "hello Ken")


def test_a_step_opens_to_its_input_and_output(server, page):
    run = server.execute("greet", who="Radia")
    server.wait_until_over(run)
    page.open_run(run)
    step = page.open_step("hello")
    assert "exit_code" in step and "Radia" in step


def test_hostile_text_stays_text(server, page):
    hostile = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'"
    run = server.execute("greet", who=hostile)
    server.wait_until_over(run)
    page.open_run(run)
    page.until_shown(hostile[:30])
    assert page.driver.title != "owned"


def test_the_bar_of_a_running_step_grows_while_nothing_happens(server, page, tmp_path):
    run = server.execute("gated", gate=str(tmp_path / "never"))
    page.open_run(run)
    page.until_shown("waiting at the gate")
    timeline = "#timeline .axis"
    axis = lambda: page.driver.find_element("css selector", timeline).get_attribute("innerHTML")
    before = page.until(axis, "there is no timeline")
    page.until(lambda: axis() != before, "the timeline stands still")
    page.press(CANCEL)
    assert server.wait_until_over(run)["status"] == "cancelled"
