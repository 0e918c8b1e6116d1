import falcon

QUOTES = ["simple is better than complex", "now is better than never"]


class Front:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_HTML
        resp.text = "<link rel=stylesheet href=/static/quotes.css><h1>Quotes to keep</h1>"


class Quotes:
    def on_get(self, req, resp):
        resp.media = {"quotes": QUOTES}

    def on_post(self, req, resp):
        text = req.get_media().get("text")
        if not text:
            raise falcon.HTTPBadRequest(title="a quote has a text")
        QUOTES.append(text)
        resp.status = falcon.HTTP_201


class Quote:
    def on_get(self, req, resp, number):
        if not 0 <= number < len(QUOTES):
            raise falcon.HTTPNotFound
        resp.media = {"text": QUOTES[number]}
