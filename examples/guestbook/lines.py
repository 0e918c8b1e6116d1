"""The lines, in MySQL."""

from datetime import datetime, timezone

from dae.api.sqlstore import store

SHOWN = 50
COLUMNS = ("id", "author", "name", "text", "written")


def add(author, name, text):
    """The new line's number."""
    written = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    number = store.execute(
        "insert into line (author, name, text, written) values (%s, %s, %s, %s)", (author, name, text, written)
    )
    store.commit()
    return number


def newest(count=SHOWN):
    rows = store.execute("select id, author, name, text, written from line order by id desc limit %s", (count,))
    return [dict(zip(COLUMNS, row)) for row in rows]


def since(moment):
    rows = store.execute("select id, author, name, text, written from line where written >= %s order by id", (moment,))
    return [dict(zip(COLUMNS, row)) for row in rows]


def one(number):
    rows = store.execute("select id, author, name, text, written from line where id = %s", (number,))
    return dict(zip(COLUMNS, rows[0])) if rows else None


def count():
    return store.execute("select count(*) from line")[0][0]


def texts():
    """Of all of them."""
    return [text for (text,) in store.execute("select text from line")]
