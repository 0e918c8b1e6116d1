"""Starts a thread, a timer and a pool when it is imported, as apps do that refresh what they show."""

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from refresh import Refresher

refresher = Refresher(every=0.05)
refresher.start()

urls = Map([Rule("/", endpoint="index"), Rule("/alive", endpoint="alive")])


def index(request):
    return Response(f"<h1>Weather today</h1><p>{refresher.said}</p>", mimetype="text/html")


def alive(request):
    """Waits for one more turn of the thread: only a living one gives it."""
    return Response("turns" if refresher.turn(within=20) else "stands still")


@Request.application
def app(request):
    try:
        endpoint, _ = urls.bind_to_environ(request.environ).match()
        return {"index": index, "alive": alive}[endpoint](request)
    except HTTPException as error:
        return error
