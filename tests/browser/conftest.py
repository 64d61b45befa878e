"""Browsers and a server for the tests. A browser is started once and used by all, since a start costs
more than most tests; what one test leaves in the console is held against it and not the next."""

import os
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

import workflows
from pages import Page
from server import ROOT, Server
from world import KEY, World

SCREENSHOTS = Path(os.environ.get("WINDLASS_SCREENSHOTS", ROOT / "target" / "screenshots"))
WIDE, NARROW = (1280, 900), (375, 800)
# Nothing here talks to anywhere but the server under test.
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def chromium(has_javascript):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ARGUMENTS:
        options.add_argument(argument)
    if not has_javascript:
        setting = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", setting)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(30)
    return driver


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server") / "data")
    try:
        server.wait_until_ready()
        for workflow in workflows.ALL:
            server.deploy(workflow)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def scripted():
    driver = chromium(has_javascript=True)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def unscripted():
    driver = chromium(has_javascript=False)
    yield driver
    driver.quit()


@pytest.fixture
def page(server, scripted, request):
    yield from fresh_page(server, scripted, request)


@pytest.fixture
def plain_page(server, unscripted, request):
    """A page in a browser that runs no JavaScript."""
    yield from fresh_page(server, unscripted, request)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.stop()


@pytest.fixture(scope="session")
def cookie(world, scripted):
    """Of somebody who has signed in to the server that asks for a key."""
    page = Page(scripted, world.guarded.url).open("/login")
    page.fill("Key", KEY)
    page.press(("Sign in",))
    page.until(lambda: not page.path.startswith("/login"), "nobody is signed in")
    [cookie] = scripted.get_cookies()
    scripted.delete_all_cookies()
    return cookie


@pytest.fixture
def view(world, cookie, scripted, request):
    """Opens a view of the world, as wide and as bright as it is asked for."""
    pages = fresh_page(world.full, scripted, request)
    page = next(pages)

    def open_view(view, width=WIDE[0], scheme="light"):
        emulate(scripted, width, scheme)
        if view.is_guarded:
            page.url = world.guarded.url
            scripted.execute_cdp_cmd("Network.setCookie", cookie | {"url": page.url})
        page.open(view.path.format_map(world.ids))
        page.until(lambda: scripted.title.endswith("· Windlass"), f"{view.path} is no page of ours")
        return page

    yield open_view
    scripted.delete_all_cookies()
    scripted.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    scripted.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    next(pages, None)


def emulate(driver, width, scheme):
    """A window cannot be made as narrow as a phone; its viewport can."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def fresh_page(server, driver, request):
    driver.set_window_size(*WIDE)
    driver.get("about:blank")
    driver.get_log("browser")
    yield Page(driver, server.url)
    failed = request.node.stash.get(FAILED, False)
    if failed:
        screenshot(driver, f"FAILED-{request.node.name}")
    complaints = driver.get_log("browser")
    # What breaks the content security policy is reported here too.
    if not failed and not request.node.get_closest_marker("expects_console"):
        assert not complaints, f"the console complains: {complaints}"


@pytest.fixture
def shoot(request):
    """Takes a picture of a page for people to look at, in target/screenshots."""
    return lambda page, name: screenshot(page.driver, name)


def screenshot(driver, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))


def pytest_sessionstart():
    for old in SCREENSHOTS.glob("FAILED-*.png"):
        old.unlink()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report
