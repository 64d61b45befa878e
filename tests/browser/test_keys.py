"""Keyboard shortcuts: they lead where they say, and stay out of the way of who types."""

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


def has_help(page):
    return page.driver.find_element("id", "keys").is_displayed()


def test_a_question_mark_shows_the_shortcuts_and_escape_hides_them(page):
    page.open("/runs")
    page.press_keys("?")
    page.until(lambda: has_help(page), "the shortcuts are not shown")
    page.until_shown("Keyboard shortcuts", "Go to the workflows")
    page.press_keys("gw")
    assert page.path == "/runs", "keys act behind the dialog"
    page.press_keys(Keys.ESCAPE)
    page.until(lambda: not has_help(page), "escape does not hide them")
    page.driver.find_element("id", "keys-button").click()
    page.until(lambda: has_help(page), "the button does not show them")


def test_keys_lead_to_the_lists_and_into_the_search(page):
    page.open("/runs")
    page.press_keys("gw")
    page.until(lambda: page.path == "/flows", "g w does not lead to the workflows")
    page.press_keys("/")
    page.until(lambda: page.focused == "search", "the search of the list has not the focus")
    page.press_keys("gw?j")
    assert page.driver.find_element("id", "search").get_attribute("value") == "gw?j"
    assert page.path == "/flows" and not has_help(page), "keys act while one types"
    page.open("/queues")
    page.press_keys("/")
    page.until(lambda: page.focused == "find", "the search of everything has not the focus")
    page.open("/flows")
    page.press_keys("gr")
    page.until(lambda: page.path == "/runs", "g r does not lead to the runs")


def test_a_list_is_walked_through_and_opened(server, page):
    older, newer = server.execute("quick"), server.execute("quick")
    server.wait_until_over(older)
    server.wait_until_over(newer)
    page.open("/runs?workflow=quick")
    page.press_keys("j")
    assert page.focused == f"run-{newer}"
    page.press_keys("j")
    assert page.focused == f"run-{older}"
    page.press_keys("kk")
    assert page.focused == f"run-{newer}", "the first one is the end of the way up"
    page.press_keys(Keys.ENTER)
    page.until(lambda: page.run_id == newer, "it does not open")


def test_the_parts_of_a_run_are_led_to_and_its_steps_opened(server, page):
    run = server.execute("greet", who="Frances")
    server.wait_until_over(run)
    page.open_run(run)
    for key, part in [("t", "timeline"), ("g", "graph"), ("s", "steps"), ("l", "log")]:
        page.press_keys(f"g{key}")
        assert page.focused == f"{part}-title"
    page.press_keys("j")
    page.press_keys(Keys.ENTER)
    page.until(lambda: page.drawer.text.startswith("hello"), "the step does not open")
    page.until(lambda: page.focused == "drawer-title", "the drawer has not the focus")
    page.press_keys("j")
    page.press_keys(Keys.ENTER)
    page.until(lambda: page.drawer.text.startswith("done"), "the next step does not open")
    page.press_keys(Keys.ESCAPE)
    page.until(lambda: not page.has_drawer(), "it does not close")


def test_keys_with_a_modifier_are_the_browsers(page):
    page.open("/runs")
    for modifier in [Keys.CONTROL, Keys.ALT, Keys.META]:
        chain = ActionChains(page.driver).key_down(modifier).send_keys("?").key_up(modifier)
        chain.perform()
        assert not has_help(page)


def test_arrows_lead_from_event_to_event(server, page):
    run = server.execute("quick")
    server.wait_until_over(run)
    page.open(f"/runs/{run}?at=1&step=only")
    page.press_keys(Keys.ARROW_RIGHT)
    page.until(lambda: page.path.endswith("?at=2&step=only"), "the arrow does not lead on")
