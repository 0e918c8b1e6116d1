from flask import Blueprint

catalogue = Blueprint("catalogue", __name__, template_folder="templates")

from . import views  # noqa: E402, F401
