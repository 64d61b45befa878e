"""The server under test: a real process on a free port of the loopback, with a directory of its own."""

import html
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 30
TERMINAL = {"succeeded", "failed", "cancelled"}


class Server:
    def __init__(self, data, key=None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.data, self.key = data, key
        self.url = f"http://{self.address}"
        self.start()

    def start(self):
        self.log = open(self.data.parent / "server.log", "ab")
        binary = os.environ.get("WINDLASS_BIN", ROOT / "target" / "debug" / "windlass")
        self.process = subprocess.Popen(
            [Path(binary).resolve(), "serve", "--listen", self.address, "--data", self.data],
            env=os.environ | self.settings(),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def settings(self):
        # Steps of these tests leave files where the tests find them.
        settings = {"WINDLASS_SANDBOX__SHELL": "trusted"}
        return settings | ({"SERVER_API_KEY": self.key} if self.key else {})

    def wait_until_ready(self):
        end = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the server ended; see {self.log.name}"
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.02)
        raise TimeoutError("the server is not ready")

    def stop(self):
        """Asks twice, since the first time it waits for what is under way, and then no more."""
        for end in (self.process.terminate, self.process.terminate, self.process.kill):
            end()
            try:
                self.process.wait(timeout=3)
                break
            except subprocess.TimeoutExpired:
                pass
        self.log.close()

    # The API, as far as a test needs it to prepare or to check.

    def request(self, method, path, body=None, content_type="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else data,
            method=method,
            headers={"Content-Type": content_type} | ({"X-API-Key": self.key} if self.key else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def deploy(self, yaml):
        return self.request("POST", "/api/v1/workflows", yaml, "application/yaml")

    def execute(self, name, **input):
        path = f"/api/v1/workflows/{urllib.parse.quote(name, safe='')}/execute"
        return self.request("POST", path, {"input": input})["id"]

    def run(self, run):
        return self.request("GET", f"/api/v1/runs/{run}")

    def wait_until_over(self, run, within_s=30):
        end = time.monotonic() + within_s
        while (found := self.run(run))["status"] not in TERMINAL:
            assert time.monotonic() < end, f"the run is still {found['status']}"
            time.sleep(0.05)
        return found

    # Forms of pages, where a test prepares what only people do.

    def page(self, path):
        request = urllib.request.Request(self.url + path, headers={"Accept": "text/html"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return html.unescape(answer.read().decode())

    def send_form(self, path, page="/templates/Refund_Desk", **fields):
        """Sends a form with the token of a page that has one; where it leads."""
        token = re.search(r'name="csrf" value="([^"]+)"', self.page(page))[1]
        body = urllib.parse.urlencode(fields | {"csrf": token}).encode()
        with urllib.request.urlopen(self.url + path, body, timeout=30) as answer:
            return answer.url.removeprefix(self.url)

    def task_of(self, run, queue="role:lawyer", within_s=30):
        """The task of a run that waits in a queue."""
        end = time.monotonic() + within_s
        while True:
            assert time.monotonic() < end, f"no task of {run} waits in {queue}"
            try:
                text = self.page(f"/queues/{urllib.parse.quote(queue, safe='')}")
            except urllib.error.HTTPError:
                text = ""
            found = re.search(rf'id="task-([0-9a-f-]+)" href="/runs/{run}', text)
            if found:
                return found[1]
            time.sleep(0.05)
