"""What every page owes its readers, whatever is on it: it fits, it is silent in the console, it can be
used by keyboard and screen reader. Pictures for people are left in target/screenshots."""

import pytest

from conftest import emulate
from views import NAMES, VIEWS

PICTURES = [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")]


@pytest.mark.parametrize("name", NAMES)
def test_the_body_never_scrolls_sideways(view, shoot, name):
    page = view(VIEWS[name])
    wider = {}
    for width, scheme in [*PICTURES, (1000, "light"), (768, "light")]:
        emulate(page.driver, width, scheme)
        if (width, scheme) in PICTURES:
            shoot(page, f"{name}-{scheme}-{width}")
        wider[width] = page.overflow()
    assert all(by <= 0 for by in wider.values()), wider


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_title_one_heading_a_language_and_labelled_fields(view, name):
    page = view(VIEWS[name])
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


def test_the_first_page_leads_to_the_workflows(page):
    page.open("/")
    page.until(lambda: page.path.startswith("/flows"), "`/` leads nowhere")


@pytest.mark.expects_console
def test_what_is_not_there_is_a_page_with_a_way_back(page):
    for path in ["/runs/nobody", "/workflows/nobody"]:
        page.open(path)
        page.until_shown("there is no", "Runs")
