"""Every page in every state that looks different, in one list: what all pages owe their readers is
tested of each. A page that the server has and this list has not is a failure of its own."""

import re
import urllib.error
import urllib.request
from typing import NamedTuple

import pytest

from server import ROOT

ROUTES = ROOT / "crates" / "server" / "src" / "access" / "table.rs"


class View(NamedTuple):
    route: str
    # With the names of a world's ids in braces.
    path: str
    # The server with nothing on it, to which somebody has signed in.
    is_guarded: bool = False
    # The browser has something to say about it in its console.
    is_told_of: bool = False


VIEWS = {
    "runs": View("/runs", "/runs"),
    "runs-filtered": View("/runs", "/runs?status=failed&text=doomed"),
    "runs-not-found": View("/runs", "/runs?text=nobody"),
    "runs-none": View("/runs", "/runs", is_guarded=True),
    "run": View("/runs/{run}", "/runs/{done}"),
    "run-failed": View("/runs/{run}", "/runs/{failed}"),
    "run-failed-steps": View("/runs/{run}", "/runs/{observed}?status=failed"),
    "run-running": View("/runs/{run}", "/runs/{running}"),
    "run-waiting": View("/runs/{run}", "/runs/{waiting}"),
    "run-queued": View("/runs/{run}", "/runs/{queued}"),
    "run-backing-off": View("/runs/{run}", "/runs/{backing_off}"),
    "run-paused": View("/runs/{run}", "/runs/{paused}"),
    "run-cancelled": View("/runs/{run}", "/runs/{cancelled}"),
    "run-in-doubt": View("/runs/{run}", "/runs/{in_doubt}?step=pay"),
    "run-asked": View("/runs/{run}", "/runs/{asked}?step=ask"),
    "run-of-models": View("/runs/{run}", "/runs/{models}"),
    "run-conversation": View("/runs/{run}", "/runs/{models}?step=note"),
    "run-branches": View("/runs/{run}", "/runs/{branches}"),
    "run-undone": View("/runs/{run}", "/runs/{undone}"),
    "run-map": View("/runs/{run}", "/runs/{map}"),
    "run-repeated": View("/runs/{run}", "/runs/{repeated}"),
    "run-drawer": View("/runs/{run}", "/runs/{failed}?step=boom"),
    "run-at": View("/runs/{run}", "/runs/{done}?at=3"),
    "run-of-units": View("/runs/{run}", "/runs/{token_run}"),
    "observed-failed": View("/runs/{run}", "/runs/{observed}"),
    "observed-drawer": View("/runs/{run}", "/runs/{observed}?step=save:1"),
    "observed-running": View("/runs/{run}", "/runs/{observed_live}"),
    "observed-silent": View("/runs/{run}", "/runs/{silent}"),
    "observed-told": View("/runs/{run}", "/runs/{told}"),
    "run-late": View("/runs/{run}", "/runs/{late}"),
    "compare-of-one": View("/runs/compare", "/runs/compare?a={picky_failed}&b={picky}"),
    "compare-same": View("/runs/compare", "/runs/compare?a={done}&b={repeated}"),
    "flows-failed-last": View("/flows", "/flows?last=failed"),
    "flows-filtered": View("/flows", "/flows?q=nightly&origin=elsewhere"),
    "analytics-of-one": View("/analytics", "/analytics?workflow=greet"),
    "search-none": View("/search", "/search", is_guarded=True),
    "approvals": View("/approvals", "/approvals"),
    "approvals-none": View("/approvals", "/approvals", is_guarded=True),
    "approval": View("/runs/{run}/approvals/{step}", "/runs/{asked}/approvals/ask"),
    "flows": View("/flows", "/flows"),
    "flows-not-found": View("/flows", "/flows?q=nobody"),
    "flows-none": View("/flows", "/flows", is_guarded=True),
    "analytics": View("/analytics", "/analytics?since=24h"),
    "analytics-none": View("/analytics", "/analytics", is_guarded=True),
    "search": View("/search", "/search?q=hello"),
    "search-empty": View("/search", "/search"),
    "search-not-found": View("/search", "/search?q=nobodyhasit"),
    "compare": View("/runs/compare", "/runs/compare?a={done}&b={failed}"),
    "run-words": View("/runs/{run}", "/runs/{done}?q=hello"),
    "run-lines": View("/runs/{run}", "/runs/{done}?level=warning&q=nothing"),
    "workflow": View("/workflows/{workflow}", "/workflows/greet"),
    "workflow-paused": View("/workflows/{workflow}", "/workflows/quick"),
    "workflow-form": View("/workflows/{workflow}", "/workflows/Triage%20an%20order"),
    "workflow-of-models": View("/workflows/{workflow}", "/workflows/what%20the%20harbour%20says"),
    "workflow-observed": View("/workflows/{workflow}", "/workflows/etl.nightly:nightly"),
    "diff": View("/workflows/{workflow}/diff", "/workflows/greet/diff?from=1&to=2"),
    "audit": View("/audit", "/audit"),
    "audit-signed-in": View("/audit", "/audit", is_guarded=True),
    "templates": View("/templates", "/templates"),
    "templates-none": View("/templates", "/templates", is_guarded=True),
    "template": View("/templates/{template}", "/templates/Refund_Desk"),
    "instances": View("/instances", "/instances"),
    "instances-none": View("/instances", "/instances", is_guarded=True),
    "instance": View("/instances/{instance}", "/instances/{instance}"),
    "instance-stopped": View("/instances/{instance}", "/instances/{stopped}"),
    "unit": View("/uows/{uow}", "/uows/{unit}"),
    "unit-split": View("/uows/{uow}", "/uows/{split}"),
    "unit-refused": View("/uows/{uow}", "/uows/{refused}"),
    "unit-stopped": View("/uows/{uow}", "/uows/{stopped_unit}"),
    "queues": View("/queues", "/queues"),
    "queues-none": View("/queues", "/queues", is_guarded=True),
    "queue": View("/queues/{queue}", "/queues/{queue}"),
    "workers": View("/workers", "/workers"),
    "workers-none": View("/workers", "/workers", is_guarded=True),
    "interventions": View("/interventions", "/interventions"),
    "interventions-none": View("/interventions", "/interventions", is_guarded=True),
    "inbox": View("/inbox", "/inbox"),
    "inbox-none": View("/inbox", "/inbox", is_guarded=True),
    "task": View("/inbox/{task}", "/inbox/{task}"),
    "task-of-mine": View("/inbox/{task}", "/inbox/{task_of_mine}"),
    "login": View("/login", "/login", is_guarded=True, is_told_of=True),
    "redoc": View("/redoc", "/redoc"),
    "problem": View("/problems/{code}", "/problems/run-not-found"),
    "not-found": View("/runs/{run}", "/runs/nobody", is_told_of=True),
}
NAMES = [
    pytest.param(name, marks=pytest.mark.expects_console) if view.is_told_of else name
    for name, view in VIEWS.items()
]
# Swagger UI, as it comes; and a part of a page, which is a page only if it is asked for wrongly.
NO_PAGES = {"/docs", "/docs/", "/docs/{*rest}", "/runs/{run}/drawer"}
# Which id of a world stands for a parameter of a route.
PARAMETERS = {"run": "done", "uow": "unit", "instance": "instance", "queue": "queue", "task": "task"}


def pages(world):
    """The routes behind which there is a whole page: the server itself is asked."""

    def example(found):
        return str(world.ids.get(PARAMETERS.get(found[1]), "nobody"))

    paths = {route: re.sub(r"\{([^}]*)\}", example, route) for route in routes()}
    paths |= {view.route: view.path.format_map(world.ids) for view in VIEWS.values()}
    server = lambda route: world.guarded if route == "/login" else world.full
    return {route for route, path in paths.items() if is_page(server(route).url + path)} - NO_PAGES


def routes():
    """What can be asked for with GET: the server refuses what is not in this table."""
    told = r'(?:(?:read|public)\(|acts\(\s*"GET",|method: "GET",\s*path:)\s*"(/[^"]*)"'
    found = re.findall(told, ROUTES.read_text())
    return [route for route in found if not route.startswith("/api/")]


def is_page(url):
    request = urllib.request.Request(url, headers={"Accept": "text/html"})
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        is_there = answer.url == url and answer.headers.get_content_type() == "text/html"
        return is_there and b"<html" in answer.read()
