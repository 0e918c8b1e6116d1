//! `dae serve ./user ./web`: several apps behind one port, which find each other's services.

use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, Place, Running, free_port, get};

const USER_YAML: &str = "application: user
handlers:
- url: /.*
  wsgi_app: app:app
services:
- interface: user.UserStorage
  handler: handler:Handler
";
const WEB_YAML: &str = "application: web_shop\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";
const IDL: &str = "service UserStorage { string retrieve(1: i32 uid) (dae.idempotent = \"true\") }\n";
const HANDLER: &str = "class Handler:\n    def retrieve(self, uid):\n        return 'one %d' % uid\n";
const USER: &str = "def app(environ, start_response):
    start_response('200 OK', [])
    return [b'the user app']
";
/// Calls at once when it is imported, too; the client's folder is a package where it stands.
const WEB: &str = "from user_client import UserStorage
first = UserStorage.retrieve(1)

def app(environ, start_response):
    start_response('200 OK', [])
    return [('shop: %s, %s' % (first, UserStorage.retrieve(2))).encode()]
";
const HOSTS: [&str; 2] = ["user.localhost", "web-shop.localhost"];

fn apps() -> Place {
    let place = Place::new();
    place.write("user/app.yaml", USER_YAML).write("user/user.thrift", IDL).write("user/handler.py", HANDLER);
    place.write("user/app.py", USER).write("user/pip-req.txt", "");
    place.write("web/app.yaml", WEB_YAML).write("web/app.py", WEB).write("web/pip-req.txt", "");
    place.dae(["service", "gen_client", "--out", "../web/user_client"]).dir("user").ok();
    place
}

fn serve(place: &Place) -> (Running, u16) {
    let port = free_port();
    let mut serve = place.dae(["serve", "user", "web", "--port", &port.to_string()]).spawn();
    serve.until("stop Ctrl-C");
    (serve, port)
}

fn answers(port: u16) -> [(u16, String); 2] {
    HOSTS.map(|host| {
        let answer = get(port, host, "/");
        (answer.status, answer.text())
    })
}

fn both(user: &str, web: &str) -> [(u16, String); 2] {
    [(200, user.to_owned()), (200, web.to_owned())]
}

#[test]
fn two_apps_are_served_together_and_one_calls_the_other() {
    let place = apps();
    let (mut serve, port) = serve(&place);
    // Whoever comes first waits for both.
    assert_eq!(answers(port), both("the user app", "shop: one 1, one 2"), "{}", serve.said());
    serve.until("user/services Started user.UserStorage at 127.0.0.1:");

    // Each reloads by itself.
    place.write("user/handler.py", HANDLER.replace("one", "two"));
    serve.until("reloaded user: in ");
    // Its services take over when they are ready, with the connections there are.
    let deadline = Instant::now() + PATIENCE;
    while answers(port)[1].1 != "shop: one 1, two 2" {
        assert!(Instant::now() < deadline, "{:?}\n{}", answers(port), serve.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    place.write("web/app.py", WEB.replace("shop", "new shop"));
    serve.until("reloaded web_shop: in ");
    let [_, (status, said)] = answers(port);
    assert_eq!((status, &*said), (200, "new shop: two 1, two 2"), "{}", serve.said());

    // One is broken, the other serves.
    place.write("web/app.py", "import nowhere\n");
    serve.until("error: web_shop: ");
    let [user, (status, said)] = answers(port);
    assert_eq!((user.0, &*user.1, status), (200, "the user app", 500), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    place.write("web/app.py", WEB);
    serve.until("reloaded web_shop: in ");
    place.write("user/app.py", "import nowhere\n");
    serve.until("error: user: ");
    // Its services go on as they were.
    let [(status, _), web] = answers(port);
    assert_eq!((status, web), (500, (200, "shop: two 1, two 2".to_owned())));
    place.write("user/app.py", USER);
    serve.until("reloaded user: in ");
    assert_eq!(answers(port), both("the user app", "shop: two 1, two 2"));

    // Nobody's name.
    let list = get(port, "localhost", "/");
    assert_eq!(list.status, 404);
    for host in HOSTS {
        assert!(list.text().contains(&format!("http://{host}:{port}")), "{}", list.text());
    }
    assert_eq!(get(port, "elsewhere.example", "/").status, 404);

    // Each is asked by itself, and joined by itself.
    for (folder, app) in [("user", "user"), ("web", "web_shop")] {
        let status = place.dae(["status", "--json"]).dir(folder).ok().json();
        assert_eq!((&status["app"], &status["serving"]), (&app.into(), &true.into()), "{status}");
    }
    let mut joined = place.dae(["serve"]).dir("web").spawn();
    joined.until("already");
    place.dae(["restart"]).dir("web").ok();
    joined.until(" · dae restart");
    let left = joined.stop();
    assert!(left.code == 0 && left.stderr.contains("left"), "{}", left.raw());

    let ran = serve.stop();
    assert!(ran.code == 0 && ran.stderr.ends_with("stopped everything it started has ended\n"), "{}", ran.raw());
    let alive: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok())
        .filter(|cwd| cwd.starts_with(place.path("")))
        .collect();
    assert!(alive.is_empty(), "{alive:?}");
}

#[test]
fn one_word_ends_all_that_one_process_serves() {
    let place = apps();
    let (mut serve, port) = serve(&place);
    assert_eq!(answers(port), both("the user app", "shop: one 1, one 2"), "{}", serve.said());
    // What runs is joined; and what does not, is not served there by itself.
    let mut joined = place.dae(["serve", "web", "user"]).spawn();
    joined.until("`http://web-shop.localhost:");
    joined.until("`http://user.localhost:");
    place.write("user/handler.py", HANDLER.replace("one", "two"));
    joined.until("reloaded user: in ");
    let stopped = place.dae(["stop"]).dir("web").ok();
    assert!(stopped.stderr.contains("user, which the same process served"), "{}", stopped.raw());
    assert_eq!(serve.wait().code, 0);
    assert_eq!(joined.wait().code, 0);
}

#[test]
fn two_of_a_name_are_refused() {
    let place = apps();
    place.write("other/app.yaml", WEB_YAML.replace("web_shop", "user")).write("other/app.py", USER);
    insta::assert_snapshot!(place.dae(["serve", "user", "other"]).run(), @r"
    exit: 1
    --- stderr
    error: two of these apps are called `user`
      because: in `[DIR]/user` and in `[DIR]/other`

    hint: serve them apart, each with a `--port` of its own
    ");
}
