"""A real OpenID provider for a test: Django with django-oauth-toolkit. PKCE, the client's secret and its addresses are insisted on,
refresh tokens are used up, and one that is used twice ends all of its line.

    python provider.py FOLDER PORT EXPIRES REDIRECT...

Prints `ready`. Whoever brings the cookie `who` is that person, without a password. Further doors: `PUT /people/NAME` (claims as JSON),
`POST /revoke/NAME`, `PUT /lies` (claims that ID tokens get instead; numbers of `iat` and `exp` are added), `GET /counts`.
"""

import collections
import json
import os
import socketserver
import sys
import threading
import time
import wsgiref.simple_server

folder, port, expires, redirects = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from jwcrypto import jwk  # noqa: E402

key = os.path.join(folder, "key.pem")
if not os.path.exists(key):
    with open(key, "wb") as file:
        file.write(jwk.JWK.generate(kty="RSA", size=2048).export_to_pem(private_key=True, password=None))

import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    DEBUG=False,
    SECRET_KEY="only here",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(folder, "provider.db"), "OPTIONS": {"timeout": 20}}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    LOGIN_URL="/login",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": "http://127.0.0.1:%d/o" % port,
        "OIDC_RSA_PRIVATE_KEY": open(key).read(),
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
        "OAUTH2_VALIDATOR_CLASS": __name__ + ".Validator",
        "SCOPES": {"openid": "", "profile": "", "email": ""},
        "PKCE_REQUIRED": True,
        "ACCESS_TOKEN_EXPIRE_SECONDS": expires,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    },
)
sys.modules[__name__ if __name__ != "__main__" else "provider"] = sys.modules[__name__]
django.setup()

from django.contrib.auth import get_user_model, login  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from oauth2_provider.models import get_access_token_model, get_application_model, get_refresh_token_model  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402

people, lies, counts = {}, {}, collections.Counter()


class Validator(OAuth2Validator):
    oidc_claim_scope = None

    def get_additional_claims(self, request):
        known = {"name": request.user.username.title(), "preferred_username": request.user.username}
        return dict(known, **people.get(request.user.username, {}))

    def get_id_token_dictionary(self, token, token_handler, request):
        claims, ends = super().get_id_token_dictionary(token, token_handler, request)
        true = dict(claims, iat=int(time.time()))
        for name, lie in lies.items():
            claims[name] = true[name] + lie if isinstance(lie, int) else lie
        return claims, ends


def log_in(request):
    user, _ = get_user_model().objects.get_or_create(username=request.COOKIES.get("who", "nobody"))
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponseRedirect(request.GET["next"])


@csrf_exempt
def person(request, name):
    people[name] = json.loads(request.body)
    return HttpResponse("ok")


@csrf_exempt
def revoke(request, name):
    for token in get_refresh_token_model().objects.filter(user__username=name, revoked=None):
        token.revoke()
    get_access_token_model().objects.filter(user__username=name).delete()
    return HttpResponse("ok")


@csrf_exempt
def lie(request):
    lies.clear()
    lies.update(json.loads(request.body))
    return HttpResponse("ok")


def count(application):
    def counted(environ, start_response):
        counts[environ["PATH_INFO"]] += 1
        return application(environ, start_response)

    return counted


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("login", log_in),
    path("people/<name>", person),
    path("revoke/<name>", revoke),
    path("lies", lie),
    path("counts", lambda request: JsonResponse(counts)),
]


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


call_command("migrate", verbosity=0)
done = [address for address in redirects if address.endswith("/login/done")]
Application = get_application_model()
Application.objects.update_or_create(
    client_id="node",
    defaults={
        "client_secret": "hush: a secret",
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
        "redirect_uris": " ".join(done),
        "post_logout_redirect_uris": " ".join(address for address in redirects if address not in done),
        "skip_authorization": True,
        "algorithm": "RS256",
    },
)
from django.core.wsgi import get_wsgi_application  # noqa: E402

server = wsgiref.simple_server.make_server(
    "127.0.0.1", port, count(get_wsgi_application()), server_class=Server, handler_class=Quiet
)
print("ready", flush=True)
parent = os.getppid()
# It ends with whoever started it.
threading.Thread(target=server.serve_forever, daemon=True).start()
while os.getppid() == parent:
    time.sleep(0.2)
