"""All there is in one file, and nothing installed: routes, a template, a style sheet, a form."""

import html
import sqlite3
from string import Template
from urllib.parse import parse_qs

PAGE = Template("<!doctype html><link rel=stylesheet href=/style.css><h1>Counted so far: $count</h1>$rows")
STYLE = b"h1 { color: #345 }"


def base():
    connection = sqlite3.connect("counter.db", timeout=20)
    connection.execute("create table if not exists seen (name text primary key, times integer)")
    return connection


def index(environ):
    with base() as connection:
        rows = connection.execute("select name, times from seen order by name").fetchall()
    shown = "".join(f"<p>{html.escape(name)}: {times}</p>" for name, times in rows)
    return "200 OK", "text/html", PAGE.substitute(count=sum(times for _, times in rows), rows=shown).encode()


def count(environ):
    form = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    name = parse_qs(form).get("name", ["somebody"])[0]
    with base() as connection:
        connection.execute(
            "insert into seen values (?, 1) on conflict (name) do update set times = times + 1", (name,)
        )
    return "201 Created", "text/plain", name.encode()


ROUTES = {
    ("GET", "/"): index,
    ("POST", "/"): count,
    ("GET", "/style.css"): lambda environ: ("200 OK", "text/css", STYLE),
}


def app(environ, start_response):
    route = ROUTES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    status, kind, body = route(environ) if route else ("404 Not Found", "text/plain", b"nothing here")
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
