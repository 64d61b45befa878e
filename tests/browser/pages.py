"""How a reader finds things on a page: by headings, labels, link and button texts. If the words on a
page change, they change here and nowhere else."""

from urllib.parse import quote

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

# The words of buttons, in the order in which they are looked for.
START = ("Start run", "Run", "Start")
CANCEL = ("Cancel run", "Cancel")
RERUN = ("Re-run", "Rerun", "Run again")
APPLY = ("Filter", "Apply", "Search")
NEXT = ("Next", "Older", "Next page", "Older runs")

STATUSES = {
    "pending", "queued", "running", "waiting", "backing_off", "paused",
    "succeeded", "failed", "cancelled", "skipped",
}

# Not a measure of speed: only when to give up.
WITHIN_S = 20


class Page:
    """One browser window on one server."""

    def __init__(self, driver, url):
        self.driver = driver
        self.url = url

    def open(self, path):
        self.driver.get(self.url + path)
        return self

    def leave(self):
        self.driver.get("about:blank")

    def open_workflow(self, name):
        return self.open(f"/workflows/{quote(name, safe='')}")

    def open_run(self, run):
        return self.open(f"/runs/{run}")

    # Reading

    @property
    def path(self):
        return self.driver.current_url.removeprefix(self.url)

    @property
    def heading(self):
        return self.driver.find_element(By.TAG_NAME, "h1").text

    @property
    def text(self):
        """What can be seen; states may be styled in upper case, so compare in lower."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def source(self):
        """The definition's text, opened first if it is folded."""
        block = self.driver.find_element(
            By.XPATH, "//pre[contains(., 'nodes')] | //code[contains(., 'nodes')]"
        )
        return block.get_attribute("textContent")

    def graph_nodes(self):
        """Ids or names of the nodes that the drawing shows."""
        texts = self.driver.find_elements(By.CSS_SELECTOR, "svg text, svg title")
        return {text.get_attribute("textContent").strip() for text in texts}

    @property
    def run_id(self):
        """The run whose page this is."""
        parts = self.path.split("?")[0].split("/")
        assert parts[1] == "runs" and len(parts) == 3, f"{self.path} is no run's page"
        return parts[2]

    def is_live(self):
        """Whether the page says, in the end, that it follows what happens."""
        shown = "//*[normalize-space(text())='live']"
        return self.until(
            lambda: self.driver.find_element(By.XPATH, shown).is_displayed(), "it is not live"
        )

    def run_status(self):
        """The status among the facts under the run's heading."""
        return self._status_in(self.driver.find_element(By.XPATH, "//*[text()='Status']/.."))

    def step_status(self, step):
        return self._status_in(self.row_of_step(step))

    def listed_status(self, run):
        link = self.driver.find_element(By.CSS_SELECTOR, f"a[href*='{run}']")
        return self._status_in(link.find_element(By.XPATH, "ancestor-or-self::*[self::tr or self::li][1]"))

    @staticmethod
    def _status_in(element):
        """The one status that an element's text names."""
        words = element.text.lower().replace("\n", " ").split()
        found = [word for word in words if word in STATUSES]
        return found[0] if found else None

    def row_of_step(self, step):
        """The row of a step in the list."""
        return self.driver.find_element(By.ID, f"step-{step}")

    def open_step(self, step):
        """Chooses a step in the list; answers what its drawer shows."""
        self.row_of_step(step).find_element(By.TAG_NAME, "a").click()
        return self.until(lambda: self._opened(step), f"no drawer of {step} opens")

    def _opened(self, step):
        text = self.drawer.text
        return text if text.startswith(step) else None

    @property
    def drawer(self):
        return self.driver.find_element(By.ID, "drawer")

    def has_drawer(self):
        return bool(self.driver.find_elements(By.ID, "drawer"))

    def press_keys(self, keys):
        """Types where the focus is."""
        self.driver.switch_to.active_element.send_keys(keys)

    @property
    def focused(self):
        """The id of what has the focus."""
        return self.driver.execute_script("return document.activeElement.id")

    def has_link(self, text):
        return bool(self.driver.find_elements(By.LINK_TEXT, text))

    def listed_runs(self):
        """Ids of the runs that the page's table leads to, in their order."""
        links = self.driver.find_elements(By.CSS_SELECTOR, "td a[href*='/runs/']")
        return [link.get_attribute("href").rsplit("/", 1)[1] for link in links]

    # Acting

    def open_listed(self, run):
        self.driver.find_element(By.CSS_SELECTOR, f"a[href*='{run}']").click()

    def button(self, words):
        """The first button or link-as-button with one of these words."""
        for word in words:
            path = (
                f"//button[normalize-space()='{word}']"
                f" | //input[@type='submit' and @value='{word}']"
                f" | //a[normalize-space()='{word}']"
            )
            shown = [e for e in self.driver.find_elements(By.XPATH, path) if e.is_displayed()]
            if shown:
                return shown[0]
        raise NoSuchElementException(f"none of the buttons {words} on {self.path}")

    def has_button(self, words):
        try:
            return self.button(words).is_enabled()
        except (NoSuchElementException, StaleElementReferenceException):
            return False

    def press(self, words):
        # A live page may replace the button between the look and the click.
        self.until(lambda: self.button(words).click() is None, f"{words} cannot be pressed")

    def field(self, label):
        """The form field that belongs to a label with this text."""
        path = f"//label[contains(normalize-space(), '{label}')]"
        found = self.driver.find_element(By.XPATH, path)
        target = found.get_attribute("for")
        if target:
            return self.driver.find_element(By.ID, target)
        return found.find_element(By.XPATH, ".//input | .//select | .//textarea")

    def fill(self, label, value):
        field = self.field(label)
        field.clear()
        field.send_keys(value)

    def filter_by_status(self, status):
        """Chooses a status on the runs page: in a list, by a box, or by a link."""
        try:
            field = self.field("Status")
        except NoSuchElementException:
            self.press((status, status.capitalize()))
            return
        if field.tag_name == "select":
            Select(field).select_by_value(status)
            # With JavaScript the choice may be enough.
            if f"status={status}" not in self.path:
                self.press(APPLY)
        else:
            box = self.driver.find_element(By.CSS_SELECTOR, f"input[value='{status}']")
            box.click()
            self.press(APPLY)

    # Waiting

    def until(self, condition, message):
        """Waits for what is awaited; a page that was just replaced is looked at again."""

        def looked_at(_):
            try:
                return condition()
            except (StaleElementReferenceException, NoSuchElementException):
                return False

        return WebDriverWait(self.driver, WITHIN_S, poll_frequency=0.05).until(looked_at, message)

    def until_on_a_run(self):
        self.until(lambda: self.path.startswith("/runs/"), f"still on {self.path}")

    def until_shown(self, *words):
        self.until(
            lambda: all(word.lower() in self.text.lower() for word in words),
            f"{words} never appeared on {self.path}",
        )

    def mark(self):
        """Leaves a mark that only a reload removes."""
        self.driver.execute_script("window.mark = 'still here'")

    def is_marked(self):
        return self.driver.execute_script("return window.mark") == "still here"

    def overflow(self):
        """By how many pixels the body is wider than the window."""
        return self.driver.execute_script(
            "const page = document.scrollingElement; return page.scrollWidth - page.clientWidth"
        )
