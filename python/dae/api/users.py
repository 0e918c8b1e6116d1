"""Who asks: ``get_current_user()``, and the addresses to log in and out.

The gateway knows; it tells by a header that it signs (a JSON Web Token, HS256, for this app and for a minute), and that no client
can send.
"""

import base64
import contextvars
import hmac
import json
import os
import time
from urllib.parse import quote

# Set by dae.api.testing; it counts for more than the request.
pretended = contextvars.ContextVar("dae_pretended_user", default=None)

LOGIN, LOGOUT = "/_dae/login", "/_dae/logout"


class User:
    """``User(id)`` is anybody by the number; what is not known of them is empty, but the name is never."""

    def __init__(self, id, name=None, username=None, email=None, admin=False):
        self.id = str(id)
        known = {} if name else find(self.id)
        self.username = username or known.get("username") or ""
        self.name = name or known.get("name") or self.username or self.id
        self.email = email or known.get("email") or ""
        self.admin = bool(admin or known.get("admin"))

    def url(self):
        """A page about them."""
        return "mailto:" + self.email if self.email else ""

    def __eq__(self, other):
        return isinstance(other, User) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __str__(self):
        return self.name

    def __repr__(self):
        return "%s(%r, %r)" % (type(self).__name__, self.id, self.name)


def get_current_user():
    """The user who asks, or None: nobody is logged in, or nothing is being answered."""
    return current(User)


def create_login_url(dest="/"):
    """Where to send somebody who is to log in; they come back to `dest`, a path of this app."""
    return LOGIN + "?dest=" + quote(dest, safe="/")


def create_logout_url(dest="/"):
    return LOGOUT + "?dest=" + quote(dest, safe="/")


def current(kind):
    someone = pretended.get()
    if someone is None:
        from dae import request

        asked = request.current.get()
        if not asked or not asked["identity"]:
            return None
        # Read once for a request.
        if "claims" not in asked:
            asked["claims"] = verify(asked["identity"])
        someone = asked["claims"]
    if someone is None:
        return None
    return kind(someone["id"], someone.get("name"), someone.get("username"), someone.get("email"), someone.get("admin"))


def verify(token):
    """What the gateway says, or None where it is not the gateway, or not to this app, or not now."""
    key, app = os.environ.get("DAE_IDENTITY_KEY"), os.environ.get("DAE_APPNAME")
    if not key or not app or len(token) > 8192:
        return None
    try:
        head, claims, signature = token.encode("ascii").split(b".")
        wanted = hmac.new(key.encode(), head + b"." + claims, "sha256").digest()
        if not hmac.compare_digest(wanted, decode(signature)):
            return None
        if json.loads(decode(head)).get("alg") != "HS256":
            return None
        told = json.loads(decode(claims))
        holds = told["aud"] == app and told["iss"] == "dae" and told["iat"] - 5 <= time.time() < told["exp"]
        return told if holds and told["id"] else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def decode(part):
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def find(id):
    """What is kept of a user, on a developer's machine."""
    try:
        with open(os.environ["DAE_USERS"], encoding="utf-8") as file:
            return next((user for user in json.load(file) if user.get("id") == id), {})
    except (KeyError, OSError, ValueError):
        return {}
