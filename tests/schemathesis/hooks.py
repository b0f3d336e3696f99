"""Hooks of schemathesis: each request that it makes up is signed as a backend signs.

The app is ODEUM_APP_ID and ODEUM_SERVER_SECRET. What authenticates a call is always right, so that
every request reaches the action: wrong signatures have tests of their own. Every second request
speaks of what there is, the room `room` with the user `user` and the stream `stream`, wherever
schemathesis chose a name that is well-formed: made-up names alone would all be refused.
"""

import hashlib
import itertools
import os
import re
import secrets
import time

import schemathesis

APP_ID = os.environ["ODEUM_APP_ID"]
SERVER_SECRET = os.environ["ODEUM_SERVER_SECRET"]
EXISTING = {"RoomId": "room", "UserId": "user", "FromUserId": "user", "StreamId": "stream"}
WELL_FORMED = re.compile(r"[0-9A-Za-z_-]{1,63}")

calls = itertools.count()


def speaks_of_existing(parameters):
    """The same with the names of what there is in place of other well-formed names."""
    is_name = lambda value: isinstance(value, str) and WELL_FORMED.fullmatch(value)
    return {
        key: EXISTING[key] if key in EXISTING and is_name(value) else value
        for key, value in parameters.items()
    }


@schemathesis.hook
def before_call(context, case, kwargs):
    nonce = secrets.token_hex(8)
    timestamp = str(int(time.time()))
    signed = f"{APP_ID}{nonce}{SERVER_SECRET}{timestamp}"
    query = dict(case.query or {})
    if next(calls) % 2:
        query = speaks_of_existing(query)
        if isinstance(case.body, dict):
            case.body = speaks_of_existing(case.body)
    query.update(
        Action=case.operation.schema.raw_schema["info"]["title"],
        AppId=APP_ID,
        SignatureNonce=nonce,
        Timestamp=timestamp,
        Signature=hashlib.md5(signed.encode()).hexdigest(),
        SignatureVersion="2.0",
    )
    query.pop("IsTest", None)
    case.query = query
