import falcon

from quotes.resources import Front, Quote, Quotes
from quotes.middleware import Counted

api = falcon.App(middleware=[Counted()])
api.add_route("/", Front())
api.add_route("/quotes", Quotes())
api.add_route("/quotes/{number:int}", Quote())
