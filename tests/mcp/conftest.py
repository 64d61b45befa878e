"""A server with a key for the tests, and the official client in all the ways in which it connects."""

import os
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

import workflows
from server import ROOT, Server

ADMIN = "the key of these tests"
WINDLASS = Path(os.environ.get("WINDLASS_BIN", ROOT / "target" / "debug" / "windlass")).resolve()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server") / "data", ADMIN)
    try:
        server.wait_until_ready()
        for workflow in workflows.ALL:
            server.deploy(workflow)
        yield server
    finally:
        server.stop()


def bridge(*arguments, key=None):
    """`windlass mcp` with these arguments."""
    env = {"WINDLASS_API_KEY": key} if key else {}
    return StdioServerParameters(command=str(WINDLASS), args=["mcp", *arguments], env=env)


@asynccontextmanager
async def over_http(server, key):
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with streamable_http_client(f"{server.url}/mcp", http_client=http) as streams:
            yield streams


def over_stdio(server, key):
    return bridge("--server", server.url, key=key)


# `auto` is the protocol of 2026-07-28, `legacy` the handshake of those before.
WAYS = [(over, mode) for over in (over_http, over_stdio) for mode in ("auto", "legacy")]


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].__name__}-{way[1]}")
def connect(request, server):
    """Makes a client that shows a key."""
    over, mode = request.param
    return lambda key=ADMIN: Client(over(server, key), mode=mode, read_timeout_seconds=60)
