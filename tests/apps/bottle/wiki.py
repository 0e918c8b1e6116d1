"""A wiki in memory: bottle's own templates, a plugin, an error page."""

import re
import time

import bottle

bottle.TEMPLATE_PATH.insert(0, "views")
application = bottle.Bottle()
pages = {"home": "Welcome. See WikiSyntax."}


def timed(callback):
    def wrapper(*args, **kwargs):
        began = time.perf_counter()
        body = callback(*args, **kwargs)
        bottle.response.set_header("X-Took", f"{time.perf_counter() - began:.6f}")
        return body

    return wrapper


application.install(timed)


def linked(text):
    return re.sub(r"\b([A-Z][a-z]+[A-Z]\w+)\b", r'<a href="/\1">\1</a>', text)


@application.get("/")
def home():
    return page("home")


@application.get("/<name:re:[A-Za-z]+>")
def page(name):
    if name not in pages:
        bottle.abort(404, "no such page")
    return bottle.template("page", name=name, text=linked(pages[name]))


@application.post("/<name:re:[A-Za-z]+>")
def save(name):
    pages[name] = bottle.request.forms.get("text", "")
    bottle.redirect(f"/{name}")


@application.error(404)
def missing(error):
    return bottle.template("missing", why=error.body)
