"""A server in the middle of its work, so that every page has something to show: runs of every kind and
status, of its own and of other programs, units of work in every hand, and people who are asked."""

import time
import uuid
from urllib.parse import quote

import workflows
from model import Model
from server import ROOT, Server
from test_repair import PAYS
from test_units import CONTRACT, REFUND_DESK, take

EXAMPLES = ("triage-order.json", "book-trip.yaml", "resize-pictures.yaml", "code.yaml", "remind-later.yaml")
KEY = "the key of the guarded server"

ASKS = """
name: refund with a second look
description: Somebody has to say yes.
input: { type: object, properties: { amount: { type: number } }, required: [amount] }
nodes:
  - id: ask
    type: approval
    config:
      title: "Refund {{ input.amount }} to Mr Look?"
      subject: { amount: "{{ input.amount }}", why: "The parcel came too late,\\nand it was wet." }
      form: { type: object, properties: { note: { type: string, title: Note }, days: { type: integer, title: Days } } }
  - { id: refund, type: noop, needs: [ask] }
"""

MODELS = """
name: what the harbour says
description: A model writes a note with a tool, and another one sums it up.
labels: { demo: llm }
budget: { tokens: 100000 }
nodes:
  - { id: note, type: agent, config: { model: gpt-test, prompt: "Write down what is in the harbour", tools: [write_file] } }
  - { id: sum, type: llm, needs: [note], config: { model: gpt-test, prompt: "Sum it up: {{ note.output.text }}" } }
  - { id: again, type: workflow, needs: [sum], config: { workflow: quick } }
output: "{{ sum.output.text }}"
"""

RETRIES = """
name: retries for long
concurrency: { limit: 1 }
nodes:
  - id: fetch
    type: shell
    retry: { max_attempts: 5, delay: 1h }
    config: { script: "echo connecting; echo refused >&2; exit 7" }
"""


# Fails for one input, and not for another.
PICKY = """
name: picky
input: { type: object, properties: { day: { type: integer } }, required: [day] }
nodes:
  - { id: load, type: transform, config: { output: { rows: "{{ range(input.day) }}" } } }
  - { id: check, type: conditional, needs: [load], config: { condition: input.day > 2, true_edge: save, false_edge: none } }
  - { id: save, type: noop, config: { output: "{{ len(load.output.rows) }}" } }
  - { id: none, type: fail, config: { message: "there is too little of it", code: too_little } }
"""

LATE = """
name: too late
deadline: 100ms
nodes:
  - { id: long_wait, type: delay, config: { duration: 24h } }
"""


class Modelled(Server):
    """A server whose models are made up."""

    def __init__(self, data, model):
        self.model = model
        super().__init__(data)

    def settings(self):
        return super().settings() | {"MODEL_SERVICE_URL": self.model.url}


class World:
    """A full server, an empty one that asks for a key, and the ids of what is on the full one."""

    def __init__(self, place):
        self.model, self.ids = Model(), {}
        (place / "full").mkdir()
        (place / "guarded").mkdir()
        self.guarded = Server(place / "guarded" / "data", KEY)
        self.full = Modelled(place / "full" / "data", self.model)
        try:
            self.doubt(place)
            self.full.wait_until_ready()
            self.runs()
            self.flows()
            self.units()
            self.guarded.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        self.full.stop()
        self.guarded.stop()
        self.model.stop()

    def doubt(self, place):
        """A run whose server died in the middle of a payment."""
        begun = place / "begun"
        self.full.wait_until_ready()
        self.full.deploy(PAYS)
        run = self.ids["in_doubt"] = self.full.execute("pays", begun=str(begun))
        self.until(lambda: begun.exists())
        self.full.process.kill()
        self.full.process.wait()
        self.full.log.close()
        self.full.start()

    def runs(self):
        full, ids = self.full, self.ids
        for definition in [*workflows.ALL, ASKS, MODELS, RETRIES, PICKY, LATE]:
            full.deploy(definition)
        full.deploy(workflows.GREET.replace("How often", "How many times"))
        examples = {name: (ROOT / "examples" / name).read_text() for name in EXAMPLES}
        for name, text in examples.items():
            kind = "application/json" if name.endswith("json") else "application/yaml"
            full.request("POST", "/api/v1/workflows", text, kind)
        ids["done"] = full.execute("greet", who="Ada " * 40)
        ids["failed"] = full.execute("fails")
        ids["waiting"] = full.execute("waits")
        ids["running"] = full.execute("gated", gate=str(full.data / "no such gate"))
        ids["backing_off"] = full.execute("retries for long")
        ids["queued"] = full.execute("retries for long")
        ids["asked"] = full.execute("refund with a second look", amount=12)
        ids["models"] = full.execute("what the harbour says")
        ids["branches"] = full.execute("Triage an order", customer="Grace", amount=20)
        ids["undone"] = full.execute("Book a trip", customer="Grace", limit=300)
        ids["map"] = full.execute("Resize pictures", count=200)
        ids["code"] = full.execute("Sum in two languages", prices=[19.5, 5])
        ids["picky_failed"], ids["picky"] = (full.execute("picky", day=day) for day in (1, 7))
        ids["late"] = full.execute("too late")
        over = ("picky_failed", "picky", "late")
        for name in ("done", "failed", "models", "branches", "undone", "map", "code", *over):
            full.wait_until_over(ids[name])
        ids["repeated"] = self.act(ids["done"], "rerun")["id"]
        ids["cancelled"] = full.execute("waits")
        self.act(ids["cancelled"], "cancel")
        ids["paused"] = full.execute("waits")
        self.act(ids["paused"], "pause")
        full.request("POST", "/api/v1/workflows/quick/pause", {})

    def flows(self):
        """Runs of other programs: one whose task failed, one that says itself that it failed, one under way, and one
        from long ago that fell silent."""
        for name, key, ts, tail in [
            ("observed", "etl.nightly:nightly", None, "failed"),
            ("observed_live", "etl.nightly:nightly", None, None),
            ("told", "etl.hourly:hourly", None, "told"),
            ("silent", "etl.hourly:hourly", 1_700_000_000, None),
        ]:
            run = str(uuid.uuid4())
            common = {"run_id": run, "flow": "nightly", "flow_key": key} | ({"ts": ts} if ts else {})
            say = lambda event, **more: common | {"event": event} | more
            events = [
                say("flow_started", params={"day": 7}, tags=["etl"], metadata={"env": "prod", "git_sha": "abc"}),
                say("task_started", task="load", node="load:1"),
                say("task_log", node="load:1", level="WARNING", message="12 rows are late"),
                say("task_log", node="load:1", level="ERROR", message="a <b>long</b> line " * 30),
                say("task_ok", task="load", node="load:1", result={"rows": 12}),
                say("task_started", task="save", node="save:1"),
            ]
            if tail == "failed":
                events += [say("task_err", node="save:1", error="Boom('no room')"), say("flow_completed")]
            elif tail == "told":
                events += [say("flow_completed", status="FAILED", error="OSError: no room,\nnowhere")]
            self.full.request("POST", "/api/v1/events", events)
            self.ids[name] = self.full.request("GET", f"/api/v1/runs/{run}")["id"]
        self.full.request("POST", "/api/v1/flows", {
            "flow_key": "etl.nightly:nightly", "name": "nightly", "description": "Loads and saves.",
            "owner": "data", "tags": ["etl"],
            "nodes": [{"id": "load:1", "task": "load", "upstream": []},
                      {"id": "save:1", "task": "save", "upstream": ["load:1"]}],
        })

    def units(self):
        full, ids = self.full, self.ids
        full.deploy(REFUND_DESK)
        full.deploy(CONTRACT)
        form = {"name": "A desk to look at", "context": '{"total": 250, "note": "one\\ntwo"}'}
        path = full.send_form("/templates/Refund_Desk/instantiate", **form)
        ids["instance"] = instance = path.split("/")[2]
        held = take(full, instance, "Splitter", worker="an agent", lease="1h")
        ids["unit"], ids["token_run"] = held["id"], held["run_id"]
        ids["queue"] = quote(f"{instance}/Refund_Desk/Requests", safe="")
        # A second one is split, and a third one refused by a guardian.
        ids["split"] = self.add(instance, total=360)
        children = [{"attributes": {"total": 60}}, {"attributes": {"total": 300}}]
        task = take(full, instance, "Splitter", worker="sam")
        body = {"worker": "sam", "fence": task["fence"], "reasoning": "one for each line", "children": children}
        full.request("POST", f"/api/v1/tasks/{task['id']}/complete", body)
        ids["refused"] = self.add(instance, total=-1)
        question = {"worker": "sam", "units": [{"instance": instance, "role": "Splitter"}], "wait": "1s"}
        full.request("POST", "/api/v1/tasks/poll", question)
        # Another instance is stopped with a unit in somebody's hands, and a last one put away.
        stopped = full.send_form("/templates/Refund_Desk/instantiate", **form).split("/")[2]
        ids["stopped_unit"] = take(full, stopped, "Splitter", worker="eve", lease="1h")["id"]
        ids["stopped"] = stopped
        full.request("POST", f"/api/v1/instances/{stopped}/kill-switch", {"reason": "the till is open"})
        gone = full.send_form("/templates/Refund_Desk/instantiate", **form).split("/")[2]
        full.request("POST", f"/api/v1/instances/{gone}/archive", {})
        waiting, mine = (full.execute("contract", customer=who) for who in ("Mr Look", "Ms Look"))
        ids["task"], ids["task_of_mine"] = full.task_of(waiting), full.task_of(mine)
        full.send_form(f"/inbox/{ids['task_of_mine']}/claim")

    def add(self, instance, **attributes):
        body = {"attributes": attributes}
        return self.full.request("POST", f"/api/v1/instances/{instance}/uows", body)["id"]

    def act(self, run, what):
        return self.full.request("POST", f"/api/v1/runs/{run}/{what}", {})

    @staticmethod
    def until(condition):
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, "the world does not come about"
            time.sleep(0.02)
