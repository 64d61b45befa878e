"""The client, against a server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from server import Server
from windlass import (
    ApiError,
    AsyncClient,
    Client,
    Conflict,
    Denied,
    NotFound,
    Refused,
    RunFailed,
    StreamEvent,
    Unreachable,
    WaitTimeout,
)

from conftest import KEY, PluginServer

GREET = """
name: greet
nodes:
  - {id: greet, type: noop, config: {output: "Hello {{ input.who }}"}}
output: "{{ greet.output }}"
"""
ASK = """
name: ask
nodes:
  - {id: ask, type: approval, config: {title: May I?}}
"""
WAIT = """
name: wait
nodes:
  - {id: wait, type: wait_signal, config: {signal: go}}
output: "{{ wait.output }}"
"""


def test_a_definition_is_text_a_file_or_a_mapping_and_twice_the_same_is_one_version(
    client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "greet.yaml"
    file.write_text(GREET)
    first = client.deploy(GREET)
    assert client.deploy(file).version == first.version
    as_json = {"name": "as json", "nodes": [{"id": "a", "type": "noop"}]}
    assert client.deploy(as_json).version == 1
    assert client.deploy(as_json).name == "as json"


def test_the_same_key_gives_the_same_run(client: Client) -> None:
    client.deploy(GREET)
    first, again = (
        client.execute("greet", {"who": "Ada"}, idempotency_key="once", labels={"who": "ada"})
        for _ in range(2)
    )
    assert first.id == again.id
    assert first.result(timeout=30) == "Hello Ada"
    assert first.get().labels == {"who": "ada"}
    assert client.execute("greet", {"who": "Ada"}).id != first.id
    with pytest.raises(Refused) as refused:
        client.execute("greet", {"who": "Bob"}, idempotency_key="once")
    assert (refused.value.status, refused.value.code) == (422, "key-reused")


def test_a_run_is_found_by_what_the_caller_calls_it(client: Client) -> None:
    client.deploy(GREET)
    name = "case 1/2"
    run = client.execute("greet", {"who": "Ada"}, external_id=name, wait=30)
    assert run.created is not None and run.created.is_over
    assert client.run(name).get().id == run.id


def test_refusals_say_what_is_wrong(client: Client, server: Server) -> None:
    with pytest.raises(NotFound) as gone:
        client.run("nothing").get()
    assert (gone.value.status, gone.value.code) == (404, "run-not-found")
    assert "nothing" in gone.value.detail
    with pytest.raises(Refused) as broken:
        client.deploy("name: x\nnodes:\n  - {id: a, type: nope}\n")
    assert broken.value.code == "invalid-definition"
    assert broken.value.errors[0]["line"] == 3
    with pytest.raises(Denied) as denied, Client(server.url, "wl_wrong") as stranger:
        stranger.run("x").get()
    assert denied.value.code == "unauthenticated"
    with pytest.raises(Unreachable), Client("http://127.0.0.1:9", retries=1) as lost:
        lost.run("x").get()
    for wrong in ("", ".."):
        with pytest.raises(ValueError):
            client.run(wrong).get()
    with pytest.raises(ValueError):
        client.execute("greet", idempotency_key="ä")


def test_settings_come_from_the_environment_and_the_key_is_never_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDLASS_SERVER", server.url + "/")
    monkeypatch.setenv("WINDLASS_API_KEY", KEY)
    with Client() as client:
        assert client.deploy(GREET).name == "greet"
        assert KEY not in repr(client.settings)
    with pytest.raises(ValueError) as wrong:
        Client("localhost:8000")
    assert "http://" in str(wrong.value)
    with pytest.raises(ValueError) as key:
        Client(api_key="secret\n")
    assert "secret" not in str(key.value)


def test_a_run_that_is_not_over_is_waited_for_and_then_signalled(client: Client) -> None:
    client.deploy(WAIT)
    run = client.execute("wait")
    with pytest.raises(WaitTimeout):
        run.wait(timeout=0.05)
    run.signal("go", {"n": 1}, idempotency_key="go-1")
    assert run.result(timeout=30) == {"n": 1}


def test_people_approve_what_they_saw_and_reject(client: Client) -> None:
    client.deploy(ASK)
    yes, no, stale = (client.execute("ask") for _ in range(3))
    for run in (yes, no, stale):
        next(event for event in run.stream(after=0) if _asks(event))
    asked = yes.approval("ask")
    assert asked.title == "May I?"
    yes.approve("ask", hash=asked.hash, comment="go on")
    assert yes.wait(timeout=30).status == "succeeded"
    with pytest.raises(Conflict) as changed:
        stale.approve("ask", hash="0" * 64)
    assert changed.value.code == "approval-changed"
    no.reject("ask", comment="not today")
    with pytest.raises(RunFailed) as failed:
        no.result(timeout=30)
    assert failed.value.run.id == no.id


def _asks(event: StreamEvent) -> bool:
    return event.type == "step_awaiting"


def test_a_run_is_cancelled_once(client: Client) -> None:
    client.deploy(WAIT)
    run = client.execute("wait")
    assert run.cancel("no more need", wait=30).status == "cancelled"
    with pytest.raises(Conflict) as over:
        run.cancel()
    assert (over.value.status, over.value.code) == (409, "wrong-state")


def test_steps_and_log_lines_are_listed(client: Client) -> None:
    # 0x2028 ends a line for Python, and for nobody else.
    client.deploy("""
name: lines
nodes:
  - {id: say, type: shell, config: {script: 'printf "one\\ntwo\\342\\200\\250still two\\n"'}}
  - {id: then, type: noop, needs: [say]}
""")
    run = client.execute("lines", wait=30)
    assert [step.path for step in run.steps()] == ["say", "then"]
    lines = [line.text for line in run.logs("say")]
    assert lines == ["one", "two\u2028still two"]
    assert [line.text for line in run.logs(after=1)] == lines[1:]


def test_a_stream_has_every_event_and_every_line(client: Client) -> None:
    client.deploy("""
name: stream
nodes:
  - {id: wait, type: wait_signal, config: {signal: go}}
  - {id: say, type: shell, needs: [wait], config: {script: 'printf "a\\nb\\342\\200\\250c\\n"'}}
""")
    run = client.execute("stream")
    events = []
    for event in run.stream():
        if event.type == "snapshot":
            run.signal("go")
        events.append(event)
    assert [event.type for event in events if event.type in ("snapshot", "run_succeeded")] == [
        "snapshot",
        "run_succeeded",
    ]
    texts = [event.data["text"] for event in events if event.type == "log"]
    assert texts == ["a", "b\u2028c"]
    numbers = [event.id for event in events if event.id is not None]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert list(run.stream(after=numbers[-1])) == []
    assert [event.id for event in run.stream(after=numbers[-3])] == numbers[-2:]


def test_a_stream_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    server = PluginServer(tmp_path / "data", KEY)
    try:
        server.wait_until_ready()
        with Client(server.url, KEY, retries=12) as client:
            client.deploy(WAIT)
            run = client.execute("wait")
            stream = run.stream()
            seen = [next(stream)]
            server.process.kill()
            server.process.wait()
            server.log.close()
            server.start()
            # It waits by itself until there is a server again.
            run.signal("go", "after the crash")
            seen.extend(stream)
        assert [event.type for event in seen].count("snapshot") == 1
        assert seen[-1].type == "run_succeeded"
        numbers = [event.id for event in seen if event.id is not None]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    finally:
        server.stop()


def test_the_async_client_does_the_same(server: Server) -> None:
    async def all_of_it() -> None:
        async with AsyncClient(server.url, KEY) as client:
            assert (await client.deploy(WAIT)).name == "wait"
            run = await client.execute("wait", idempotency_key="async")
            with pytest.raises(WaitTimeout):
                await run.wait(timeout=0.05)
            types = []
            async for event in run.stream():
                if event.type == "snapshot":
                    await run.signal("go", 5)
                types.append(event.type)
            assert types[0] == "snapshot" and types[-1] == "run_succeeded"
            assert await run.result(timeout=30) == 5
            assert [step.path async for step in run.steps()] == ["wait"]
            assert [line async for line in run.logs()] == []
            with pytest.raises(ApiError) as over:
                await run.cancel()
            assert over.value.code == "wrong-state"
            await client.deploy(ASK)
            asking = await client.execute("ask")
            async for event in asking.stream(after=0):
                if _asks(event):
                    await asking.approve("ask", hash=(await asking.approval("ask")).hash)
            assert (await asking.get()).status == "succeeded"

    asyncio.run(all_of_it())
