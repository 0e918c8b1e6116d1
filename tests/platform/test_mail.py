"""What any SMTP server does, asked by smtplib. `PLATFORM_SMTP` is its address, `PLATFORM_MAIL` a folder where the messages it
took appear as files; both for dae's own and for a real one (aiosmtpd)."""

import email
import email.policy
import os
import pathlib
import smtplib
import socket
import time
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

LARGEST = 32 << 20


def address():
    host, _, port = os.environ["PLATFORM_SMTP"].rpartition(":")
    return host, int(port)


@pytest.fixture
def smtp():
    with smtplib.SMTP(*address(), timeout=60) as server:
        server.ehlo()
        yield server


def kept():
    folder = pathlib.Path(os.environ["PLATFORM_MAIL"])
    return {path.name: path for path in folder.glob("*.eml")}


@pytest.fixture
def new():
    """The messages since the test began; the reply to DATA says that they are kept."""
    before = set(kept())

    def look():
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                for name, path in sorted(kept().items()) if name not in before]

    return look


def code(answer):
    """Every server has its own words; the number is the protocol."""
    return answer[0]


def test_a_plain_message(smtp, new):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com, c@example.com", "hello"
    message.set_content("one\n.\n..two\n\n.three\n")
    assert smtp.send_message(message) == {}
    (got,) = new()
    assert got["Subject"] == "hello"
    assert got.get_content().replace("\r\n", "\n") == "one\n.\n..two\n\n.three\n"


def test_parts_and_words_beyond_ascii(smtp, new):
    message = MIMEMultipart("alternative")
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "你好"
    message.attach(MIMEText("文字", "plain", "utf-8"))
    message.attach(MIMEText("<b>文字</b>", "html", "gb2312"))
    smtp.send_message(message)
    (got,) = new()
    assert got["Subject"] == "你好"
    assert [part.get_content().strip() for part in got.iter_parts()] == ["文字", "<b>文字</b>"]


def test_eight_bits_and_addresses_beyond_ascii(smtp, new):
    assert smtp.has_extn("smtputf8") and smtp.has_extn("8bitmime")
    smtp.sendmail("小明@example.com", ["用户@example.com"], "Subject: 你好\r\n\r\n文字\r\n".encode(), ["SMTPUTF8", "BODY=8BITMIME"])
    (got,) = new()
    assert got["Subject"] == "你好"


def test_several_messages_on_one_connection(smtp, new):
    for number in range(3):
        smtp.sendmail("a@example.com", "b@example.com", f"Subject: {number}\r\n\r\n")
    assert [message["Subject"] for message in new()] == ["0", "1", "2"]


def test_out_of_order_is_refused(smtp):
    assert code(smtp.docmd("DATA")) == 503
    assert code(smtp.docmd("RCPT", "TO:<b@example.com>")) == 503
    assert code(smtp.docmd("MAIL", "FROM:<a@example.com>")) == 250
    assert code(smtp.docmd("MAIL", "FROM:<a@example.com>")) == 503
    assert code(smtp.docmd("DATA")) == 503
    assert code(smtp.docmd("RSET")) == 250
    assert code(smtp.docmd("RCPT", "TO:<b@example.com>")) == 503


def test_mail_before_hello_is_refused():
    with smtplib.SMTP(*address(), timeout=60) as server:
        assert code(server.docmd("MAIL", "FROM:<a@example.com>")) == 503
        assert code(server.helo()) == 250
        assert code(server.docmd("MAIL", "FROM:<>")) == 250


def test_nonsense_is_refused_and_the_connection_goes_on(smtp):
    assert code(smtp.docmd("WHAT")) == 500
    assert code(smtp.docmd("MAIL", "TO:<a@example.com>")) == 501
    assert code(smtp.docmd("MAIL", "FROM:<a@example.com> NOSUCH=1")) == 555
    assert code(smtp.docmd("VRFY", "a@example.com")) == 252
    assert code(smtp.docmd("NOOP")) == 250
    assert code(smtp.docmd("AUTH", "WHATEVER")) == 504


def test_what_is_too_large_is_refused_before_it_is_sent(smtp, new):
    assert smtp.has_extn("size")
    largest = int(smtp.esmtp_features["size"])
    assert largest == LARGEST
    assert code(smtp.docmd("MAIL", f"FROM:<a@example.com> SIZE={largest + 1}")) == 552
    assert code(smtp.docmd("MAIL", f"FROM:<a@example.com> SIZE={largest}")) == 250
    assert new() == []


def test_a_hundred_megabytes_are_refused_and_the_connection_goes_on(smtp, new):
    assert code(smtp.docmd("MAIL", "FROM:<a@example.com>")) == 250
    assert code(smtp.docmd("RCPT", "TO:<b@example.com>")) == 250
    assert code(smtp.docmd("DATA")) == 354
    piece = (b"x" * 998 + b"\r\n") * 100
    for _ in range(1000):
        smtp.sock.sendall(piece)
    smtp.sock.sendall(b".\r\n")
    assert code(smtp.getreply()) == 552
    assert new() == []
    smtp.sendmail("a@example.com", "b@example.com", "Subject: small\r\n\r\n")
    assert [message["Subject"] for message in new()] == ["small"]


def test_a_message_cut_off_was_never_there(new):
    with socket.create_connection(address(), timeout=60) as raw:
        file = raw.makefile("rb")
        file.readline()
        for line in (b"HELO me", b"MAIL FROM:<a@example.com>", b"RCPT TO:<b@example.com>", b"DATA"):
            raw.sendall(line + b"\r\n")
            file.readline()
        raw.sendall(b"Subject: half\r\n\r\nof a mess")
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and not new():
        time.sleep(0.05)
    assert new() == []
