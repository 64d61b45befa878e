#!/usr/bin/env python3
"""A worker for the kind `count_words`: Python 3.9 or later, and nothing but its own library.

Started by the server it finds WINDLASS_SERVER and WINDLASS_WORKER_TOKEN in its environment. From
outside, set both yourself: the address, and a key with the role `worker`.
"""

import collections
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

SERVER = os.environ.get("WINDLASS_SERVER", "http://127.0.0.1:8000").rstrip("/")
TOKEN = os.environ.get("WINDLASS_WORKER_TOKEN", "")
NAME = f"python-{socket.gethostname()}-{os.getpid()}"
LEASE_SECONDS = 30

# The server is asked directly, whatever proxy the machine has for the rest of the world.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """The server has answered that it will not."""


class Cancelled(Exception):
    """Nobody wants the task's end any more."""


def post(path, body, patience=10):
    """Sends a request and returns what is answered, or None if there is nothing in it."""
    request = urllib.request.Request(SERVER + path, json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    if TOKEN:
        request.add_header("Authorization", f"Bearer {TOKEN}")
    try:
        with opener.open(request, timeout=patience) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise OSError(f"the server answered {error.code}") from None
        raise Refused(json.loads(error.read())["code"]) from None


class Task:
    """A task in our hands. While it is worked on, a thread of its own gives signs of life."""

    def __init__(self, body):
        self.config = body["config"]
        self.path = f"/api/v1/tasks/{body['id']}"
        self.hold = {"worker": NAME, "fence": body["fence"]}
        self.is_cancelled = threading.Event()
        self.is_done = threading.Event()
        threading.Thread(target=self.beat, daemon=True).start()

    def beat(self):
        while not self.is_done.wait(LEASE_SECONDS / 3):
            try:
                if post(self.path + "/heartbeat", self.hold)["cancel"]:
                    self.is_cancelled.set()
            except Refused:
                self.is_cancelled.set()
            except OSError as error:
                print(f"no heartbeat: {error}", file=sys.stderr)

    def log(self, text):
        """Adds a line to the log of the step."""
        post(self.path + "/logs", {**self.hold, "lines": [{"text": text}]})

    def check(self):
        """Call it now and then while working for long."""
        if self.is_cancelled.is_set():
            raise Cancelled

    def say(self, verb, **body):
        """Ends the task. What could not be delivered is said again: it counts once."""
        self.is_done.set()
        until = time.monotonic() + LEASE_SECONDS
        while True:
            try:
                return post(f"{self.path}/{verb}", {**self.hold, **body})
            except Refused as error:
                # It was lost, or nobody wants it any more.
                return print(f"{verb} was refused: {error}", file=sys.stderr)
            except OSError as error:
                if time.monotonic() > until:
                    return print(f"cannot {verb}: {error}", file=sys.stderr)
                time.sleep(1)


def count_words(task):
    words = re.findall(r"\w+", task.config["text"].lower())
    task.log(f"{len(words)} words")
    counts = collections.Counter()
    for place, word in enumerate(words):
        if place % 10_000 == 0:
            task.check()
        counts[word] += 1
    top = counts.most_common(task.config.get("top", 3))
    return {"words": len(words), "top": [{"word": word, "count": count} for word, count in top]}


KINDS = {"count_words": count_words}


def work(body):
    task = Task(body)
    try:
        output = KINDS[body["kind"]](task)
    except (Cancelled, Refused):
        task.is_done.set()
    except SystemExit:
        task.say("release")
        raise
    except Exception as error:
        task.say("fail", message=f"{type(error).__name__}: {error}", retryable=False)
    else:
        task.say("complete", output=output)


def main():
    # Whoever is asked to end gives back what is not done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    question = {"worker": NAME, "kinds": list(KINDS), "wait": "30s", "lease": f"{LEASE_SECONDS}s"}
    while True:
        try:
            found = post("/api/v1/tasks/poll", question, patience=40)
        except OSError as error:
            print(f"cannot ask for work: {error}", file=sys.stderr)
            time.sleep(1)
            continue
        except Refused as error:
            sys.exit(f"the server gives us no work: {error}")
        for body in found["tasks"] if found else []:
            work(body)


if __name__ == "__main__":
    main()
