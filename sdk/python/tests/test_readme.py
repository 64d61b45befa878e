"""README.md does what it says, and the package stays within Python 3.9."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable

import windlass
from server import Server
from windlass import Client

from conftest import KEY

PACKAGE = Path(__file__).parents[1]


def test_every_example_runs(server: Server, one_step: Callable[..., str], client: Client) -> None:
    blocks = re.findall(
        r"```python\n# (\w+)\.py\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S
    )
    examples = dict(blocks)
    assert set(examples) == {"greet", "refund", "seen", "shout_worker"}
    environment = {**os.environ, "WINDLASS_SERVER": server.url, "WINDLASS_API_KEY": KEY}

    def run(name: str) -> str:
        command = [sys.executable, "-c", examples[name]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("greet") == "Hello Ada\n"
    assert run("refund") == "[('ask', 'succeeded'), ('paid', 'succeeded')]\n409 wrong-state\n"
    assert run("seen") == "2\n"
    worker = subprocess.Popen([sys.executable, "-c", examples["shout_worker"]], env=environment)
    try:
        shouted = client.execute(one_step("shout", {"text": "ada"})).result(30)
        assert shouted == {"text": "ADA"}
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def test_python_3_9_can_read_the_package() -> None:
    package = Path(windlass.__file__).parent
    for file in (*package.glob("*.py"), package.with_name("_windlass_bind.py")):
        text = file.read_text()
        ast.parse(text, str(file), feature_version=(3, 9))
        # New ways to write types are fine where nobody evaluates them.
        assert "from __future__ import annotations" in text or file.name == "__init__.py"
