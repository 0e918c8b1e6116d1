from flask import current_app, render_template

from . import catalogue
from .prices import GOODS, price


@catalogue.get("/")
def index():
    goods = [(name, price(name, current_app.config["CURRENCY"])) for name in GOODS]
    return render_template("catalogue.html", goods=goods)
