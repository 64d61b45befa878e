"""Everything works in a browser that runs no JavaScript: links, forms, a reload."""

from selenium.webdriver.common.by import By

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


def test_the_error_leads_to_its_step_and_the_failed_steps_stand_alone(server, plain_page):
    page = plain_page
    boom = "{ id: boom, type: fail, needs: [well], config: { message: no room } }"
    server.deploy(f"name: half\nnodes: [{{ id: well, type: noop }}, {boom}]\n")
    run = server.execute("half")
    server.wait_until_over(run)
    page.open_run(run)
    page.driver.find_element(By.CSS_SELECTOR, ".error-box #culprit").click()
    page.until(lambda: "step=" in page.path and page.has_drawer(), "the step does not open")
    page.open_run(run)
    before = len(page.driver.find_elements(By.CSS_SELECTOR, "#steps li"))
    page.driver.find_element(By.CSS_SELECTOR, "#head .counts a.is-failed").click()
    page.until(lambda: "status=failed" in page.path, "the filter is not in the address")
    rows = page.driver.find_elements(By.CSS_SELECTOR, "#steps li")
    assert 0 < len(rows) < before and all("failed" in row.text for row in rows)
