from pyramid.httpexceptions import HTTPNotFound
from pyramid.view import notfound_view_config, view_config

THREADS = {1: "How to begin", 2: "What comes next"}


@view_config(route_name="threads", renderer="page")
def threads(request):
    rows = "".join(f'<li><a href="{request.route_path("thread", number=n)}">{t}</a></li>' for n, t in THREADS.items())
    return {"title": request.registry.settings["forum.title"], "body": f"<ul>{rows}</ul>"}


@view_config(route_name="thread", renderer="json")
def thread(request):
    number = int(request.matchdict["number"])
    if number not in THREADS:
        raise HTTPNotFound("no such thread")
    return {"number": number, "title": THREADS[number]}


@notfound_view_config(renderer="json")
def missing(request):
    request.response.status = 404
    return {"error": str(request.exception)}
