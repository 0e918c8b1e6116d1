"""Sentry's clients, of today and of 2018, report to `PLATFORM_DSN`; and what is no report is refused."""

import gzip
import http.client
import json
import os
from urllib.parse import urlsplit

import pytest

DSN = os.environ["PLATFORM_DSN"]
WHERE = urlsplit(DSN)


def post(path, body, **headers):
    connection = http.client.HTTPConnection(WHERE.hostname, WHERE.port, timeout=60)
    connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, json.loads(said) if said[:1] == b"{" else said


def auth(key=WHERE.username):
    return f"Sentry sentry_version=7, sentry_client=test/1, sentry_key={key}"


def boom(what):
    raise ArithmeticError(what)


def test_sentry_sdk_reports_an_exception_and_a_message():
    import sentry_sdk

    sentry_sdk.init(dsn=DSN, default_integrations=False, traces_sample_rate=1.0)
    with sentry_sdk.start_transaction(name="a transaction, which is no error"):
        for _ in range(2):
            try:
                boom("by sentry-sdk")
            except ArithmeticError:
                assert sentry_sdk.capture_exception()
    assert sentry_sdk.capture_message("a message by sentry-sdk", level="warning")
    sentry_sdk.flush(timeout=30)


def test_sentry_sdk_reports_what_flask_catches():
    import flask
    import sentry_sdk

    sentry_sdk.init(dsn=DSN)
    app = flask.Flask(__name__)

    @app.route("/")
    def view():
        boom("in flask, by sentry-sdk")

    assert app.test_client().get("/").status_code == 500
    sentry_sdk.flush(timeout=30)


def test_raven_reports_an_exception_and_a_message():
    import raven
    from raven.transport.http import HTTPTransport

    client = raven.Client(DSN, transport=HTTPTransport, install_sys_hook=False, raise_send_errors=True)
    try:
        boom("by raven")
    except ArithmeticError:
        assert client.captureException()
    for number in range(2):
        assert client.captureMessage("%s messages by raven", params=(number,))


EVENT = {"event_id": "0" * 32, "message": "plain"}


def test_an_event_is_taken_once_and_its_number_told():
    for _ in range(2):
        assert post("/api/1/store/", json.dumps(EVENT), X_Sentry_Auth=auth()) == (200, {"id": "0" * 32})


def test_an_envelope_of_things_nobody_knows_is_taken():
    body = b'{"event_id":"' + b"1" * 32 + b'"}\n{"type":"replay_video","length":3}\n\x00\n\xff\n{"type":"from_the_future"}\n[]\n'
    assert post("/api/1/envelope/", gzip.compress(body), X_Sentry_Auth=auth(), Content_Encoding="gzip")[0] == 200
    assert post("/api/1/envelope/", b'{"dsn":"%s"}\n' % DSN.encode())[0] == 200


@pytest.mark.parametrize(
    "path, body, status",
    [
        ("/api/1/envelope/", b"", 400),
        ("/api/1/envelope/", b"nonsense", 400),
        ("/api/1/envelope/", b'{}\n{"type":"event","length":100}\n{}', 400),
        ("/api/1/envelope/", b'{}\n{"type":"event"}\n[1]\n', 400),
        ("/api/1/envelope/", b'{}\n{"type":"event"}\n{}\n', 400),
        ("/api/1/store/", b"[]", 400),
        ("/api/1/store/", b"{}", 400),
        ("/api/1/store/", b'{"message":', 400),
        ("/api/1/store/", b"x" * (21 << 20), 413),
    ],
)
def test_what_is_no_report_is_refused(path, body, status):
    try:
        said = post(path, body, X_Sentry_Auth=auth())
    except (BrokenPipeError, ConnectionResetError):
        # Too large: it may have hung up before everything was sent.
        said = (413, b"")
    assert said[0] == status, said


def test_a_broken_packing_and_a_bomb_are_refused():
    assert post("/api/1/store/", b"nonsense", X_Sentry_Auth=auth(), Content_Encoding="gzip")[0] == 400
    bomb = gzip.compress(b" " * (200 << 20))
    assert len(bomb) < 1 << 20
    assert post("/api/1/store/", bomb, X_Sentry_Auth=auth(), Content_Encoding="gzip")[0] == 413
    assert post("/api/1/store/", b"{}", X_Sentry_Auth=auth(), Content_Encoding="zstd")[0] == 415


def test_whoever_does_not_know_the_key_reports_nothing():
    assert post("/api/1/store/", json.dumps(EVENT), X_Sentry_Auth=auth("0" * 32))[0] == 403
    assert post("/api/1/store/", json.dumps(EVENT))[0] == 403
    assert post("/api/1/envelope/", b"{}\n")[0] == 403
    assert post(f"/api/1/store/?sentry_key={WHERE.username}", json.dumps(EVENT))[0] == 200
