"""What can be asked of a server, as requests that either client sends."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Mapping, Union

import httpx

from ._call import Call, body, header, segment
from .models import Approval, Instance, Page, Run, UnitOfWork, Workflow

Source = Union[str, "os.PathLike[str]", Mapping[str, Any]]

API = "/api/v1"
# No request is to hang longer, whatever stands between us and the server.
WAIT_MAX = 60.0


def _run(response: httpx.Response) -> Run:
    return Run.read(response.json())


def _page(response: httpx.Response) -> Page:
    return Page.read(response.json())


def _prefer(wait: float | None) -> dict[str, str]:
    return {} if wait is None else {"Prefer": f"wait={max(0, round(min(wait, WAIT_MAX)))}"}


def _post(
    path: str,
    value: Any,
    read: Callable[[httpx.Response], Run],
    *,
    headers: Mapping[str, str] | None = None,
    may_repeat: bool = True,
    wait: float | None = None,
) -> Call[Run]:
    return Call(
        "POST",
        path,
        read,
        content=body(value),
        headers={**(headers or {}), **_prefer(wait)},
        may_repeat=may_repeat,
        timeout=None if wait is None else min(wait, WAIT_MAX) + 15.0,
    )


def deploy(source: Source) -> Call[Workflow]:
    """The same content deployed twice is one version, so this may be repeated."""
    if isinstance(source, Mapping):
        content, kind = body(dict(source)), "application/json"
    else:
        text = source if isinstance(source, str) else Path(source).read_text("utf-8")
        # JSON is read as YAML, too.
        content, kind = text.encode(), "application/yaml"
    read = lambda response: Workflow.read(response.json())  # noqa: E731
    return Call("POST", f"{API}/workflows", read, content=content, content_type=kind)


def import_template(source: Source) -> Call[Workflow]:
    """Likewise, a template."""
    call = deploy(source)
    return replace(call, path=f"{API}/templates")


def instantiate(
    template: str,
    name: str | None,
    description: str | None,
    version: int | None,
    settings: Mapping[str, Any] | None,
) -> Call[Instance]:
    """Said twice, it would make two."""
    value: dict[str, Any] = {"template": template}
    optional = {"name": name, "description": description, "version": version}
    value.update((key, said) for key, said in optional.items() if said is not None)
    if settings is not None:
        value["settings"] = dict(settings)
    read = lambda response: Instance.read(response.json())  # noqa: E731
    return Call("POST", f"{API}/instances", read, content=body(value), may_repeat=False)


def add_unit(
    instance: str,
    attributes: Mapping[str, Any],
    reasoning: str | None,
    priority: int | None,
    fairness_key: str | None,
    max_interactions: int | None,
    idempotency_key: str | None,
) -> Call[UnitOfWork]:
    """Always with a key: said twice, it is still one unit."""
    value: dict[str, Any] = {"attributes": dict(attributes)}
    optional = {
        "reasoning": reasoning,
        "priority": priority,
        "fairness_key": fairness_key,
        "max_interactions": max_interactions,
    }
    value.update((key, said) for key, said in optional.items() if said is not None)
    key = header("Idempotency-Key", idempotency_key or str(uuid.uuid4()))
    path = f"{API}/instances/{segment(instance)}/uows"
    return Call("POST", path, _unit, content=body(value), headers=key)


def get_unit(unit: str) -> Call[UnitOfWork]:
    return Call("GET", f"{API}/uows/{segment(unit)}", _unit)


def _unit(response: httpx.Response) -> UnitOfWork:
    return UnitOfWork.read(response.json())


def execute(
    workflow: str,
    input: Any,
    idempotency_key: str | None,
    labels: Mapping[str, str] | None,
    external_id: str | None,
    wait: float | None,
) -> Call[Run]:
    """Always with a key: said twice, it is still one run."""
    value: dict[str, Any] = {}
    if input is not None:
        value["input"] = input
    if labels:
        value["labels"] = dict(labels)
    if external_id is not None:
        value["external_id"] = external_id
    key = header("Idempotency-Key", idempotency_key or str(uuid.uuid4()))
    path = f"{API}/workflows/{segment(workflow)}/execute"
    return _post(path, value, _run, headers=key, wait=wait)


def get_run(run: str) -> Call[Run]:
    return Call("GET", f"{API}/runs/{segment(run)}", _run)


def steps(run: str, cursor: str | None) -> Call[Page]:
    params = {"limit": 200, "cursor": cursor}
    return Call("GET", f"{API}/runs/{segment(run)}/steps", _page, params=params)


def logs(run: str, path: str | None, after: int | None, cursor: str | None) -> Call[Page]:
    params = {"limit": 1000, "path": path, "cursor": cursor}
    if cursor is None:
        params["after"] = after
    return Call("GET", f"{API}/runs/{segment(run)}/logs", _page, params=params)


def stream(run: str, headers: Mapping[str, str]) -> Call[None]:
    # A silent stream says every 15 seconds that it is alive.
    path = f"{API}/runs/{segment(run)}/stream"
    return Call("GET", path, lambda _: None, headers=headers, timeout=45.0)


def cancel(run: str, reason: str | None, wait: float | None) -> Call[Run]:
    value = {} if reason is None else {"reason": reason}
    path = f"{API}/runs/{segment(run)}/cancel"
    # Said again, it would be refused, since the run is cancelled already.
    return _post(path, value, _run, may_repeat=False, wait=wait)


def signal(run: str, name: str, payload: Any, idempotency_key: str | None) -> Call[Run]:
    key = header("Idempotency-Key", idempotency_key or str(uuid.uuid4()))
    path = f"{API}/runs/{segment(run)}/signals/{segment(name)}"
    return _post(path, {"payload": payload}, _run, headers=key)


def approval(run: str, step: str) -> Call[Approval]:
    path = f"{API}/runs/{segment(run)}/approvals/{segment(step)}"
    return Call("GET", path, lambda response: Approval.read(response.json()))


def decide(
    run: str,
    step: str,
    decision: str,
    form: Mapping[str, Any] | None,
    comment: str | None,
    hash: str | None,
) -> Call[Run]:
    value: dict[str, Any] = {"decision": decision}
    if form is not None:
        value["form"] = dict(form)
    if comment is not None:
        value["comment"] = comment
    if hash is not None:
        value["hash"] = hash
    path = f"{API}/runs/{segment(run)}/approvals/{segment(step)}"
    # Each may decide once.
    return _post(path, value, _run, may_repeat=False)
