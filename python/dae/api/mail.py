"""Sending mail: ``send_mail(msg)`` for a message of the standard library's `email` package.

Under ``dae serve`` every message is kept on this machine and none is sent: ``dae mail list``. The server is the one that
``DAE_SMTP`` names, ``host:port``; with ``DAE_SMTP_USER`` and ``DAE_SMTP_PASSWORD`` where it wants a login. It is spoken to with
TLS where it offers that; of one on another machine the certificate is checked.
"""

import os
import smtplib
from email.utils import getaddresses, parseaddr

# How long the server may take to answer, in seconds.
TIMEOUT = 20


class InvalidEmailAddress(ValueError):
    """An address of the message is none; `args[0]` is what stands there."""


def send_mail(msg, replyable=True):
    """Sends `msg` to everybody in its To, Cc and Bcc; nobody else sees the Bcc.

    Where nobody reads the answers, ``replyable=False`` says so to the reader's mail program.
    """
    sender = parseaddr(str(msg.get("Sender") or msg.get("From") or ""))[1]
    _check(sender)
    recipients = [address for _, address in getaddresses(_values(msg, "To") + _values(msg, "Cc") + _values(msg, "Bcc"))]
    if not recipients:
        raise InvalidEmailAddress("")
    for address in recipients:
        _check(address)
    if not replyable:
        if "Auto-Submitted" not in msg:
            msg["Auto-Submitted"] = "auto-generated"
        if "Reply-To" not in msg:
            msg["Reply-To"] = "noreply@" + sender.rpartition("@")[2]
    with connect() as server:
        # One that occurs twice gets it once.
        server.send_message(msg, from_addr=sender, to_addrs=list(dict.fromkeys(recipients)))


def connect():
    """A connection to the app's mail server, an `smtplib.SMTP`."""
    host, port = address()
    server = smtplib.SMTP(host, port, timeout=TIMEOUT)
    try:
        server.ehlo()
        if server.has_extn("starttls"):
            import ssl

            context = ssl.create_default_context()
            if _is_here(server.sock):
                # Nobody is between, and a mail server beside its users usually made its certificate itself.
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            server.starttls(context=context)
            server.ehlo()
        user = os.environ.get("DAE_SMTP_USER")
        if user:
            server.login(user, os.environ.get("DAE_SMTP_PASSWORD", ""))
    except BaseException:
        server.close()
        raise
    return server


def address():
    """Host and port of the app's mail server."""
    where = os.environ.get("DAE_SMTP")
    if not where:
        raise RuntimeError("there is no mail server: DAE_SMTP is not set; start the app with `dae serve` or `dae run`")
    host, _, port = where.rpartition(":")
    return host.strip("[]"), int(port)


def _is_here(sock):
    import ipaddress

    peer = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
    return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback


def _values(msg, name):
    return [str(value) for value in msg.get_all(name, [])]


def _check(address):
    local, _, domain = address.rpartition("@")
    bad = any(c.isspace() or not c.isprintable() or c in "<>," for c in address)
    if not local or not domain or bad or domain.startswith(".") or ".." in domain or len(address) > 254:
        raise InvalidEmailAddress(address)
