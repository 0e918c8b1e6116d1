//! The app's own database: a real MariaDB, started by the first connection.

use std::process::Command;

use crate::harness::{Answer, Http, Place, Running, free_port};

/// Writes an app that keeps its lines in mysql, with `driver` pinned.
pub fn blog(place: &Place, name: &str, driver: &str) {
    place.write(
        format!("{name}/app.yaml"),
        format!("application: {name}\nversion: 1\nruntime: python\napi_version: 1\nhandlers:\n- {{url: /.*, wsgi_app: app:app}}\n"),
    );
    place.write(format!("{name}/pip-req.txt"), driver);
    place.write(format!("{name}/app.py"), BLOG);
    place.write(
        format!("{name}/databases/schema.sql"),
        "create table entry (id int auto_increment primary key, text text not null);\n",
    );
}

const BLOG: &str = r#"
import json
from dae.api.mysql import connect
from dae.api.sqlstore import store


def app(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        store.execute("insert into entry (text) values (%s)", environ["wsgi.input"].read().decode())
        store.commit()
    status, answer = "200 OK", None
    try:
        with connect() as db, db.cursor() as cursor:
            cursor.execute("select text from entry order by id")
            answer = [text for text, in cursor.fetchall()]
    except Exception as error:
        status, answer = "500 Wrong", str(error)
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
"#;

pub const PYMYSQL: &str = "pymysql==1.1.1\n";

/// A served app and a browser for it.
pub struct Served {
    pub serve: Running,
    pub port: u16,
    name: String,
}

impl Served {
    pub fn start(place: &Place, name: &str, args: &[&str]) -> Self {
        let port = free_port();
        let text = port.to_string();
        let mut all = vec!["-C", name, "serve", "--port", &text];
        all.extend(args);
        let mut serve = place.dae(all).spawn();
        serve.until("serving `http");
        Self { serve, port, name: name.into() }
    }

    pub fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let host = format!("{}.localhost:{}", self.name, self.port);
        Http::open(self.port).send(method, &host, path, &[], body.as_bytes()).unwrap()
    }

    /// Writes a line and returns all of them.
    pub fn post(&self, text: &str) -> Vec<String> {
        let answer = self.send("POST", "/", text);
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_str(&answer.text()).unwrap()
    }

    pub fn lines(&self) -> Vec<String> {
        let answer = self.send("GET", "/", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_str(&answer.text()).unwrap()
    }
}

/// Whether this machine has a server. Where all checks run there must be one.
pub fn there_is_a_server() -> bool {
    let found = ["/usr/sbin/mariadbd", "/usr/sbin/mysqld", "/usr/libexec/mariadbd"];
    let there = found.iter().any(|path| std::path::Path::new(path).exists());
    assert!(there || std::env::var_os("CI").is_none(), "mariadb-server-core is missing");
    if !there {
        println!("skipped: there is no MariaDB on this machine");
    }
    there
}

#[test]
fn rows_are_there_after_an_ordinary_end_and_after_a_kill() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.post("one"), ["one"]);
    assert_eq!(served.serve.stop().code, 0);

    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.post("two"), ["one", "two"]);
    // The database first, so that nobody tells it to end in order; then all of dae.
    let pid = std::fs::read_to_string(place.path("blog/.dae/data/mysql/lock")).unwrap();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    served.serve.signal(nix::sys::signal::Signal::SIGKILL);
    served.serve.wait();

    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.lines(), ["one", "two"]);
}
