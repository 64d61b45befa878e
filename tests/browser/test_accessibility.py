"""What axe-core finds on every page is nothing serious, by light, in the dark, and on a phone."""

import pytest

from conftest import emulate
from server import ROOT
from views import NAMES, VIEWS, pages

AXE = ROOT / "tests" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
# Where only colours differ, only what hangs on them is asked again.
COLOURS = ["color-contrast", "link-in-text-block"]
LOOKS = {"light": (1280, "light", None), "dark": (1280, "dark", COLOURS), "phone": (375, "light", None)}
GRAVE = {"serious", "critical"}
RUN = """
const [rules, done] = arguments;
// What is folded away is read, too.
for (const folded of document.querySelectorAll("details")) folded.open = true;
// Of what is the same a hundred times over, some will do.
for (const article of [...document.querySelectorAll("article")].slice(20)) article.remove();
const options = { resultTypes: ["violations"], ...(rules && { runOnly: rules }) };
axe.run(document, options).then(({ violations }) => done(violations.flatMap(rule =>
  rule.nodes.map(node => ({
    rule: rule.id, impact: node.impact, at: node.target.join(" "), html: node.html.slice(0, 300),
    why: node.failureSummary.split("\\n").slice(1).map(line => line.trim()).join("; "),
  })))), error => done(String(error)));
"""


@pytest.fixture(scope="session")
def axe():
    assert AXE.exists(), "axe-core is missing: npm ci --prefix tests/browser"
    return AXE.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_serious_is_found(view, axe, name):
    driver = view(VIEWS[name]).driver
    driver.execute_script(axe)
    found = []
    for look, (width, scheme, rules) in LOOKS.items():
        emulate(driver, width, scheme)
        for one in driver.execute_async_script(RUN, rules):
            found += [one | {"look": look}] if one["impact"] in GRAVE else []
    assert found == []


def test_nothing_serious_is_found_in_the_list_of_keys(view, axe):
    page = view(VIEWS["runs"])
    page.press_keys("?")
    page.until_shown("Keyboard shortcuts")
    page.driver.execute_script(axe)
    found = page.driver.execute_async_script(RUN, None)
    assert [one for one in found if one["impact"] in GRAVE] == []


def test_no_page_is_forgotten(world):
    forgotten = pages(world) - {view.route for view in VIEWS.values()}
    assert not forgotten, "these have no line in tests/browser/views.py"
