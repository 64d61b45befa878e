"""Workflows: the list, one of them, and its run form."""

import pytest

from pages import START


def test_a_deployed_workflow_is_listed_and_leads_to_its_page(server, page):
    server.deploy("name: just deployed\nnodes: [{ id: a, type: noop, config: {} }]\n")
    page.open("/flows")
    assert page.has_link("just deployed")
    page.press(("just deployed",))
    page.until(lambda: page.heading.startswith("just deployed"), "its page does not open")
    assert page.path == "/workflows/just%20deployed"


def test_a_workflow_shows_its_graph_source_and_form(page):
    page.open_workflow("greet")
    assert page.heading.startswith("greet")
    page.until_shown("Says hello to somebody")
    assert page.graph_nodes() >= {"hello", "done"}
    assert 'script: echo "hello $WHO"' in page.source
    assert page.field("Whom to greet").get_attribute("value") == "Ada"
    assert page.field("How often").get_attribute("value") == "2"


def test_the_form_starts_a_run_and_leads_to_it(server, page):
    page.open_workflow("greet")
    page.fill("Whom to greet", "Grace")
    page.press(START)
    page.until_on_a_run()
    page.until_shown("succeeded", "hello Grace", "Grace was greeted")
    run_input = server.run(page.run_id)["input"]
    assert run_input == {"who": "Grace", "times": 2}


@pytest.mark.expects_console
def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(page):
    page.open_workflow("greet")
    page.fill("Whom to greet", "Grace")
    page.fill("Anything else", "{ this is no JSON")
    page.press(START)
    page.until_shown("JSON", "Anything else")
    assert page.path.startswith("/workflows/greet")
    assert page.field("Whom to greet").get_attribute("value") == "Grace"
    assert page.field("Anything else").get_attribute("value") == "{ this is no JSON"


def test_a_new_version_is_what_the_page_shows(server, page):
    server.deploy("name: grows\nnodes: [{ id: first, type: noop, config: {} }]\n")
    server.deploy("name: grows\nnodes: [{ id: second, type: noop, config: {} }]\n")
    page.open_workflow("grows")
    assert page.heading == "grows v2"
    assert "second" in page.graph_nodes()
    assert "first" not in page.graph_nodes()
