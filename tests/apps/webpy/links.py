"""Short names for long addresses, kept in memory."""

import web

from names import name_of

urls = (
    "/", "Index",
    "/add", "Add",
    r"/to/(\w+)", "Go",
)
render = web.template.render("templates/", base="layout")
links = {}


class Index:
    def GET(self):
        return render.index(sorted(links.items()))


class Add:
    def POST(self):
        form = web.input(url="")
        if not form.url.startswith(("http://", "https://")):
            raise web.badrequest("an address begins with http")
        name = name_of(form.url)
        links[name] = form.url
        raise web.seeother("/")


class Go:
    def GET(self, name):
        if name not in links:
            raise web.notfound()
        raise web.found(links[name])


app = web.application(urls, globals()).wsgifunc()
