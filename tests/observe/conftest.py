"""A server with a key for the tests. What other programs report is sent by their official clients."""

import pytest

from server import Server

KEY = "the key of these tests"


class Watched(Server):
    """A server, and what it knows of other programs' runs."""

    def post(self, path, body):
        return self.request("POST", path, body)

    def run(self, run_id):
        return self.request("GET", f"/api/v1/runs/{run_id}")

    def steps(self, run_id):
        items = self.request("GET", f"/api/v1/runs/{run_id}/steps")["items"]
        return {step["path"].rpartition(":")[0] or step["path"]: step for step in items}

    def lines(self, run_id):
        return self.request("GET", f"/api/v1/runs/{run_id}/logs")["items"]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Watched(tmp_path_factory.mktemp("server") / "data", KEY)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()
