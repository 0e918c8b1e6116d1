from string import Template

PAGE = Template('<!doctype html><title>$title</title><link rel="stylesheet" href="/static/forum.css"><h1>$title</h1>$body')


class Page:
    """A renderer: the view's dict into one page."""

    def __init__(self, info):
        self.info = info

    def __call__(self, value, system):
        system["request"].response.content_type = "text/html"
        return PAGE.substitute(value)
