"""A receiver for Odeum's callbacks: Python 3.9 or later, nothing to install.
docs/guides/callbacks.md explains it.

    ODEUM_CALLBACK_SECRET=… PORT=8080 python3 receiver.py

It listens on loopback: put the proxy that speaks TLS in front of it. It prints each event as one
line of JSON.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# How far a callback's time may be off this machine's clock, in seconds.
TIME_OFF_MAX_S = 5 * 60
# The largest body that is read, in bytes.
BODY_BYTES_MAX = 64 * 1024
# Callbacks remembered, so that none is handled twice; beyond it the oldest is forgotten.
SEEN_MAX = 100_000


def check(secret, headers, body):
    """The event in `body`, the bytes as they came; None when a signature or the time is wrong."""
    try:
        webhook_id, sent = headers["webhook-id"], headers["webhook-timestamp"]
        if abs(time.time() - int(sent)) > TIME_OFF_MAX_S:
            return None

        # The headers' signature covers every byte of the body.
        message = f"{webhook_id}.{sent}.".encode() + body
        digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(digest).decode()
        if not any(is_same(each, expected) for each in headers["webhook-signature"].split(" ")):
            return None

        # The body's own signature covers its time and nonce.
        event = json.loads(body)
        parts = [secret, str(event["timestamp"]), event["nonce"]]
        digest = hashlib.sha1(b"".join(sorted(part.encode() for part in parts))).hexdigest()
        return event if is_same(event["signature"], digest) else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # a header or a field is missing, or is not what it should be


def is_same(given, expected):
    """Compares in a time that does not tell where two texts differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def handle(event, webhook_id, late):
    """What a callback is for. Yours would write to a database, in one transaction with the id."""
    line = {"event": event["event"], "room_id": event["room_id"]}
    print(json.dumps(line | {"webhook_id": webhook_id, "late": late}), flush=True)


class Receiver(BaseHTTPRequestHandler):
    secret = os.environ.get("ODEUM_CALLBACK_SECRET")
    timeout = 10  # seconds that a connection may be silent
    seen = {}  # ids of callbacks that were handled, the oldest first
    one_at_a_time = threading.Lock()

    def do_POST(self):
        # Without an answer, as with one that is not 2xx, the server sends the callback again.
        self.send_response(self.receive())
        self.send_header("content-length", "0")
        self.end_headers()

    def receive(self):
        """Answers one request: the status of the answer."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            return 411
        body = self.rfile.read(min(int(length), BODY_BYTES_MAX + 1))
        if len(body) > BODY_BYTES_MAX:
            return 413
        event = check(self.secret, self.headers, body)
        if event is None:
            return 401

        # A callback that comes again is answered like the first time, so that it stops coming.
        webhook_id = self.headers["webhook-id"]
        with self.one_at_a_time:
            if webhook_id not in self.seen:
                handle(event, webhook_id, self.headers["odeum-late"] == "1")
                self.seen[webhook_id] = True
                if len(self.seen) > SEEN_MAX:
                    del self.seen[next(iter(self.seen))]
        return 200

    def log_message(self, format, *values):
        """Says nothing of each request."""


if __name__ == "__main__":
    if not Receiver.secret:
        print("set ODEUM_CALLBACK_SECRET to the app's callback_secret", file=sys.stderr)
        sys.exit(2)
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Receiver)
    print(f"listening on 127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()
