"""What an AI agent does with Windlass, by the official client of the protocol."""

import asyncio
import subprocess
import time

import pytest
from mcp import Client, MCPError

import workflows
from conftest import ADMIN, WINDLASS, bridge, over_http, over_stdio


def play(client, story):
    """Connects, and plays a story with the client."""

    async def whole():
        async with client as connected:
            await story(connected)

    asyncio.run(asyncio.wait_for(whole(), 90))


async def call(client, tool, **arguments):
    """What a tool says, which has to be no error."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def refused(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return result.structured_content["code"]


async def all_tools(client):
    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        if (cursor := page.next_cursor) is None:
            return {tool.name: tool for tool in tools}


def test_a_workflow_is_found_run_and_followed_to_its_end(connect):
    async def story(client):
        assert client.server_info.name == "windlass"
        assert "get_run" in client.instructions
        tools = await all_tools(client)
        greet = tools["run_greet"]
        assert greet.description.startswith("Says hello to somebody.")
        assert greet.input_schema["required"] == ["who"]
        listed = (await call(client, "list_workflows"))["workflows"]
        assert {"greet", "refund"} <= {workflow["name"] for workflow in listed}
        assert all(workflow["tool"] in tools for workflow in listed)
        described = await call(client, "describe_workflow", workflow="greet")
        assert described["input_schema"] == greet.input_schema

        run = await call(client, "run_greet", who="Ada")
        run = await call(client, "get_run", run=run["run_id"], wait_seconds=20)
        assert (run["status"], run["output"]) == ("succeeded", "Ada was greeted")
        assert [step["path"] for step in run["steps"]] == ["hello", "done"]

        first = await call(client, "read_logs", run=run["run_id"], limit=2)
        assert [line["text"] for line in first["lines"]] == ["hello Ada 1", "hello Ada 2"]
        assert first["has_more"]
        rest = await call(client, "read_logs", run=run["run_id"], after=first["last_log_seq"])
        assert [line["text"] for line in rest["lines"]] == ["hello Ada 3"]
        assert not rest["has_more"]

    play(connect(), story)


def test_a_run_that_waits_is_asked_why_and_answered(connect):
    async def story(client):
        started = await call(
            client, "start_workflow", workflow="refund", input={"amount": 7}, wait_seconds=0
        )
        run = started["run_id"]
        end = time.monotonic() + 30
        while (await call(client, "get_run", run=run))["status"] != "waiting":
            assert time.monotonic() < end, "the run does not wait"
        why = await call(client, "why", run=run)
        causes = {step["path"]: step["because"] for step in why["steps"]}
        assert causes == {"ask": "approval", "pay": "upstream"}
        waiting = (await call(client, "list_approvals"))["approvals"]
        assert run in [approval["run_id"] for approval in waiting]
        asked = await call(client, "get_approval", run=run, step="ask")
        assert (asked["title"], asked["subject"]) == ("Refund 7?", {"amount": 7})
        decision = {"run": run, "step": "ask", "decision": "approve", "hash": asked["hash"]}
        assert await refused(client, "decide_approval", **decision | {"hash": "old"}) == "approval-changed"
        assert await refused(client, "decide_approval", **decision) == "invalid-request"
        await call(client, "decide_approval", **decision, form={"note": "sorry"}, comment="fine")
        over = await call(client, "get_run", run=run, wait_seconds=20)
        assert (over["status"], over["output"]) == ("succeeded", "sorry")

    play(connect(), story)


def test_any_workflow_is_a_tool(connect):
    async def story(client):
        tools = await all_tools(client)
        tool = next(tool for tool in tools.values() if tool.title == "Verdoppeln: größer")
        assert tool.name.startswith("run-Verdoppeln__gr__er-")
        run = await call(client, tool.name, input=21)
        assert run["output"] == 42
        meta = {"windlass/idempotency_key": f"{time.time_ns()}"}
        runs = [await client.call_tool(tool.name, {"input": 1}, meta=meta) for _ in range(2)]
        first, second = (run.structured_content["run_id"] for run in runs)
        assert first == second

    play(connect(), story)


def test_a_key_sees_and_does_what_its_role_may(connect, server):
    request = {"name": f"viewer-{time.time_ns()}", "role": "viewer"}
    viewer = server.request("POST", "/api/v1/keys", request)["key"]

    async def story(client):
        tools = await all_tools(client)
        assert "get_run" in tools
        assert not {"start_workflow", "run_greet", "cancel_run", "decide_approval"} & set(tools)
        assert await refused(client, "run_greet", who="Ada") == "forbidden"
        assert await refused(client, "get_run", run="nobody") == "run-not-found"
        with pytest.raises(MCPError):
            await client.call_tool("rm", {})

    play(connect(viewer), story)


def test_what_is_cancelled_stays_cancelled(connect, server):
    server.deploy("name: nap\nnodes: [{ id: a, type: delay, config: { duration: 1h } }]\n")

    async def story(client):
        run = (await call(client, "start_workflow", workflow="nap", wait_seconds=0))["run_id"]
        over = await call(client, "cancel_run", run=run, reason="enough", wait_seconds=20)
        assert over["status"] == "cancelled"
        assert await refused(client, "cancel_run", run=run) == "wrong-state"

    play(connect(), story)


def test_a_client_goes_on_after_the_server_was_started_anew(connect, server):
    async def story(client):
        run = await call(client, "run_greet", who="Ada")
        server.stop()
        server.start()
        server.wait_until_ready()
        again = await call(client, "get_run", run=run["run_id"], wait_seconds=20)
        assert again["output"] == "Ada was greeted"

    play(connect(), story)


def test_old_and_new_clients_are_understood(server):
    for over in (over_http, over_stdio):
        for mode, version in (("auto", "2026-07-28"), ("legacy", "2025-11-25")):

            async def story(client, version=version):
                assert client.protocol_version == version

            play(Client(over(server, ADMIN), mode=mode), story)


def test_a_wrong_key_is_told_over_stdio(server):
    async def story(_):
        raise AssertionError("nobody may be let in")

    with pytest.raises(Exception) as caught:
        play(Client(over_stdio(server, "wl_wrong"), mode="legacy"), story)
    assert "401" in str(leaves(caught.value))


def leaves(error):
    """The errors in a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


def test_no_server_is_needed_where_the_data_is(tmp_path):
    """Without a server the bridge opens the directory, and runs what the agent starts."""
    data, file = tmp_path / "data", tmp_path / "greet.yaml"
    file.write_text(workflows.GREET)
    for command in (["db", "migrate"], ["workflow", "deploy", file]):
        subprocess.run([WINDLASS, *command, "--data", data], check=True, capture_output=True)

    async def story(client):
        run = await call(client, "run_greet", who="Ada")
        assert (run["status"], run["output"]) == ("succeeded", "Ada was greeted")

    play(Client(bridge("--data", str(data))), story)


def test_several_requests_are_under_way_at_once(connect):
    async def story(client):
        run = await call(client, "start_workflow", workflow="refund", input={"amount": 1}, wait_seconds=0)
        waits = asyncio.create_task(call(client, "get_run", run=run["run_id"], wait_seconds=60))
        # While one waits, others are answered.
        await call(client, "list_workflows")
        assert not waits.done()
        await call(client, "cancel_run", run=run["run_id"])
        assert (await waits)["status"] == "cancelled"

    play(connect(), story)


