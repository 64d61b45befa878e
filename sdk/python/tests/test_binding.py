"""Flows of the auto-workflow library are seen with no change to their programs, which never import
`windlass`; and whatever is wrong with it, they run as if it were not there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest
from server import Server

from conftest import KEY, Seen

PACKAGE = Path(__file__).parents[1]
STAND_IN = Path(__file__).parent / "stand_in"
NOBODY = "http://127.0.0.1:9"

SCRIPT = """
import logging, sys
from auto_workflow import flow, task

logging.basicConfig(level=logging.INFO)

@task
def load(day):
    if day < 0:
        raise ValueError("no such day")
    return [day, day + 1]

@task
def save(rows):
    return len(rows)

@flow
def nightly(day):
    return save(load(day))

print(nightly.run(day=int(sys.argv[1])))
print("windlass" in globals())
"""


class Home(NamedTuple):
    """A virtual environment with the package's wheel."""

    python: Path
    packages: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs Python there, with this environment and that of nobody who tests."""
        kept = {name: one for name, one in os.environ.items() if "WINDLASS" not in name}
        kept = {name: one for name, one in kept.items() if not name.startswith("AUTO_WORKFLOW_")}
        return subprocess.run(
            [self.python, *arguments],
            env={**kept, "PYTHONPATH": "", **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    place = tmp_path_factory.mktemp("home")
    pip(sys.executable, "wheel", "--no-build-isolation", "--wheel-dir", str(place), str(PACKAGE))
    [wheel] = place.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "venv"], check=True)
    python = place / "venv" / "bin" / "python"
    pip(str(python), "install", str(wheel))
    [packages] = place.glob("venv/lib/python*/site-packages")
    # What it depends on comes from the environment of the tests, whose own `.pth` files are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return Home(python, packages)


def pip(python: str, command: str, *arguments: str) -> None:
    """No dependencies, and nothing from elsewhere."""
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, command, "--quiet", "--no-deps", "--no-index", *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def jobs(place: Path) -> str:
    """A module of somebody's flows, under a name of its own; it runs them as it is imported."""
    module = f"jobs_{uuid.uuid4().hex}"
    (place / f"{module}.py").write_text(SCRIPT)
    return module


def of_library(place: Path, server: str, **more: str) -> dict[str, str]:
    """An environment in which a server is named, and the library is."""
    path = os.pathsep.join([str(place), str(STAND_IN)])
    key = {"AUTO_WORKFLOW_SERVER_URL": server, "AUTO_WORKFLOW_SERVER_API_KEY": KEY}
    return {"PYTHONPATH": path, "WINDLASS_SPOOL": "", **key, **more}


@pytest.mark.parametrize("name", ["AUTO_WORKFLOW_SERVER_URL", "WINDLASS_URL"])
def test_a_program_that_never_imports_it_is_seen(
    home: Home, server: Server, seen: Seen, tmp_path: Path, name: str
) -> None:
    module = jobs(tmp_path)
    environment = of_library(tmp_path, "", **{name: server.url})
    done = home.run("-c", f"import {module}", "7", **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\nFalse\n", "")
    run = seen.run(f"{module}:nightly")
    assert (run["status"], run["input"]) == ("succeeded", {"day": 7})
    steps = seen.steps(run)
    assert {path: step["status"] for path, step in steps.items()} == {
        "load:1": "succeeded",
        "save:1": "succeeded",
    }


def test_a_program_goes_by_the_name_of_its_file(
    home: Home, server: Server, seen: Seen, tmp_path: Path
) -> None:
    module = jobs(tmp_path)
    for arguments in ((str(tmp_path / f"{module}.py"), "7"), ("-m", module, "7")):
        done = home.run(*arguments, **of_library(tmp_path, server.url))
        assert (done.returncode, done.stderr) == (0, "")
    assert len(seen.runs(f"{module}:nightly")) == 2


def test_a_flow_that_fails_is_seen_to_fail(
    home: Home, server: Server, seen: Seen, tmp_path: Path
) -> None:
    module = jobs(tmp_path)
    done = home.run("-c", f"import {module}", "-1", **of_library(tmp_path, server.url))
    assert done.stderr.endswith("ValueError: no such day\n"), done.stderr
    run = seen.run(f"{module}:nightly")
    assert (run["status"], run["input"]) == ("failed", {"day": -1})
    assert run["error"]["message"] == "ValueError('no such day')"
    assert seen.steps(run)["load:1"]["error"]["message"] == "ValueError('no such day')"


def test_a_program_that_imports_both_is_seen_once(
    home: Home, server: Server, seen: Seen, tmp_path: Path
) -> None:
    again = "import auto_workflow, importlib, windlass; importlib.reload(auto_workflow)"
    for first in ("import windlass, auto_workflow", again):
        module = jobs(tmp_path)
        done = home.run("-c", f"{first}\nimport {module}", "7", **of_library(tmp_path, server.url))
        assert done.stderr == ""
        run = seen.run(f"{module}:nightly")
        events = seen.get(f"/runs/{run['id']}/events")["items"]
        assert [event["type"] for event in events].count("task_started") == 2


def test_a_server_that_is_away_changes_nothing(home: Home, tmp_path: Path) -> None:
    module, spool = jobs(tmp_path), tmp_path / "spool"
    environment = of_library(tmp_path, NOBODY, WINDLASS_SPOOL=str(spool))
    done = home.run("-c", f"import {module}", "7", **environment)
    assert (done.returncode, done.stdout) == (0, "2\nFalse\n")
    [line] = done.stderr.splitlines()
    assert line.startswith("WARNING:windlass.sender:events cannot be sent to "), line
    assert len(list(spool.rglob("*.gz"))) == 1


@pytest.mark.parametrize("nonsense", ["nowhere", "http://", "ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_what_is_no_server_is_only_logged(home: Home, tmp_path: Path, nonsense: str) -> None:
    module = jobs(tmp_path)
    done = home.run("-c", f"import {module}", "7", **of_library(tmp_path, nonsense))
    assert (done.returncode, done.stdout) == (0, "2\nFalse\n"), done.stderr
    assert done.stderr.startswith("WARNING:windlass.sender:nothing is reported: ")
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("broken", ["windlass/__init__.py", "windlass/sink.py", "_windlass_bind.py"])
@pytest.mark.parametrize("text", [None, "", "raise OSError('broken')", "this is no Python"])
def test_a_broken_package_changes_nothing(
    home: Home, server: Server, tmp_path: Path, broken: str, text: str | None
) -> None:
    module, file = jobs(tmp_path), home.packages / broken
    whole = file.rename(file.with_name("whole"))
    try:
        if text is not None:
            file.write_text(text)
        done = home.run("-c", f"import {module}", "7", **of_library(tmp_path, server.url))
    finally:
        whole.replace(file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\nFalse\n", "")


@pytest.mark.parametrize(
    "library",
    [
        "",
        "subscribe = 1",
        "def subscribe(name): pass",
        "def subscribe(name, callback): pass\nFlow = 3",
        "def __getattr__(name): raise OSError(name)",
    ],
)
def test_another_library_of_that_name_is_left_alone(
    home: Home, server: Server, tmp_path: Path, library: str
) -> None:
    (tmp_path / "auto_workflow.py").write_text(library)
    environment = {"PYTHONPATH": str(tmp_path), "WINDLASS_URL": server.url}
    script = "import auto_workflow; print(open(auto_workflow.__file__).read())"
    done = home.run("-c", script, **environment)
    assert (done.stdout, done.stderr) == (f"{library}\n", "")


def test_the_library_is_found_when_it_is_there(
    home: Home, server: Server, seen: Seen, tmp_path: Path
) -> None:
    """Whoever looks for it in vain, or without importing it, changes nothing."""
    module = jobs(tmp_path)
    script = f"""
import importlib.util, sys
try:
    import auto_workflow
except ModuleNotFoundError as error:
    print(error)
sys.path[:0] = [{str(STAND_IN)!r}, {str(tmp_path)!r}]
print(importlib.util.find_spec("auto_workflow").name)
import {module}
"""
    environment = of_library(tmp_path, server.url, PYTHONPATH="")
    done = home.run("-c", script, "7", **environment)
    assert done.stderr == ""
    assert done.stdout == "No module named 'auto_workflow'\nauto_workflow\n2\nFalse\n"
    assert seen.run(f"{module}:nightly")["status"] == "succeeded"


LOADED = """
import sys
print(*(name for name in sys.modules if "windlass" in name or "httpx" in name))
"""


def test_it_costs_nothing_where_it_is_not_wanted(home: Home) -> None:
    for unwanted in ({}, {"WINDLASS_URL": ""}, {"WINDLASS_SERVER": NOBODY}):
        assert home.run("-c", LOADED, **unwanted).stdout == "\n"
    # Where it is, a module that imports nothing waits for the library.
    wanted = home.run("-X", "importtime", "-c", LOADED, WINDLASS_URL=NOBODY)
    assert wanted.stdout == "_windlass_bind\n"
    assert "importlib.util" not in wanted.stderr and "typing" not in wanted.stderr
