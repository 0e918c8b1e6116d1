import web

urls = (
    "/", "index",
)


class index:
    def GET(self):
        return "Hello, DAE"


app = web.application(urls, globals()).wsgifunc()
