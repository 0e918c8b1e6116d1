//! The app's own database: a real MariaDB, started by the first connection.

use std::process::Command;

use crate::harness::{Answer, Http, Place, Running, free_port};

/// Writes an app that keeps its lines in mysql, with `driver` pinned.
pub fn blog(place: &Place, name: &str, driver: &str) {
    place.write(
        format!("{name}/app.yaml"),
        format!("application: {name}\nversion: 1\nruntime: python\napi_version: 1\nhandlers:\n- {{url: /i/(.*), static_files: permdir/\\1}}\n- {{url: /.*, wsgi_app: app:app}}\n"),
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
        Self::start_in(place, name, name, args)
    }

    /// The app `name` in `folder`.
    pub fn start_in(place: &Place, folder: &str, name: &str, args: &[&str]) -> Self {
        let port = free_port();
        let text = port.to_string();
        let mut all = vec!["-C", folder, "serve", "--port", &text];
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

#[test]
fn a_schema_that_is_wrong_is_told_to_the_terminal_and_to_whoever_connects() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    let good = place.read("blog/databases/schema.sql");
    place.write("blog/databases/schema.sql", "-- the lines\n\ncreate tabel entry (id int);\n");
    let mut served = Served::start(&place, "blog", &[]);
    served.serve.until("error: could not load `databases/schema.sql`");
    served.serve.until("databases/schema.sql:3:1");
    let answer = served.send("GET", "/", "");
    assert_eq!(answer.status, 500);
    assert!(
        answer.text().contains("dae: could not load `databases/schema.sql`: You have an error"),
        "{}",
        answer.text()
    );
    // The next connection tries again.
    place.write("blog/databases/schema.sql", good);
    assert_eq!(served.post("one"), ["one"]);
}

#[test]
fn data_of_a_newer_server_and_damaged_data_are_left_alone() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    let select = ["-C", "blog", "db", "shell", "-e", "select count(*) as n from entry"];
    let ran = place.dae(select).ok();
    assert_eq!(ran.stdout, "n\n0\n", "{}", ran.raw());
    let data = place.path("blog/.dae/data/mysql/data");
    let version = std::fs::read_to_string(data.join("dae-version")).unwrap();
    std::fs::write(data.join("dae-version"), "99.1.2-MariaDB").unwrap();
    let refused = place.dae(select).run();
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("this app's database was written by MariaDB 99.1"), "{}", refused.raw());
    std::fs::write(data.join("dae-version"), version).unwrap();
    let whole = std::fs::read(data.join("ibdata1")).unwrap();
    std::fs::write(data.join("ibdata1"), vec![7; whole.len()]).unwrap();
    let refused = place.dae(select).run();
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("could not open this app's database"), "{}", refused.raw());
    std::fs::write(data.join("ibdata1"), whole).unwrap();
    place.dae(select).ok();
}

#[test]
fn a_database_is_dumped_loaded_and_reset() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    place.write("setup.sql", SETUP);
    let loaded = place.dae(["-C", "blog", "db", "load", "../setup.sql"]).ok();
    assert!(loaded.stderr.contains("7 statements"), "{}", loaded.raw());
    let shown = ["-C", "blog", "db", "shell", "-e", "select id, t, hex(b) as b, n, twice from kind order by id"];
    let before = place.dae(shown).ok().stdout;
    insta::assert_snapshot!(before, @r"
    id  t            b       n     twice
    1   it's \ 你好  00FF27  1.50  3.00
    2   NULL                 NULL  NULL
    ");
    place.dae(["-C", "blog", "db", "dump", "../dump.sql"]).ok();
    place.dae(["-C", "blog", "db", "reset", "--yes"]).ok();
    assert!(place.dae(shown).run().stderr.contains("doesn't exist"));
    place.dae(["-C", "blog", "db", "load", "../dump.sql"]).ok();
    assert_eq!(place.dae(shown).ok().stdout, before);
    // The trigger came back, and works.
    let insert = "insert into kind (id) values (3); select text from entry";
    assert_eq!(place.dae(["-C", "blog", "db", "shell", "-e", insert]).ok().stdout, "text\na;b\n");
    let again = place.dae(["-C", "blog", "db", "shell", "-e", "select * from seen"]).ok();
    assert_eq!(again.stdout.lines().count(), 4, "{}", again.raw());
    let url = place.dae(["-C", "blog", "db", "url"]).ok().stdout;
    assert!(url.starts_with("mysql://blog:") && url.trim_end().ends_with("/blog"), "{url}");
    let wrong = place.dae(["-C", "blog", "db", "shell", "-e", "selct 1"]).run();
    assert!(wrong.code == 1 && wrong.stderr.contains("(1064)"), "{}", wrong.raw());
}

const SETUP: &str = r"
create table kind (id int primary key, t text, b varbinary(9), n decimal(5,2), twice decimal(6,2) as (n * 2) stored);
insert into kind (id, t, b, n) values (1, 'it\'s \\ 你好', 0x00FF27, 1.5), (2, null, '', null);
create view seen as select id from kind;
DELIMITER ;;
create trigger told after insert on kind for each row
begin
  insert into entry (text) values ('a;b');
end ;;
create function one() returns int deterministic return 1 ;;
DELIMITER ;
set @x = 1;
select one();
";

#[test]
fn two_apps_do_not_reach_each_others_rows() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "one", PYMYSQL);
    blog(&place, "two", PYMYSQL);
    let one = Served::start(&place, "one", &[]);
    let two = Served::start(&place, "two", &[]);
    assert_eq!(one.post("of one"), ["of one"]);
    assert_eq!(two.post("of two"), ["of two"]);
    // With another's address, and its own name.
    let url = place.dae(["-C", "two", "db", "url"]).ok().stdout;
    let port = url.trim().rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned();
    let code = format!(
        "import os, pymysql\np = dict(user=os.environ['DAE_MYSQL_USER'], password=os.environ['DAE_MYSQL_PASSWORD'])\n\
         for db in 'one', 'two', 'mysql':\n  for user in p['user'], 'two', 'root', '':\n    for password in p['password'], '':\n      try:\n        \
         pymysql.connect(host='127.0.0.1', port={port}, user=user, password=password, database=db)\n      \
         except pymysql.err.OperationalError as error: assert error.args[0] == 1045, error\n      else: print('in as', user)"
    );
    let ran = place.dae(["-C", "one", "run", "--", "python", "-c", &code]).ok();
    assert_eq!(ran.stdout, "", "{}", ran.raw());
}

#[test]
fn a_full_disk_refuses_what_is_new_and_keeps_what_is_there() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    // Room for an empty database, and not for much more.
    let Some(disk) = place.small_disk("small", 160) else { return };
    blog(&place, "small/blog", PYMYSQL);
    let yaml = std::fs::read_to_string(place.path("small/blog/app.yaml")).unwrap();
    place.write("small/blog/app.yaml", yaml.replace("small/blog", "blog"));
    let mut served = Served::start_in(&place, "small/blog", "blog", &[]);
    assert_eq!(served.post("kept"), ["kept"]);

    let filler = place.path("small/filler");
    let fill = || {
        let mut file = std::fs::File::create(&filler).unwrap();
        let zeros = vec![0; 1 << 20];
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
    };
    fill();
    let line = "x".repeat(60_000);
    assert!((0..100).any(|_| served.send("POST", "/", &line).status != 200), "100 lines of 60 kB fit on a full disk");
    served.serve.until("because: the disk is full");
    // Nothing else has stopped, and the database comes back with the room.
    std::fs::remove_file(&filler).unwrap();
    let lines = served.post("after");
    assert_eq!((lines.first().unwrap().as_str(), lines.last().unwrap().as_str()), ("kept", "after"));
    assert_eq!(served.serve.stop().code, 0);

    // Where there is no room to start in, that is what is said.
    fill();
    let served = Served::start_in(&place, "small/blog", "blog", &[]);
    let answer = served.send("GET", "/", "");
    assert_eq!((answer.status, answer.text().contains("the disk is full")), (500, true), "{}", answer.text());
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(served.lines(), lines);
    drop((served, disk));
}

#[test]
fn the_second_start_is_quick() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    let select = ["-C", "blog", "db", "shell", "-e", "select 1"];
    place.dae(select).ok();
    let mut took = Vec::new();
    for _ in 0..5 {
        let began = std::time::Instant::now();
        place.dae(select).ok();
        took.push(began.elapsed().as_millis());
    }
    took.sort_unstable();
    // The whole of it: dae's start, the server's, a query, and both ends.
    println!("a query in a database that nobody has started: median {} ms of {took:?}", took[2]);
}

/// The first block of `kind` in a page of the documentation.
pub fn snippet(page: &str, kind: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let block = text.split(&format!("```{kind}\n")).nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn what_the_documentation_shows_runs() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    place.dae(["-C", "blog", "run", "--", "python", "-c", &snippet("mysql.md", "python")]).ok();
    let rows = place.dae(["-C", "blog", "db", "shell", "-e", "select text from entry"]).ok();
    assert_eq!(rows.stdout, "text\nhello\n", "{}", rows.raw());
    for line in snippet("state.md", "console").lines() {
        let mut args = vec!["-C", "blog"];
        args.extend(line.strip_prefix("dae ").unwrap().split(' '));
        place.dae(args).env("DAE_YES", "1").ok();
    }
    let rows = place.dae(["-C", "blog", "db", "shell", "-e", "select text from entry"]).ok();
    assert_eq!(rows.stdout, "text\n", "{}", rows.raw());
}

#[test]
fn a_branch_has_a_state_of_its_own() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    place.write("blog/dev.yaml", "state: per-branch\n");
    place.command("git", ["init", "-q", "-b", "main"]).dir("blog").ok();
    let sql = |statement: &str| place.dae(["-C", "blog", "db", "shell", "-e", statement]).ok().stdout;
    sql("insert into entry (text) values ('of main')");
    place.command("git", ["checkout", "-q", "-b", "topic/x"]).dir("blog").ok();
    assert_eq!(sql("select text from entry"), "text\nof main\n");
    sql("insert into entry (text) values ('of topic')");
    place.command("git", ["checkout", "-q", "-b", "main"]).dir("blog").ok();
    assert_eq!(sql("select text from entry"), "text\nof main\n");
}
