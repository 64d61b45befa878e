"""An S3-compatible peer for the tests: moto, which keeps objects in memory, behind a door that checks
every signature with botocore's own signer, since moto does not look at signed URLs.

It listens on a free port of the loopback, writes {"port": N}, and ends when its standard input does.
Every line of that is an order, a JSON list, and is answered with a line:

    ["bucket", NAME]           makes a bucket
    ["list", NAME]             answers the keys in it
    ["read", NAME, KEY]        answers the text of an object
    ["bytes", NAME, KEY]       answers what is in it, in base64
    ["uploads", NAME]          answers the keys of what comes in parts and is not complete
    ["put", NAME, KEY, TEXT]   writes an object past the door
    ["remove", NAME, KEY]      removes one past the door
    ["down"], ["up"]           nobody listens any more; listens again, on the same port
    ["answer", STATUS]         every request is answered with this status; 0 for as it should be
    ["ask"]                    answers how many requests there were
"""

import base64
import hmac
import json
import logging
import sys
import threading
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

KEY_ID, SECRET, REGION = "windlass-tests", "s3cr/et+key", "eu-test-1"

store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
state = {"answer": 0, "asked": 0}


def refusal(environ):
    """Why a request is not let in, if it is not: S3's code for it."""
    uri = environ["REQUEST_URI"]
    url = f"http://{environ['HTTP_HOST']}{uri}" if uri.startswith("/") else uri
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    if "X-Amz-Signature" not in query:
        return "AccessDenied"
    key_id, _day, region, service, _ = query["X-Amz-Credential"].split("/")
    if key_id != KEY_ID:
        return "InvalidAccessKeyId"
    if region != REGION:
        return "AuthorizationHeaderMalformed"
    names = query["X-Amz-SignedHeaders"].split(";")
    headers = {name: environ["HTTP_" + name.upper().replace("-", "_")] for name in names}
    unsigned = "&".join(
        part for part in urlsplit(url).query.split("&") if not part.startswith("X-Amz-Signature=")
    )
    request = AWSRequest(environ["REQUEST_METHOD"], f"{url.split('?')[0]}?{unsigned}", headers)
    request.context["timestamp"] = query["X-Amz-Date"]
    signer = S3SigV4QueryAuth(Credentials(KEY_ID, SECRET), service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    is_ours = hmac.compare_digest(signer.signature(text, request), query["X-Amz-Signature"])
    return None if is_ours else "SignatureDoesNotMatch"


class Door:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        state["asked"] += 1
        status, code = state["answer"], "Ordered"
        if not status:
            code = refusal(environ)
            status = 403 if code else 0
        if not status:
            return self.app(environ, start_response)
        # Who closes before all was sent is not heard.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{code}</Code><Message>Told by the door.</Message></Error>"
        start_response(f"{status} Refused", [("Content-Type", "application/xml")])
        return [body.encode()]


def listen(port):
    server = make_server("127.0.0.1", port, Door(create_backend_app("s3")), threaded=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = listen(0)
    port = server.port
    tell({"port": port})
    for line in sys.stdin:
        verb, *rest = json.loads(line)
        answer = None
        if verb == "bucket":
            store.create_bucket(rest[0], REGION)
        elif verb == "list":
            answer = sorted(store.get_bucket(rest[0]).keys.keys())
        elif verb == "read":
            answer = store.get_object(*rest).value.decode()
        elif verb == "bytes":
            answer = base64.b64encode(store.get_object(*rest).value).decode()
        elif verb == "uploads":
            answer = [upload.key_name for upload in store.list_multipart_uploads(rest[0]).values()]
        elif verb == "put":
            store.put_object(rest[0], rest[1], rest[2].encode())
        elif verb == "remove":
            store.delete_object(*rest)
        elif verb == "down":
            server.shutdown()
            server.server_close()
        elif verb == "up":
            server = listen(port)
        elif verb == "answer":
            state["answer"] = rest[0]
        elif verb == "ask":
            answer = state["asked"]
        else:
            raise ValueError(line)
        tell(answer)


def tell(answer):
    print(json.dumps(answer), flush=True)


main()
