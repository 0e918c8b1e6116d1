from pyramid.config import Configurator


def main(settings=None):
    with Configurator(settings=settings or {}) as config:
        config.add_static_view("static", "forum:static", cache_max_age=60)
        config.add_route("threads", "/")
        config.add_route("thread", "/threads/{number:\\d+}")
        config.add_renderer("page", "forum.page.Page")
        config.scan("forum.views")
        return config.make_wsgi_app()
