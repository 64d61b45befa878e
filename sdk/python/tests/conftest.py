"""A server with kinds of a plugin, what it knows, clients of it, and workers that end with their test."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any, Callable, ContextManager, Iterator

import httpx
import pytest
from server import Server
from windlass import Client, Worker

KEY = "the key of these tests"
KINDS = ("shout", "hold", "count")


class PluginServer(Server):  # type: ignore[misc]
    """With the kinds of these tests."""

    def settings(self) -> dict[str, str]:
        place: Path = self.data.parent
        kind = {"summary": "Does it", "config": {"type": "object"}, "example": {}}
        kinds = [{"kind": name, **kind} for name in KINDS]
        manifest = {"name": "tests", "version": "1", "kinds": kinds}
        (place / "plugin.json").write_text(json.dumps(manifest))
        config = place / "windlass.toml"
        config.write_text(f"[plugins.tests]\nmanifest = {json.dumps(str(place / 'plugin.json'))}\n")
        # One that looks for dead workers often.
        often = {"WINDLASS_SWEEPER__EVERY": "100ms"}
        # One whose steps may ask this machine.
        here = {"WINDLASS_HTTP__ALLOW": "127.0.0.1"}
        return {**super().settings(), "WINDLASS_CONFIG": str(config), **often, **here}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = PluginServer(tmp_path_factory.mktemp("server") / "data", KEY)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


class Seen:
    """What the server knows."""

    def __init__(self, server: Server) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        self._http = httpx.Client(base_url=server.url, headers=headers, trust_env=False)

    def get(self, path: str, **params: str) -> Any:
        answer = self._http.get(f"/api/v1{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def runs(self, flow_key: str) -> list[Any]:
        found = self._http.get(f"/api/v1/flows/{httpx.URL(path=flow_key).raw_path.decode()}")
        return list(found.json()["runs"]) if found.status_code == 200 else []

    def run(self, flow_key: str) -> Any:
        [run] = self.runs(flow_key)
        return self.get(f"/runs/{run['id']}")

    def steps(self, run: Any) -> dict[str, Any]:
        items = self.get(f"/runs/{run['id']}/steps")["items"]
        return {step["path"]: step for step in items}

    def lines(self, run: Any) -> list[Any]:
        return list(self.get(f"/runs/{run['id']}/logs")["items"])

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def seen(server: Server) -> Iterator[Seen]:
    seen = Seen(server)
    yield seen
    seen.close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, KEY) as client:
        yield client


Working = Callable[[Worker], ContextManager[None]]


@pytest.fixture
def working() -> Working:
    """Runs a worker in a thread while a block of a test does."""

    @contextlib.contextmanager
    def working(worker: Worker) -> Iterator[None]:
        errors: list[BaseException] = []

        def run() -> None:
            try:
                worker.run()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            worker.stop()
            thread.join(timeout=30)
        assert not thread.is_alive(), "the worker does not end"
        if errors:
            raise errors[0]

    return working


@pytest.fixture
def one_step(client: Client) -> Callable[..., str]:
    """Deploys a workflow with one step and answers with its name."""

    def deploy(kind: str, config: Any = None, **node: Any) -> str:
        name = f"one {kind}"
        step = {"id": "one", "type": kind, "config": config or {}, **node}
        client.deploy({"name": name, "nodes": [step], "output": "{{ one.output }}"})
        return name

    return deploy
