"""A shop, made by a factory: blueprints, settings by module, relative imports all the way."""

from flask import Flask

from . import settings


def create_app():
    app = Flask(__name__, static_folder=None)
    app.config.from_object(settings)
    from .basket import basket
    from .catalogue import catalogue

    app.register_blueprint(catalogue)
    app.register_blueprint(basket, url_prefix="/basket")
    return app
