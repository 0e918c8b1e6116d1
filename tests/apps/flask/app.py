from flask import Flask, abort, jsonify, redirect, render_template, request, url_for

from notes import Notes

app = Flask(__name__)
notes = Notes()


@app.template_filter("short")
def short(text):
    return text if len(text) < 40 else text[:37] + "..."


@app.get("/")
def index():
    return render_template("index.html", notes=notes.all())


@app.post("/")
def add():
    text = request.form.get("text", "").strip()
    if not text:
        abort(400)
    notes.add(text)
    return redirect(url_for("index"))


@app.get("/notes/<int:number>")
def one(number):
    return jsonify(notes.find(number) or abort(404))


@app.errorhandler(404)
def missing(error):
    return jsonify(error="no such note"), 404
