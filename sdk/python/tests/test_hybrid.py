"""The templates in examples/hybrid do what their README says, without a network."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from windlass import Client, RunFailed

HYBRID = Path(__file__).parents[3] / "examples" / "hybrid"
NAMES = ("data_processing", "test", "tmpl_001", "tmpl_002", "tmpl_003")
# Nobody listens on this port.
NOWHERE = "http://127.0.0.1:9/orders.csv"

Do = Callable[..., Any]


@pytest.fixture
def do(client: Client) -> Do:
    """Runs a template to its end; its output."""

    def do(name: str, **params: Any) -> Any:
        client.deploy(HYBRID / f"{name}.yaml")
        return client.execute(name, params).result(60)

    return do


def test_there_is_a_file_for_each_and_a_line_in_the_readme() -> None:
    assert {file.stem for file in HYBRID.glob("*.yaml")} == set(NAMES)
    readme = (HYBRID / "README.md").read_text()
    assert all(f"| `{name}` |" in readme for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_own_example_succeeds(client: Client, name: str) -> None:
    deployed = client.deploy(HYBRID / f"{name}.yaml")
    [example] = deployed.raw["definition"]["input"]["examples"]
    assert client.execute(name, example).result(60)


def test_rows_are_read_cleaned_and_summed_up(do: Do) -> None:
    csv = '\ufeffshop,net,note\r\na,"1,000","says ""hi"",\ntwice"\r\na,500,\r\nb,none,\r\nb,2.5,\r\n\r\n'
    found = do("data_processing", csv=csv, group_by="shop", value="net")
    assert (found["source"], found["rows"]) == ("csv", 4)
    assert found["left_out"] == [{"row": 3, "value": "none"}]
    assert found["groups"] == [
        {"group": "a", "count": 2, "sum": 1500, "mean": 750, "min": 500, "max": 1000},
        {"group": "b", "count": 1, "sum": 2.5, "mean": 2.5, "min": 2.5, "max": 2.5},
    ]
    assert do("data_processing")["source"] == "sample"


class Orders(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_json = self.path.endswith(".json")
        body = json.dumps([{"region": "west", "amount": 4}]) if is_json else "region,amount\nwest,3\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if is_json else "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def orders() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Orders)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_rows_are_fetched_from_an_address(do: Do, orders: str) -> None:
    for name, amount in (("orders.csv", 3), ("orders.json", 4)):
        found = do("data_processing", url=f"{orders}/{name}", rows=[{"region": "x", "amount": 9}])
        assert (found["source"], found["not_fetched"]) == ("url", None)
        assert found["groups"][0] | {"mean": 0} == {
            "group": "west", "count": 1, "sum": amount, "mean": 0, "min": amount, "max": amount
        }


def test_an_address_that_does_not_answer_is_gone_past_and_no_rows_are_not(do: Do) -> None:
    found = do("data_processing", url=NOWHERE, rows=[{"region": "x", "amount": 9}])
    assert found["source"] == "rows" and "cannot connect" in found["not_fetched"]
    with pytest.raises(RunFailed, match="there are no rows in what was fetched"):
        do("data_processing", url=NOWHERE)


def test_a_model_that_cannot_be_asked_is_gone_past(do: Do) -> None:
    text = "The load is heavy. The load is hauled. It rains."
    found = do("tmpl_001", inputText=text, sentences=1, model="nobody/knows-it")
    assert found["summary"] in text and found["not_asked"]
    found = do("tmpl_002", textA="The load is 200 kg.", textB="It is heavy.", model="nobody/knows-it")
    assert found["not_asked"] and found["only_a"] == ["The load is 200 kg."]


def test_the_same_prompt_is_the_same_picture(do: Do) -> None:
    first, second = (do("tmpl_003", prompt="a <b> & c") for _ in range(2))
    assert first["svg"] == second["svg"] and "<title>a &#60;b&#62; &#38; c</title>" in first["svg"]
    assert first["url"].startswith("data:image/svg+xml;base64,")
    assert do("tmpl_003", prompt="another")["svg"] != first["svg"]
