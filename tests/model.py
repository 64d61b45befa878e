"""A language model for the tests, in OpenAI's format: it uses the first tool that it is offered once,
and then says what it was made to say."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = "Good morning, harbour."
# What the tool `write_file` is asked to do, if it is offered.
ARGUMENTS = {"path": "note.txt", "content": "12 ships, two of them late"}


class Model:
    """Listens on a free port of the loopback until it is stopped."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Answers(BaseHTTPRequestHandler):
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_new = all(message["role"] != "assistant" for message in question["messages"])
        if is_new and question.get("tools"):
            name = question["tools"][0]["function"]["name"]
            function = {"name": name, "arguments": json.dumps(ARGUMENTS)}
            call = {"index": 0, "id": "call-1", "type": "function", "function": function}
            delta, finish = {"role": "assistant", "tool_calls": [call]}, "tool_calls"
        else:
            delta, finish = {"role": "assistant", "content": ANSWER}, "stop"
        usage = {"prompt_tokens": 120, "completion_tokens": 15, "total_tokens": 135}
        chunks = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": None},
            {"choices": [], "usage": usage},
        ]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for chunk in chunks:
            chunk |= {"id": "c", "object": "chat.completion.chunk", "model": question["model"]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format, *args):
        pass
