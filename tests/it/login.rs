//! Login: a page to be anybody, and a word on who asks that no client can forge.

use crate::harness::{Answer, Http, Place};
use crate::mail::{app, serve};

const ME: &str = r"
    from dae.api import cdn, doubanusers, users
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if environ['PATH_INFO'] == '/cdn':
        return [cdn.js_url('app.js').encode()]
    user = users.get_current_user()
    if user is None:
        return [b'nobody ' + users.create_login_url('/me?a=b').encode()]
    public = doubanusers.get_current_user()
    assert users.User(user.id).name == user.name and public == user and public.url().endswith('/ann/')
    seen = [user.username, user.name, user.email, str(user.admin), str(user.id.isdigit()), environ.get('HTTP_COOKIE', '-')]
    return (part.encode() + b' ' for part in seen)
";

fn ask(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    Http::open(port).send(method, "app.localhost", path, headers, body.as_bytes()).unwrap()
}

#[test]
fn whoever_logs_in_is_known_until_they_log_out() {
    let place = app(ME);
    place.write("app/static/app.js", "1");
    let (serve, port, values) = serve(&place, &["DAE_IDENTITY_KEY"]);
    let get = |headers: &[(&str, &str)]| ask(port, "GET", "/me", headers, "").text();
    assert_eq!(get(&[]), "nobody /_dae/login?dest=/me%3Fa%3Db");
    let page = ask(port, "GET", "/_dae/login?dest=/me", &[], "");
    assert!(
        page.text().contains("name=\"dest\" value=\"&#x2f;me\"") && page.text().contains("value=\"ann\""),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("<script"), "{}", page.text());
    let done = ask(port, "POST", "/_dae/login", &[], "user=Ann&admin=1&dest=%2Fme%3Fa%3Db");
    assert_eq!((done.status, done.header("location")), (303, Some("/me?a=b")));
    let cookie = done.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let session = cookie.split(';').next().unwrap().to_owned();
    let with = format!("other=1; {session}");
    assert_eq!(get(&[("Cookie", &with)]), "ann Ann ann@example.com True True other=1 ");
    assert_eq!(get(&[("X-Dae-Login", "ann")]), "ann Ann ann@example.com True True - ");
    // Forged in every way a client has: the header itself is taken away, and a session that was changed is none.
    let word = |claims: &str| token(&values[0], claims);
    for (name, value) in [
        ("X-Dae-User", word(&claims("app", 60))),
        ("X_Dae_User", word(&claims("app", 60))),
        ("Cookie", format!("{session}x")),
        ("Cookie", session.replace("dae_login_app", "dae_login_other")),
        ("Cookie", format!("{}={}", session.split('=').next().unwrap(), word(&claims("session:app", 60)))),
    ] {
        assert!(get(&[(name, &value)]).starts_with("nobody"), "{name}: {value}");
    }
    let foreign = [("Origin", "https://evil.example")];
    assert_eq!(ask(port, "POST", "/_dae/login", &foreign, "user=eve").status, 403);
    let away = ask(port, "POST", "/_dae/login", &[], "persona=ann&dest=//evil.example");
    assert_eq!(away.header("location"), Some("/"));
    assert_eq!(ask(port, "POST", "/_dae/login", &[], "user=+").status, 400);
    assert_eq!(ask(port, "POST", "/_dae/login", &[], &format!("user={}", "x".repeat(1 << 20))).status, 413);
    let out = ask(port, "GET", "/_dae/logout?dest=/", &[("Cookie", &with)], "");
    assert!(out.status == 303 && out.header("set-cookie").unwrap().contains("Max-Age=0"), "{out:?}");
    assert!(ask(port, "GET", "/cdn", &[], "").text().starts_with("/static/app.js?v="));
    assert_eq!(serve.stop().code, 0);
}

pub fn claims(app: &str, lasts: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    serde_json::json!({
        "iss": "dae", "aud": app, "iat": now + lasts.min(0) - 60, "exp": now + lasts,
        "id": "7", "sub": "7", "name": "Eve", "username": "eve", "email": "",
    })
    .to_string()
}

/// As the gateway signs it, but by another's hand.
pub fn token(key: &str, claims: &str) -> String {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let claims: serde_json::Value = serde_json::from_str(claims).unwrap();
    encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

#[test]
fn an_app_believes_the_gateway_and_nobody_else() {
    let place = app("");
    let key = "0".repeat(64);
    let good = token(&key, &claims("app", 60));
    let (head, rest) = good.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIn0";
    let cases = [
        ("good", good.clone(), true),
        ("expired, as a replay is", token(&key, &claims("app", -1)), false),
        ("of another app", token(&key, &claims("other", 60)), false),
        ("a session", token(&key, &claims("session:app", 60)), false),
        ("by another key", token(&"1".repeat(64), &claims("app", 60)), false),
        ("cut", good[..good.len() - 3].to_owned(), false),
        ("unsigned", format!("{none}.{}.", rest.split('.').next().unwrap()), false),
        ("unsigned, with a signature", format!("{none}.{rest}"), false),
        ("other claims", format!("{head}.eyJpZCI6IjEifQ.{}", rest.split('.').nth(1).unwrap()), false),
        ("nonsense", "x".to_owned(), false),
        ("beyond ASCII", "ü.ü.ü".to_owned(), false),
        ("endless", "x".repeat(100_000), false),
    ];
    let table = serde_json::json!(cases);
    place.write("app/cases.json", table.to_string()).write("app/check.py", CHECK);
    place.dae(["run", "--", "env", &format!("DAE_IDENTITY_KEY={key}"), "python", "check.py"]).dir("app").ok();
}

const CHECK: &str = r"
import asyncio, json, os, threading
from dae import request
from dae.api import users
from dae.api.testing import login

def seen(token):
    request.current.set({'url': '', 'method': 'GET', 'identity': token})
    try:
        return users.get_current_user()
    finally:
        request.current.set(None)

for name, token, holds in json.load(open('cases.json')):
    assert (seen(token) is not None) == holds, name
good = json.load(open('cases.json'))[0][1]
del os.environ['DAE_IDENTITY_KEY']
assert seen(good) is None
os.environ['DAE_IDENTITY_KEY'] = '0' * 64

# Outside a request there is nobody; and what one request is, another is not.
assert users.get_current_user() is None

def wsgi(environ, start_response):
    yield str(users.get_current_user()).encode()
    other = []
    thread = threading.Thread(target=lambda: other.append(users.get_current_user()))
    thread.start()
    thread.join()
    yield str(other).encode()

body = request.answer(wsgi, {'HTTP_X_DAE_USER': good}, None)
assert list(body) == [b'Eve', b'[None]']
body.close()
assert users.get_current_user() is None

async def asgi(scope, receive, send):
    await asyncio.sleep(0)
    await send(str(users.get_current_user()))

async def both():
    heard = []
    async def send(text):
        heard.append(text)
    scopes = [{'headers': [(b'x-dae-user', good.encode())]}, {'headers': []}]
    await asyncio.gather(*(request.answer_async(asgi, scope, None, send) for scope in scopes))
    assert sorted(heard) == ['Eve', 'None'], heard
asyncio.run(both())

with login('ann', admin=True) as ann:
    assert users.get_current_user() == ann and ann.admin and ann.id.isdigit()
    with login(None):
        pass
assert users.get_current_user() is None
assert users.User(12).name == '12' and users.User(12).id == '12'
assert users.create_logout_url('/') == '/_dae/logout?dest=/'
";

#[test]
fn the_documentation_is_right() {
    let page = include_str!("../../docs/login.md");
    let snippets: Vec<&str> = page.split("```python\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let place = Place::new();
    place
        .write("app/app.yaml", "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n")
        .write("app/pip-req.txt", "");
    place.write("app/app.py", snippets[0]).write("app/check.py", format!("{}\ntest_a_page()\n", snippets[1]));
    place.dae(["run", "--", "python", "check.py"]).dir("app").ok();
    let port = crate::harness::free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).spawn();
    serve.until("started");
    assert_eq!(ask(port, "GET", "/", &[], "").header("location"), Some("/_dae/login?dest=/"));
    assert_eq!(ask(port, "GET", "/", &[("X-Dae-Login", "ann")], "").text(), "Hello, Ann");
    assert_eq!(serve.stop().code, 0);
}
