"""A guestbook: read what others wrote, leave a line; log in to have a face."""

import logging
import os

from dae.api.beansdb import bdb
from dae.api.memcache import mc
from dae.api.permdir import get_permdir
from dae.api.users import create_login_url, create_logout_url, get_current_user
from flask import Flask, redirect, render_template, request

import lines
import post

NAME_LENGTH, TEXT_LENGTH, MOTTO_LENGTH, FACE_BYTES = 40, 500, 80, 200_000
# How files of these kinds begin.
FACES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif"}

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 2 * FACE_BYTES
log = logging.getLogger("guestbook")


@app.context_processor
def everywhere():
    user = get_current_user()
    return {
        "user": user,
        "login": create_login_url(request.path),
        "logout": create_logout_url("/"),
        "words": mc.get("words") or [],
    }


@app.template_filter()
def day(moment):
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def page(problem=None, name="", text="", status=200):
    visits = mc.incr("visits")
    if visits is None:
        mc.set("visits", 1)
        visits = 1
    newest = lines.newest()
    authors = {line["author"] for line in newest if line["author"]}
    profiles = bdb.get_multi(["profile:" + author for author in authors])
    values = {"lines": newest, "profiles": profiles, "count": lines.count(), "visits": visits}
    values.update(problem=problem, name=name, text=text, limits=(NAME_LENGTH, TEXT_LENGTH))
    return render_template("index.html", **values), status


@app.get("/")
def index():
    return page()


@app.post("/")
def write():
    user = get_current_user()
    name = user.name if user else " ".join(request.form.get("name", "").split())
    text = request.form.get("text", "").strip()
    if not text:
        return page("Write something first.", name, text, 422)
    if len(name) > NAME_LENGTH or len(text) > TEXT_LENGTH:
        return page("That is a little too long.", name, text, 422)
    number = lines.add(user.id if user else "", name or "Somebody", text)
    log.info("line %d by %s", number, name or "somebody")
    post.tell.delay(number)
    # A page that came from a POST would be sent again by a reload.
    return redirect("/", 303)


@app.route("/me", methods=["GET", "POST"])
def me():
    user = get_current_user()
    if user is None:
        return redirect(create_login_url("/me"))
    key = "profile:" + user.id
    profile = bdb.get(key) or {"motto": "", "face": ""}
    problem = None
    if request.method == "POST":
        profile["motto"] = request.form.get("motto", "").strip()[:MOTTO_LENGTH]
        face = request.files.get("face")
        if face:
            problem = keep_face(user, face.read(FACE_BYTES + 1), profile)
        if problem is None:
            bdb.set(key, profile)
            return redirect("/me", 303)
    return render_template("me.html", profile=profile, problem=problem, limit=MOTTO_LENGTH), 422 if problem else 200


def keep_face(user, picture, profile):
    """What is wrong with it, or None."""
    kind = next((kind for begin, kind in FACES.items() if picture.startswith(begin)), None)
    if kind is None:
        return "A face is a PNG, a JPEG or a GIF."
    if len(picture) > FACE_BYTES:
        return "A face may have 200 kB at most."
    folder = os.path.join(get_permdir(), "faces")
    os.makedirs(folder, exist_ok=True)
    profile["face"] = f"{user.id.encode().hex()}.{kind}"
    with open(os.path.join(folder, profile["face"]), "wb") as file:
        file.write(picture)
