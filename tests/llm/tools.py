"""A server of tools for the tests, by the official SDK: over standard input and output, or, with the
argument `http`, at a free port of the loopback, which it writes as {"port": N}. Each use of `count` is
a line in the file that the variable COUNTS names."""

import json
import os
import socket
import sys
import threading

from mcp.server.mcpserver import MCPServer

server = MCPServer("tests")


@server.tool()
def count(word: str) -> str:
    """Counts how often it is used."""
    with open(os.environ["COUNTS"], "a") as file:
        file.write(f"{word}\n")
    return f"counted {word}"


@server.tool()
def add(a: int, b: int) -> dict[str, int]:
    """Adds two numbers."""
    return {"sum": a + b}


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("the harbour is closed")


@server.tool()
def place() -> str:
    """Where it runs."""
    return os.getcwd()


def end_with_input():
    sys.stdin.read()
    os._exit(0)


if sys.argv[1:] == ["http"]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    print(json.dumps({"port": port}), flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    server.run("streamable-http", port=port)
else:
    print("the tools are ready", file=sys.stderr, flush=True)
    server.run()
