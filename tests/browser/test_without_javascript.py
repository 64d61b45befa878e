"""Everything works in a browser that runs no JavaScript: links, forms, a reload."""

from pages import CANCEL, RERUN, START


def test_the_form_starts_a_run(server, plain_page):
    page = plain_page
    page.open_workflow("greet")
    page.fill("Whom to greet", "Edsger")
    page.press(START)
    page.until_on_a_run()
    run = server.wait_until_over(page.run_id)
    assert run["input"]["who"] == "Edsger"
    page.open_run(run["id"])
    page.until_shown("succeeded", "hello Edsger", "Edsger was greeted")


def test_cancel_and_rerun_are_forms(server, plain_page):
    page = plain_page
    run = server.execute("waits")
    page.open_run(run)
    page.press(CANCEL)
    assert server.wait_until_over(run)["status"] == "cancelled"
    page.open_run(run)
    page.until_shown("cancelled")
    page.press(RERUN)
    page.until(lambda: page.run_id != run, "no other run opens")
    assert server.run(page.run_id)["rerun_of"] == run
    assert page.heading.startswith("waits")


def test_the_filter_is_a_form(server, plain_page):
    page = plain_page
    run = server.execute("fails")
    server.wait_until_over(run)
    page.open("/runs")
    page.filter_by_status("failed")
    page.until(lambda: "status=failed" in page.path, "the filter is not in the address")
    assert run in page.listed_runs()


def test_a_step_opens(server, plain_page):
    page = plain_page
    run = server.execute("greet", who="Barbara")
    server.wait_until_over(run)
    page.open_run(run)
    assert "Barbara" in page.open_step("hello")
