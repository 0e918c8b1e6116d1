//! Login to the apps of a node, at a real OpenID provider: django-oauth-toolkit, from PyPI.

use std::path::Path;

use serde_json::{Value, json};

use crate::deploy::Remote;
use crate::harness::{Answer, Http, Place, Running, free_port};
use crate::mail::python_with;

const ME: &str = r"
import json, os

def app(environ, start_response):
    from dae.api import users
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if environ['PATH_INFO'] == '/env':
        return [json.dumps(dict(os.environ)).encode()]
    user = users.get_current_user()
    if user is None:
        return [b'nobody ' + users.create_login_url('/me?a=b').encode()]
    seen = [user.username, user.name, user.email, str(user.admin), user.id, environ.get('HTTP_COOKIE', '-')]
    return [' '.join(seen).encode()]
";

/// The provider, which people reach at a port of this machine.
struct Provider {
    place: Place,
    port: u16,
    redirects: Vec<String>,
    running: Option<Running>,
}

impl Provider {
    /// Its clients come back to these hosts.
    fn new(place: &Place, hosts: &[String]) -> Self {
        std::fs::create_dir_all(place.path("provider")).unwrap();
        let redirects =
            hosts.iter().flat_map(|host| ["login", "logout"].map(|what| format!("http://{host}/_dae/{what}/done")));
        let mut provider =
            Self { place: place.clone(), port: free_port(), redirects: redirects.collect(), running: None };
        provider.start();
        provider
    }

    fn start(&mut self) {
        let python = python_with(&self.place, "oidc", &["django-oauth-toolkit==3.4.1"]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/login/provider.py");
        let (folder, port) = (self.place.path("provider"), self.port.to_string());
        let args = [script.to_str().unwrap(), folder.to_str().unwrap(), &port, "3"];
        let mut running = self
            .place
            .command(python, args.into_iter().chain(self.redirects.iter().map(String::as_str)))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .spawn();
        running.until("ready");
        self.running = Some(running);
    }

    fn stop(&mut self) {
        drop(self.running.take());
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}/o", self.port)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let host = format!("127.0.0.1:{}", self.port);
        Http::open(self.port).send(method, &host, path, &[], body.to_string().as_bytes()).unwrap()
    }

    fn person(&self, name: &str, claims: &Value) {
        assert_eq!(self.ask("PUT", &format!("/people/{name}"), claims).status, 200);
    }

    /// What its ID tokens say wrongly from now on.
    fn lies(&self, claims: &Value) {
        assert_eq!(self.ask("PUT", "/lies", claims).status, 200);
    }

    fn counted(&self, path: &str) -> u64 {
        self.ask("GET", "/counts", &Value::Null).json()[path].as_u64().unwrap_or(0)
    }
}

/// A node whose apps are `daetest` and `other`, with `login` in its node.yaml.
fn node(provider: impl FnOnce(&Place, &[String]) -> Provider, more: &str) -> (Remote, Provider) {
    let mut remote = Remote::new();
    remote.stop();
    let hosts = ["daetest", "other"].map(|app| format!("{app}.apps.localhost:{}", remote.port));
    let provider = provider(&remote.place, &hosts);
    let yaml = remote.place.read("node/node.yaml");
    let login = format!(
        "{yaml}login:\n  issuer: {}\n  client_id: node\n  client_secret: 'hush: a secret'\n{more}",
        provider.issuer()
    );
    remote.place.write("node/node.yaml", login).write("daetest/app.py", ME);
    start(&mut remote);
    (remote, provider)
}

fn start(remote: &mut Remote) {
    let mut node = remote.place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("Ready");
    remote.node = Some(node);
}

/// As much of a browser as logging in needs: cookies by host and path, and following where it is led.
#[derive(Clone)]
struct Browser {
    cookies: Vec<Cookie>,
    /// Where it was led.
    trail: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

impl Browser {
    fn of(who: &str, provider: &Provider) -> Self {
        let host = format!("127.0.0.1:{}", provider.port);
        let who = Cookie { host, path: "/".into(), name: "who".into(), value: who.into() };
        Self { cookies: vec![who], trail: Vec::new() }
    }

    fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.clone())
    }

    /// One request; its cookies are kept.
    fn get(&mut self, url: &str) -> Answer {
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let port = host.rsplit(':').next().unwrap().parse().unwrap();
        let path = format!("/{path}");
        let sent = self.cookies.iter().filter(|cookie| cookie.host == host && path.starts_with(&cookie.path));
        let sent = sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ");
        let headers = [("Accept", "text/html"), ("Cookie", sent.as_str())];
        let headers = &headers[..if sent.is_empty() { 1 } else { 2 }];
        let answer = Http::open(port).send("GET", host, &path, headers, b"").unwrap();
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, rest) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let path = rest.split("; ").find_map(|part| part.trim().strip_prefix("Path=")).unwrap_or("/");
            let new = Cookie { host: host.into(), path: path.into(), name: name.into(), value: value.into() };
            self.cookies.retain(|old| (&old.host, &old.path, &old.name) != (&new.host, &new.path, &new.name));
            if !rest.contains("Max-Age=0") {
                self.cookies.push(new);
            }
        }
        answer
    }

    /// Follows to the end.
    fn go(&mut self, url: &str) -> Answer {
        let mut url = url.to_owned();
        self.trail.clear();
        for _ in 0..10 {
            self.trail.push(url.clone());
            let answer = self.get(&url);
            let Some(to) = answer.header("location") else { return answer };
            let origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            url = if to.starts_with('/') { format!("{origin}{to}") } else { to.to_owned() };
        }
        panic!("it goes in circles: {:#?}", self.trail)
    }
}

#[test]
fn whoever_logs_in_there_is_known_here_until_they_log_out() {
    let (mut remote, mut provider) = node(Provider::new, "");
    remote.deploy();
    let app = format!("http://daetest.apps.localhost:{}", remote.port);
    let at = |path: &str| format!("{app}{path}");
    provider.person("ann", &json!({"name": "Ann Lee", "email": "ann@example.com"}));
    let mut ann = Browser::of("ann", &provider);
    assert_eq!(ann.go(&at("/")).text(), "nobody /_dae/login?dest=/me%3Fa%3Db");
    let answer = ann.go(&at("/_dae/login?dest=/me%3Fa%3Db"));
    assert_eq!(answer.text(), "ann Ann Lee ann@example.com False 1001 -", "{:#?}", ann.trail);
    assert_eq!(ann.trail.last(), Some(&at("/me?a=b")));
    // What the browser was sent with, and that nothing of it is left.
    let asked = &ann.trail[1];
    for part in ["response_type=code", "code_challenge_method=S256", "nonce=", "state=", "scope=openid+profile+email"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(ann.cookies.iter().all(|cookie| !cookie.name.starts_with("dae_begin")), "{:?}", ann.cookies);
    let session = ann.cookie("dae_login_daetest").unwrap();

    // Nobody becomes her by what a client can send.
    let port = remote.port;
    let plain = |name: &str, value: &str| {
        let host = format!("daetest.apps.localhost:{port}");
        Http::open(port).send("GET", &host, "/", &[(name, value)], b"").unwrap().text()
    };
    let env: Value = serde_json::from_str(&ann.go(&at("/env")).text()).unwrap();
    let key = env["DAE_IDENTITY_KEY"].as_str().unwrap();
    let word = crate::login::token(key, &crate::login::claims("daetest", 60));
    assert!(plain("Cookie", &format!("dae_login_daetest={session}")).starts_with("ann "));
    for (name, value) in [
        ("X-Dae-User", word.clone()),
        ("X_Dae_User", word.clone()),
        ("Cookie", format!("dae_login_daetest={session}x")),
        (
            "Cookie",
            format!("dae_login_daetest={}", crate::login::token(key, &crate::login::claims("session:daetest", 60))),
        ),
        ("Cookie", format!("dae_login_daetest={word}")),
        ("Cookie", format!("dae_login_other={session}")),
    ] {
        assert!(plain(name, &value).starts_with("nobody"), "{name}: {value}");
    }
    // A session of one app is none of another.
    remote.place.write("other/app.yaml", "application: other\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    remote.place.write("other/app.py", ME).write("other/pip-req.txt", "");
    remote.place.dae(["deploy", "--remote", "prod"]).dir("other").ok();
    let other = format!("http://other.apps.localhost:{}", remote.port);
    let host = other.strip_prefix("http://").unwrap();
    for name in ["dae_login_other", "dae_login_daetest"] {
        let cookie = format!("{name}={session}");
        let answer = Http::open(remote.port).send("GET", host, "/", &[("Cookie", &cookie)], b"").unwrap();
        assert!(answer.text().starts_with("nobody"), "{name}");
    }
    // There she is the same person.
    assert_eq!(ann.go(&format!("{other}/_dae/login")).text(), "ann Ann Lee ann@example.com False 1001 -");
    let mut bob = Browser::of("bob", &provider);
    assert_eq!(bob.go(&at("/_dae/login")).text(), "bob Bob  False 1002 -");

    // Nobody is led elsewhere, nor logged in by what they did not begin.
    for evil in ["//evil.example", "https://evil.example/", "/%5Cevil.example", "/_dae/login"] {
        let mut browser = Browser::of("bob", &provider);
        browser.go(&at(&format!("/_dae/login?dest={evil}")));
        assert_eq!(browser.trail.last(), Some(&at("/")), "{evil}");
        assert_eq!(
            bob.clone().get(&at(&format!("/_dae/logout?dest={evil}"))).header("set-cookie").map(|_| ()),
            Some(())
        );
    }
    let mut eve = Browser::of("eve", &provider);
    let mut victim = Browser::of("ann", &provider);
    eve.go(&at("/_dae/login"));
    let done = eve.trail.iter().find(|url| url.contains("/login/done")).unwrap().clone();
    for (what, answer) in [
        ("another browser", victim.get(&done)),
        ("a second time", eve.get(&done)),
        ("no state", eve.get(&at("/_dae/login/done?code=x"))),
    ] {
        assert_eq!(answer.status, 400, "{what}");
        assert!(answer.text().contains("was not begun here"), "{what}: {}", answer.text());
        assert!(answer.text().contains("login?dest=&#x2f;\">Try again"), "{what}");
    }
    // The state of one attempt with the cookie of another.
    let to = victim.get(&at("/_dae/login")).header("location").unwrap().to_owned();
    let (_, mine) = to.split_once("state=").unwrap();
    let mine = mine.split('&').next().unwrap();
    let mixed = victim.get(&at(&format!("/_dae/login/done?code=x&state={}y", &mine[..mine.len() - 1])));
    assert_eq!(mixed.status, 400);
    // A code that the provider never gave.
    let made_up = victim.get(&at(&format!("/_dae/login/done?code=x&state={mine}")));
    assert_eq!((made_up.status, made_up.text().contains("invalid_grant")), (400, true), "{}", made_up.text());
    assert_eq!(victim.cookie("dae_login_daetest"), None);

    // The node ends and comes back: she is still there.
    remote.stop();
    start(&mut remote);
    assert!(ann.go(&at("/")).text().starts_with("ann "));
    // She leaves, and so she does at the provider; what she held is worth nothing.
    let before = provider.counted("/o/logout/");
    let out = ann.go(&at("/_dae/logout?dest=/bye"));
    assert!(out.text().starts_with("nobody"), "{:#?}", ann.trail);
    assert_eq!((ann.trail.last(), provider.counted("/o/logout/")), (Some(&at("/bye")), before + 1), "{:#?}", ann.trail);
    assert!(ann.trail.iter().any(|url| url.contains("id_token_hint=")), "{:#?}", ann.trail);
    assert!(plain("Cookie", &format!("dae_login_daetest={session}")).starts_with("nobody"));
    provider.stop();
    assert!(!remote.place.read("node/logs/daetest/web.log").contains("hush"));
}

#[test]
fn what_the_provider_says_later_counts() {
    let (mut remote, mut provider) = node(Provider::new, "  admin_groups: [ops]\n");
    remote.deploy();
    let port = remote.port;
    let at = |path: &str| format!("http://daetest.apps.localhost:{port}{path}");
    provider.person("ann", &json!({"email": "ann@example.com", "groups": ["ops"]}));
    let mut ann = Browser::of("ann", &provider);
    let first = ann.go(&at("/_dae/login")).text();
    assert_eq!(first, "ann Ann ann@example.com True 1001 -");
    provider.person("ann", &json!({"email": "ann@example.org"}));
    // Her first answer holds for three seconds. Many who ask at once use the refresh token once: twice would end it.
    let until = |wanted: &str| {
        crate::crew::until(wanted, || {
            let ask = || {
                let mut ann = ann.clone();
                std::thread::spawn({
                    let url = at("/");
                    move || ann.go(&url).text()
                })
            };
            let all: Vec<_> = (0..8).map(|_| ask()).collect();
            let all: Vec<String> = all.into_iter().map(|one| one.join().unwrap()).collect();
            assert!(all.iter().all(|text| *text == first || text == wanted), "{all:?}");
            all.iter().all(|text| text == wanted)
        });
    };
    let second = "ann Ann ann@example.org False 1001 -";
    until(second);
    provider.person("ann", &json!({"email": "ann@example.net"}));
    let third = "ann Ann ann@example.net False 1001 -";
    crate::crew::until("it is renewed a second time", || {
        let text = ann.clone().go(&at("/")).text();
        assert!(text == second || text == third, "{text}");
        text == third
    });

    // The provider is away: who is in stays in, who is not is told.
    provider.stop();
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    assert_eq!(ann.clone().go(&at("/")).text(), third);
    let mut bob = Browser::of("bob", &provider);
    // What was discovered is known; a node that has just begun knows nothing.
    assert!(bob.get(&at("/_dae/login")).header("location").is_some());
    remote.stop();
    start(&mut remote);
    let answer = bob.go(&at("/_dae/login?dest=/x%26y"));
    assert_eq!(answer.status, 503);
    let page = answer.text();
    assert!(page.contains("the login provider does not answer") && page.contains("dest=&#x2f;x%26y"), "{page}");
    remote.node.as_mut().unwrap().until("daetest login: the login provider does not answer");

    provider.start();
    assert_eq!(bob.go(&at("/_dae/login")).text(), "bob Bob  False 1002 -");
    // Thrown out there, out here.
    assert_eq!(provider.ask("POST", "/revoke/bob", &Value::Null).status, 200);
    crate::crew::until("what was revoked is over", || bob.clone().go(&at("/")).text().starts_with("nobody"));
}

#[test]
fn who_is_not_meant_stays_out_and_a_provider_that_errs_is_not_believed() {
    let (remote, provider) = node(Provider::new, "  allowed_domains: [example.com]\n");
    remote.deploy();
    let at = |path: &str| format!("http://daetest.apps.localhost:{}{path}", remote.port);
    let login = |who: &str| Browser::of(who, &provider).go(&at("/_dae/login?dest=/x"));
    provider.person("ann", &json!({"email": "ann@example.com"}));
    provider.person("bob", &json!({"email": "bob@example.org"}));
    provider.person("eve", &json!({"email": "eve@example.com", "email_verified": false}));
    assert!(login("ann").text().starts_with("ann "));
    for who in ["bob", "eve"] {
        let answer = login(who);
        assert_eq!(answer.status, 403, "{who}");
        let page = answer.text();
        assert!(page.contains("you may not use daetest") && page.contains("prompt=login"), "{page}");
    }

    for (lies, status, says) in [
        (json!({"aud": "them"}), 502, "meant for another client"),
        (json!({"nonce": "n"}), 502, "answers another request"),
        (json!({"iss": "http://127.0.0.1/other"}), 502, "of another issuer"),
        (json!({"iat": 7200, "exp": 7200}), 502, "s behind the provider"),
        (json!({"iat": -72000, "exp": -72000}), 502, "s ahead of the provider"),
    ] {
        provider.lies(&lies);
        let answer = login("ann");
        assert_eq!((answer.status, answer.text().contains(says)), (status, true), "{lies}: {}", answer.text());
        assert!(answer.header("set-cookie").is_none());
    }
    provider.lies(&json!({}));
    let denied = Browser::of("ann", &provider);
    let mut browser = denied;
    let to = browser.get(&at("/_dae/login")).header("location").unwrap().to_owned();
    let state = to.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let answer =
        browser.get(&at(&format!("/_dae/login/done?error=access_denied&error_description=%3Cb%3Eno&state={state}")));
    assert_eq!((answer.status, answer.text().contains("&lt;b&gt;no")), (403, true), "{}", answer.text());

    // An app may have it otherwise, and its processes are not told how.
    remote.dae(&["config", "set", "DAE_LOGIN_DOMAINS=example.org", "DAE_LOGIN_ADMIN_GROUPS=ops"]).ok();
    provider.person("bob", &json!({"email": "bob@example.org", "groups": ["ops"]}));
    assert_eq!(login("bob").text(), "bob Bob bob@example.org True 1002 -");
    assert_eq!(login("ann").status, 403);
    let env = Browser::of("ann", &provider).go(&at("/env")).text();
    assert!(!env.contains("DAE_LOGIN") && !env.contains("hush"), "{env}");
    let refused = remote.dae(&["config", "set", "DAE_LOGIN_ISSUER=https://evil.example"]).run();
    assert!(refused.code == 1 && refused.stderr.contains("`DAE_LOGIN_CLIENT_ID` is not"), "{}", refused.raw());
    remote.dae(&["config", "set", "DAE_LOGIN=off"]).ok();
    let none = login("bob");
    assert_eq!((none.status, none.text().contains("nobody can log in here")), (404, true), "{}", none.text());
    assert!(Browser::of("bob", &provider).go(&at("/")).text().starts_with("nobody"));
}
