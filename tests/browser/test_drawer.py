"""A step beside the page of its run: opened, gone back from, closed, and live."""

from selenium.webdriver.common.keys import Keys


def test_a_drawer_opens_beside_the_run_and_is_in_the_address(server, page):
    run = server.execute("greet", who="Hedy")
    server.wait_until_over(run)
    page.open_run(run)
    page.mark()
    assert "Hedy" in page.open_step("hello")
    assert page.path.endswith("?step=hello")
    page.until(lambda: page.focused == "drawer-title", "the drawer has not the focus")
    page.open_step("done")
    assert page.path.endswith("?step=done")
    page.driver.back()
    page.until(lambda: page.drawer.text.startswith("hello"), "back does not lead to the step before")
    page.press(("Close",))
    page.until(lambda: not page.has_drawer(), "it does not close")
    assert page.path == f"/runs/{run}"
    assert page.is_marked(), "the page was reloaded"


def test_the_address_of_a_drawer_opens_it(server, page):
    run = server.execute("fails")
    server.wait_until_over(run)
    page.open(f"/runs/{run}?step=boom")
    page.until_shown("it had to be")
    assert page.focused == "drawer-title"


def test_a_drawer_opens_from_graph_and_timeline(server, page):
    run = server.execute("greet", who="Mary")
    server.wait_until_over(run)
    page.open_run(run)
    page.driver.find_element("css selector", "#graph a[data-step=hello]").click()
    page.until(lambda: page.drawer.text.startswith("hello"), "the graph opens none")
    page.driver.find_element("css selector", "#timeline a[data-step=done]").click()
    page.until(lambda: page.drawer.text.startswith("done"), "the timeline opens none")


def test_escape_closes_a_drawer_and_gives_the_focus_back(server, page):
    run = server.execute("quick")
    server.wait_until_over(run)
    page.open_run(run)
    page.open_step("only")
    page.until(lambda: page.focused == "drawer-title", "the drawer has not the focus")
    page.press_keys(Keys.ESCAPE)
    page.until(lambda: not page.has_drawer(), "it does not close")
    page.until(lambda: page.focused == "step-only-link", "the focus is lost")


def test_an_open_drawer_goes_on_with_its_step(server, page, tmp_path):
    gate = tmp_path / "gate"
    run = server.execute("gated", gate=str(gate))
    page.open_run(run)
    page.until_shown("waiting at the gate")
    assert "Why it is not over" in page.open_step("gate")
    page.mark()
    gate.touch()
    page.until(lambda: "through the gate" in page.drawer.text, "its log does not go on")
    page.until(lambda: "Output" in page.drawer.text, "its end is not shown")
    page.until(lambda: page.run_status() == "succeeded", "the run does not go on")
    assert page.is_marked(), "the page was reloaded"


def test_a_row_outlives_its_changes(server, page, tmp_path):
    """So a click that meets a change is not lost."""
    gate = tmp_path / "gate"
    page.open_run(server.execute("gated", gate=str(gate)))
    page.until_shown("waiting at the gate")
    row = page.row_of_step("gate")
    gate.touch()
    page.until(lambda: page.run_status() == "succeeded", "the run does not go on")
    assert "succeeded" in row.text.lower()


def test_a_drawer_goes_along_from_event_to_event(server, page):
    run = server.execute("greet", who="Grace")
    server.wait_until_over(run)
    page.open(f"/runs/{run}?at=4")
    page.open_step("hello")
    assert page.path.endswith("?at=4&step=hello")
    page.press_keys(Keys.ARROW_LEFT)
    page.until(lambda: page.path.endswith("?at=3&step=hello"), "the step is left behind")
    assert page.drawer.text.startswith("hello")
    page.press(("Close",))
    page.until(lambda: not page.has_drawer(), "it does not close")
    page.press_keys(Keys.ARROW_RIGHT)
    page.until(lambda: page.path.endswith("?at=4"), "a step that was closed comes back")
