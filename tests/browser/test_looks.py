"""What every page owes its readers, whatever is on it: it fits, it is silent in the console, it can be
used by keyboard and screen reader. Pictures for people are left in target/screenshots."""

from urllib.parse import quote

import pytest

from test_units import CONTRACT, REFUND_DESK, take

PAGES = [
    "runs", "run", "failed-run", "drawer", "step-through", "workflows", "workflow", "diff", "audit",
    "templates", "template", "instances", "instance", "unit", "token-run", "queues", "queue", "workers",
    "interventions", "inbox", "task", "task-of-mine",
]


@pytest.fixture(scope="module")
def paths(server):
    done, failed = server.execute("greet", who="Ada " * 40), server.execute("fails")
    server.wait_until_over(done)
    server.wait_until_over(failed)
    return units(server) | {
        "runs": "/runs",
        "run": f"/runs/{done}",
        "failed-run": f"/runs/{failed}",
        "drawer": f"/runs/{failed}?step=boom",
        "step-through": f"/runs/{done}?at=3",
        "workflows": "/workflows",
        "diff": "/workflows/greet/diff?from=1&to=1",
        "audit": "/audit",
        "workflow": "/workflows/greet",
    }


def units(server):
    """The pages of an instance with a unit in an agent's hands, and of tasks that wait for people."""
    server.deploy(REFUND_DESK)
    server.deploy(CONTRACT)
    form = {"name": "A desk to look at", "context": '{"total": 250, "note": "one\\ntwo"}'}
    instance = server.send_form("/templates/Refund_Desk/instantiate", **form)
    held = take(server, instance.split("/")[2], "Splitter", worker="an agent", lease="1h")
    waiting, mine = (server.execute("contract", customer=who) for who in ("Mr Look", "Ms Look"))
    tasks = {run: server.task_of(run) for run in (waiting, mine)}
    server.send_form(f"/inbox/{tasks[mine]}/claim")
    queue = quote(f"{instance.split('/')[2]}/Refund_Desk/Requests", safe="")
    return {
        "templates": "/templates",
        "template": "/templates/Refund_Desk",
        "instances": "/instances",
        "instance": instance,
        "unit": f"/uows/{held['id']}",
        "token-run": f"/runs/{held['run_id']}",
        "queues": "/queues",
        "queue": f"/queues/{queue}",
        "workers": "/workers",
        "interventions": "/interventions",
        "inbox": "/inbox",
        "task": f"/inbox/{tasks[waiting]}",
        "task-of-mine": f"/inbox/{tasks[mine]}",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 375])
@pytest.mark.parametrize("name", PAGES)
def test_the_body_never_scrolls_sideways(page, paths, shoot, name, width, scheme):
    emulate(page, width, scheme)
    try:
        page.open(paths[name])
        page.until_shown("Windlass")
        shoot(page, f"{name}-{scheme}-{width}")
        assert page.overflow() <= 0
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def emulate(page, width, scheme):
    """A window cannot be made as narrow as a phone; its viewport can."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_a_title_one_heading_a_language_and_labelled_fields(page, paths, name):
    page.open(paths[name])
    page.until_shown("Windlass")
    found = page.driver.execute_script(
        """
        const named = e => e.labels?.length || e.ariaLabel || e.getAttribute('aria-labelledby');
        const fields = [...document.querySelectorAll('input:not([type=hidden]), select, textarea')];
        const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
        return {
          title: document.title,
          language: document.documentElement.lang,
          headings: document.querySelectorAll('h1').length,
          main: document.querySelectorAll('main').length,
          unlabelled: fields.filter(e => !named(e) && e.type !== 'submit').map(e => e.outerHTML),
          unnamed: [...document.querySelectorAll('button, a[href]')]
            .filter(e => !e.textContent.trim() && !e.ariaLabel && !e.title).map(e => e.outerHTML),
          doubled: ids.filter((id, at) => ids.indexOf(id) !== at),
        };
        """
    )
    assert "Windlass" in found.pop("title")
    assert found == {
        "language": "en",
        "headings": 1,
        "main": 1,
        "unlabelled": [],
        "unnamed": [],
        "doubled": [],
    }


def test_the_first_page_leads_to_the_runs(page):
    page.open("/")
    page.until(lambda: page.path.startswith("/runs"), "`/` leads nowhere")


@pytest.mark.expects_console
def test_what_is_not_there_is_a_page_with_a_way_back(page):
    for path in ["/runs/nobody", "/workflows/nobody"]:
        page.open(path)
        page.until_shown("there is no", "Runs")
