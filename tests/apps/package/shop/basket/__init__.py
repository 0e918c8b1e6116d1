from flask import Blueprint, jsonify, session

from ..catalogue.prices import GOODS

basket = Blueprint("basket", __name__)


@basket.post("/<name>")
def put(name):
    if name not in GOODS:
        return jsonify(error="nobody sells that"), 404
    session["basket"] = [*session.get("basket", []), name]
    return jsonify(session["basket"])
