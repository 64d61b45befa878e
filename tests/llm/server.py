"""Language models for the tests: the LiteLLM proxy, which speaks the wire formats of OpenAI, Anthropic
and Gemini, with answers that are made up instead of asked for.

It listens on a free port of the loopback, writes {"port": N} once it answers, and ends when its
standard input does. The models are those of `models` below; the key is sk-windlass-tests.
"""

import json
import os
import socket
import sys
import tempfile
import threading
import time
import urllib.request

KEY = "sk-windlass-tests"


def models(port):
    """What each model answers. Those of Anthropic's format ask this very server in OpenAI's: a
    made-up answer of LiteLLM's own is never streamed in that format."""
    answers = {
        "plain": "Good morning, harbour.",
        "json": '{"title": "Nightly", "kind": "minor", "count": 3}',
        "fenced": '```json\n{"title": "Nightly", "kind": "minor", "count": 3}\n```',
        "busy": "litellm.RateLimitError",
        "broken": "litellm.InternalServerError",
        "long": "litellm.ContextWindowExceededError",
    }
    for name, answer in answers.items():
        yield name, {"model": f"openai/{name}", "api_key": "none", "mock_response": answer}
    # What this one answers hangs on what it is asked, see Sorts.
    yield "gpt-4o-mini", {"model": "openai/gpt-4o-mini", "api_key": "none", "mock_response": "?"}
    for name in ("plain", "json"):
        own = f"http://127.0.0.1:{port}/v1"
        yield f"claude-{name}", {"model": f"hosted_vllm/{name}", "api_base": own, "api_key": KEY}


def sorts():
    """Has gpt-4o-mini sort messages to a help desk, as examples/customer-support.yaml asks it to."""
    from litellm.integrations.custom_logger import CustomLogger

    class Sorts(CustomLogger):
        async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
            if data["model"] == "gpt-4o-mini":
                asked = json.dumps(data["messages"])
                is_technical = any(word in asked for word in ("printer", "password"))
                category = "technical" if is_technical else "general"
                data["mock_response"] = json.dumps({"category": category})
            return data

    return Sorts()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_up(port, thread):
    """Waits until it answers. False if it has ended instead."""
    url = f"http://127.0.0.1:{port}/health/liveliness"
    while thread.is_alive():
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def main():
    port = free_port()
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": params} for name, params in models(port)
        ],
        "litellm_settings": {"num_retries": 0, "telemetry": False},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"master_key": KEY},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        json.dump(config, file)
    os.environ["CONFIG_FILE_PATH"] = file.name
    # Its table of prices comes with it; it is not to be looked for elsewhere.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # What it writes itself is much, and no answer to whoever started this: it is only shown if the
    # server does not start.
    output, errors = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w")
    log = tempfile.TemporaryFile("w+")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    import litellm
    import uvicorn
    from litellm.proxy.proxy_server import app

    litellm.callbacks.append(sorts())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    if not is_up(port, thread):
        log.seek(0)
        errors.write(log.read())
        sys.exit(1)
    print(json.dumps({"port": port}), file=output, flush=True)
    sys.stdin.read()
    os.unlink(file.name)
    os._exit(0)


main()
