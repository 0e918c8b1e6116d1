"""A guestbook: read what others wrote, leave a line."""

import sqlite3
from datetime import datetime, timezone
from pathlib import Path

from flask import Flask, current_app, g, redirect, render_template, request

NAME_LENGTH = 40
TEXT_LENGTH = 500
SHOWN = 50

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    text    TEXT NOT NULL,
    written TEXT NOT NULL
)
"""

app = Flask(__name__)
# permdir/ outlives a reload and is not part of the code.
app.config["DATABASE"] = Path(__file__).parent / "permdir" / "guestbook.sqlite3"


def database():
    """The request's own connection."""
    if "database" not in g:
        path = Path(current_app.config["DATABASE"])
        path.parent.mkdir(parents=True, exist_ok=True)
        g.database = sqlite3.connect(path, timeout=5)
        g.database.row_factory = sqlite3.Row
        g.database.execute(SCHEMA)
    return g.database


@app.teardown_appcontext
def close(_error):
    if "database" in g:
        g.pop("database").close()


@app.template_filter()
def day(written):
    moment = datetime.fromisoformat(written)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def page(problem=None, name="", text="", status=200):
    messages = database().execute("SELECT * FROM message ORDER BY id DESC LIMIT ?", (SHOWN,)).fetchall()
    count = database().execute("SELECT count(*) FROM message").fetchone()[0]
    values = {"messages": messages, "count": count, "problem": problem, "name": name, "text": text}
    return render_template("index.html", limits=(NAME_LENGTH, TEXT_LENGTH), **values), status


@app.get("/")
def index():
    return page()


@app.post("/")
def write():
    name = " ".join(request.form.get("name", "").split())
    text = request.form.get("text", "").strip()
    if not text:
        return page("Write something first.", name, text, 422)
    if len(name) > NAME_LENGTH or len(text) > TEXT_LENGTH:
        return page("That is a little too long.", name, text, 422)
    written = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with database() as connection:
        values = (name or "Somebody", text, written)
        connection.execute("INSERT INTO message (name, text, written) VALUES (?, ?, ?)", values)
    # A page that came from a POST would be sent again by a reload.
    return redirect("/", 303)
