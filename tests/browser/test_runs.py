"""The list of runs: filter, paging, live."""

from pages import NEXT


def test_runs_are_listed_and_lead_to_their_pages(server, page):
    run = server.execute("quick")
    page.open("/runs")
    page.until(lambda: run in page.listed_runs(), "the run is not listed")
    page.open_listed(run)
    page.until(lambda: page.run_id == run, "its page does not open")


def test_the_filter_by_status_shows_only_that_status(server, page):
    failed, succeeded = server.execute("fails"), server.execute("quick")
    server.wait_until_over(failed)
    server.wait_until_over(succeeded)
    page.open("/runs")
    page.filter_by_status("failed")
    page.until(lambda: "status=failed" in page.path, "the filter is not in the address")
    page.until(lambda: failed in page.listed_runs(), "the failed run is not listed")
    listed = page.until(page.listed_runs, "no runs are listed")
    assert succeeded not in listed
    assert {server.run(run)["status"] for run in listed} == {"failed"}


def test_pages_follow_each_other_without_gap_or_double(server, page):
    server.deploy("name: many\nnodes: [{ id: a, type: noop, config: {} }]\n")
    wanted = {server.execute("many") for _ in range(130)}
    page.open("/runs?workflow=many")
    seen = []
    while True:
        listed = page.until(page.listed_runs, "no runs are listed")
        assert not set(listed) & set(seen), "a run is on two pages"
        seen += listed
        if not page.has_button(NEXT):
            break
        before = page.path
        page.press(NEXT)
        page.until(lambda: page.path != before, "there is no next page")
    assert set(seen) == wanted


def test_new_runs_and_new_states_appear_by_themselves(server, page, tmp_path):
    page.open("/runs")
    page.mark()
    gate = tmp_path / "gate"
    run = server.execute("gated", gate=str(gate))
    page.until(lambda: run in page.listed_runs(), "the new run does not appear")
    page.until(lambda: page.listed_status(run) == "running", "it is not shown as running")
    gate.touch()
    page.until(lambda: page.listed_status(run) == "succeeded", "its end is not shown")
    assert page.is_marked(), "the page was reloaded"


def test_pages_that_were_left_hold_no_connection(page):
    """A browser keeps left pages for its back button, and it has six connections to a server."""
    for number in range(8):
        page.open(f"/runs?text={number}")
        page.leave()
    page.driver.back()
    page.until(lambda: page.heading == "Runs", "the way back is closed")
    assert page.is_live()


def test_no_runs_is_said_and_not_shown_as_an_empty_table(page):
    page.open("/runs?workflow=nobody-has-this")
    page.until_shown("no runs")
