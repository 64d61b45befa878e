"""The Refund Desk, driven to its end by actors in Python, one of whom is killed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, ContextManager, Iterator

import pytest
from server import Server
from windlass import Client, Unit, UnitOfWork, Worker

DESK = Path(__file__).parents[3] / "examples" / "refund_desk" / "actors.py"
KEY = "the key of these tests"

# Takes one unit, says so, and then nothing more.
HANGS = """
import sys, time
from windlass import Client, Unit, Worker

worker = Worker(name="doomed", lease=1)

@worker.role("Payer", instance=sys.argv[1])
def pay(unit: Unit) -> dict:
    print(unit.id, flush=True)
    time.sleep(600)

worker.run()
"""


class DeskServer(Server):  # type: ignore[misc]
    """One that looks for dead actors often."""

    def settings(self) -> dict[str, str]:
        return {**super().settings(), "WINDLASS_SWEEPER__EVERY": "100ms"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = DeskServer(tmp_path_factory.mktemp("desk") / "data", KEY)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def desk() -> ModuleType:
    spec = importlib.util.spec_from_file_location("actors", DESK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Working = Callable[[Worker], ContextManager[None]]


def until(look: Callable[[], UnitOfWork], good: Callable[[UnitOfWork], bool]) -> UnitOfWork:
    deadline = time.monotonic() + 60
    while True:
        unit = look()
        if good(unit):
            return unit
        assert time.monotonic() < deadline, f"it stands still: {unit}"
        time.sleep(0.05)


def places(client: Client, unit: str) -> list[str]:
    """Where a unit has been, in order."""
    import httpx

    url = f"{client.settings.server}/api/v1/uows/{unit}/history?limit=200"
    items: list[dict[str, Any]] = httpx.get(
        url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30
    ).json()["items"]
    been: list[str] = []
    for item in items:
        place = item["place"]
        if place is not None and (not been or been[-1] != place):
            been.append(place)
    return been


def test_a_return_is_settled_through_ate_and_cerberus(
    client: Client, desk: ModuleType, working: Working
) -> None:
    client.import_template(desk.TEMPLATE)
    instance = client.instantiate("Refund_Desk", name="by hand")
    # No account: what is to be paid at once goes to the medic.
    request = {
        "total": 270,
        "flagged": False,
        "lines": [{"sku": "lamp", "total": 250}, {"sku": "bulb", "total": 20}],
    }
    unit = client.add_unit(instance.id, request)
    with working(desk.actors(instance.id, Worker(client, name="all", concurrency=4))):
        output = client.run(unit.id).result(timeout=60)
    assert output["refunded"] == 250
    lamp, bulb = output["_children"]
    assert lamp["attributes"]["seen_by"] == "clerk"
    assert bulb["attributes"]["voucher"] is True
    assert places(client, bulb["uow_id"]) == ["Line_Queue", "Ate", "Settled"]
    assert client.unit(unit.id).status == "finalized"


@pytest.mark.parametrize("zombie", ["failed", "pending"])
def test_a_killed_actor_holds_nobody_up(
    client: Client, server: Server, desk: ModuleType, working: Working, zombie: str
) -> None:
    client.import_template(desk.TEMPLATE)
    instance = client.instantiate("Refund_Desk", settings={"zombie": zombie})
    request = {
        "total": 20,
        "flagged": False,
        "iban": "DE02",
        "lines": [{"sku": "bulb", "total": 20}],
    }
    unit = client.add_unit(instance.id, request)
    splitter = Worker(client, name="splitter")

    @splitter.role("Splitter", instance=instance.id)
    def split(unit: Unit) -> Any:
        from windlass import Submit

        return Submit(children=unit.attributes["lines"])

    with working(splitter):
        until(lambda: client.unit(unit.id), lambda unit: unit.status == "completed")
    environment = {**os.environ, "WINDLASS_SERVER": server.url, "WINDLASS_API_KEY": KEY}
    with subprocess.Popen(
        [sys.executable, "-c", HANGS, instance.id],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as doomed:
        assert doomed.stdout is not None
        part = doomed.stdout.readline().strip()
        assert client.unit(part).holder == "doomed"
        doomed.send_signal(signal.SIGKILL)
    with working(desk.actors(instance.id, Worker(client, name="others", concurrency=4))):
        output = client.run(unit.id).result(timeout=60)
    been = places(client, part)
    if zombie == "failed":
        assert been == ["Line_Queue", "Chronos", "Ate", "Settled"]
    else:
        assert been == ["Line_Queue", "Settled"]
        assert output["refunded"] == 20
