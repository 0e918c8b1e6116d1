//! A node whose apps use real servers, Debian's own: each app has its part of them, and what is down is told.

mod intakes;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Dae, Http, PATIENCE, Place, Running, free_port};
use crate::mysql::{PYMYSQL, there_is_a_server};
use crate::queue::Theirs;

/// Runs what it is sent, and answers what `said` is then, or the error.
const APP: &str = r#"
import json, os
def app(environ, start):
    names = {}
    try:
        exec(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)), names)
        said = names.get("said")
    except Exception as error:
        said = "%s: %s" % (type(error).__name__, error)
    start("200 OK", [])
    return [json.dumps(said, default=str).encode()]
"#;

const SQL: &str = "
from dae.api.mysql import connect
def ask(sql):
    with connect() as db, db.cursor() as cursor:
        cursor.execute(sql)
        db.commit()
        return [list(row) for row in cursor.fetchall()]
";

/// A program that listens at a port, until it is dropped.
struct Listens {
    port: u16,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Listens {
    fn start(mut command: Command, port: u16, folder: tempfile::TempDir) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let listens = Self { port, child, _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
            assert!(Instant::now() < deadline, "{command:?} never listened");
            std::thread::sleep(Duration::from_millis(20));
        }
        listens
    }

    /// A MariaDB with an administrator `dae`, and somebody's database `taken`.
    fn mariadb() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, init, port) = (folder.path().join("data"), folder.path().join("init.sql"), free_port());
        let user = nix::unistd::getuid().is_root().then_some("--user=root");
        // `mariadb-install-db` wants programs of another package.
        let mut tables = "create database mysql;\nuse mysql;\n".to_owned();
        for part in ["", "_data"] {
            let names = ["mariadb", "mysql"].map(|name| format!("/usr/share/mysql/{name}_system_tables{part}.sql"));
            tables += &names.iter().find_map(|name| std::fs::read_to_string(name).ok()).unwrap();
        }
        std::fs::create_dir(&data).unwrap();
        std::fs::write(&init, tables).unwrap();
        let mut made = Command::new("/usr/sbin/mariadbd");
        made.args(["--no-defaults", "--bootstrap"]).args(user).arg(format!("--datadir={}", data.display()));
        let made = made.stdin(std::fs::File::open(&init).unwrap()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let sql = "DELETE FROM mysql.global_priv WHERE user = '';\nFLUSH PRIVILEGES;\n\
                   CREATE USER dae@'%' IDENTIFIED BY 'of the dba';\n\
                   GRANT ALL ON *.* TO dae@'%' WITH GRANT OPTION;\nCREATE DATABASE taken;\n";
        std::fs::write(&init, sql).unwrap();
        let mut command = Command::new("/usr/sbin/mariadbd");
        command.args(["--no-defaults", "--bind-address=127.0.0.1"]).args(user).arg(format!("--port={port}"));
        for (option, path) in
            [("datadir", "data"), ("init-file", "init.sql"), ("socket", "socket"), ("pid-file", "pid")]
        {
            command.arg(format!("--{option}={}", folder.path().join(path).display()));
        }
        Self::start(command, port, folder)
    }

    fn memcached() -> Option<Self> {
        if !Path::new("/usr/bin/memcached").exists() {
            assert!(std::env::var_os("CI").is_none(), "memcached is missing");
            println!("skipped: there is no memcached on this machine");
            return None;
        }
        let port = free_port();
        let mut command = Command::new("/usr/bin/memcached");
        command.args(["-l", "127.0.0.1", "-p", &port.to_string()]);
        if nix::unistd::getuid().is_root() {
            command.args(["-u", "root"]);
        }
        Some(Self::start(command, port, tempfile::tempdir().unwrap()))
    }
}

impl Drop for Listens {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Platform {
    place: Place,
    port: u16,
    node: Running,
}

impl Platform {
    fn new(services: &str) -> Self {
        let (place, port) = (Place::new(), free_port());
        let listen = format!("127.0.0.1:{port}");
        let init = ["node", "init", "--json", "--dir", "node", "--domain", "apps.localhost", "--listen", &listen];
        let token = place.dae(init).ok().json()["token"].as_str().unwrap().to_owned();
        place.write("node/node.yaml", place.read("node/node.yaml") + "services:\n" + services);
        let mut node = Self::serve(&place).spawn();
        node.until("Ready");
        place.dae(["remote", "add", "prod", &format!("http://127.0.0.1:{port}")]).env("DAE_TOKEN", &token).ok();
        Self { place, port, node }
    }

    fn serve(place: &Place) -> Dae {
        place.dae(["node", "serve", "--dir", "node"])
    }

    fn deploy(&self, app: &str) -> Dae {
        let yaml = format!("application: {app}\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
        self.place.write(format!("{app}/app.yaml"), yaml).write(format!("{app}/app.py"), APP);
        self.place.write(format!("{app}/pip-req.txt"), PYMYSQL).write(
            format!("{app}/databases/schema.sql"),
            "CREATE TABLE entry (text TEXT NOT NULL);\nINSERT INTO entry VALUES ('born');\n",
        );
        self.place.dae(["deploy"]).dir(app)
    }

    /// What the app comes to by this code.
    fn says(&self, app: &str, code: &str) -> String {
        let host = format!("{}.apps.localhost", app.replace('_', "-"));
        let answer = Http::open(self.port).send("POST", &host, "/", &[], code.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    fn sql(&self, app: &str, sql: &str) -> String {
        self.says(app, &format!("{SQL}said = ask({sql:?})"))
    }
}

#[test]
fn apps_share_servers_and_not_their_data() {
    if !there_is_a_server() {
        return;
    }
    let (Some(memcached), Some(beanstalkd)) = (Listens::memcached(), Theirs::start(&[])) else { return };
    let mariadb = Listens::mariadb();
    let services = format!(
        "  mysql: {{host: 127.0.0.1, port: {}, user: dae, passwd: of the dba}}\n  memcache: [\"127.0.0.1:{}\"]\n  queue: \"{}\"\n",
        mariadb.port, memcached.port, beanstalkd.address
    );
    let mut platform = Platform::new(&services);
    let checked = platform.place.dae(["remote", "check", "prod"]).ok();
    assert!(checked.stdout.contains("servers of their own: mysql, memcache, queue"), "{}", checked.raw());
    // To a careless grant, the name of one fits the other's.
    let (left, right) = ("shop_1", "shopx1");
    platform.deploy(left).ok();
    platform.deploy(right).ok();
    assert_eq!(platform.sql(right, "SELECT text FROM entry"), r#"[["born"]]"#);
    platform.sql(right, "INSERT INTO entry VALUES ('of right')");

    // What left tries.
    let address = format!("\"127.0.0.1:{}\"", mariadb.port);
    assert_eq!(
        platform.says(left, "import os\nsaid = os.environ['DAE_MYSQL_HOST'] + ':' + os.environ['DAE_MYSQL_PORT']"),
        address
    );
    assert_eq!(platform.says(left, "import os\nsaid = os.environ.get('DAE_MYSQL_SOCKET')"), "null");
    assert_eq!(platform.sql(left, "SELECT text FROM entry"), r#"[["born"]]"#);
    assert_eq!(platform.sql(left, "SHOW DATABASES"), r#"[["information_schema"], ["shop_1"]]"#);
    for sql in [
        "SELECT text FROM shopx1.entry",
        "INSERT INTO shopx1.entry VALUES ('of left')",
        "DROP DATABASE shopx1",
        "CREATE DATABASE shopy1",
        "SELECT * FROM mysql.global_priv",
        "CREATE USER more@'%'",
        "GRANT ALL ON shopx1.* TO shop_1@'%'",
    ] {
        let said = platform.sql(left, sql);
        assert!(said.contains("denied"), "{sql}: {said}");
    }
    let as_right = "import os, pymysql\nsaid = pymysql.connect(host='127.0.0.1', port=int(os.environ['DAE_MYSQL_PORT']), \
                    user='shopx1', password=os.environ['DAE_MYSQL_PASSWORD'])";
    assert!(platform.says(left, as_right).contains("Access denied"));

    // The same key and the same tube are two.
    let key = |value: &str| format!("from dae.api.memcache import mc\nmc.set('k', {value:?})\nsaid = mc.get('k')");
    assert_eq!(platform.says(right, &key("of right")), r#""of right""#);
    let look = "from dae.api.memcache import mc\nsaid = mc.get('k')";
    assert_eq!(platform.says(left, look), "null");
    let _ = platform.says(left, &key("of left"));
    assert_eq!(platform.says(right, look), r#""of right""#);
    let queue = "import os\nfrom dae.api.beanstalk import Client\nclient = Client(os.environ['DAE_QUEUE'])\n";
    platform.says(right, &format!("{queue}said = client.put('of right')"));
    let take =
        format!("{queue}try:\n    said = client.reserve(0).body.decode()\nexcept Exception as e:\n    said = 'none'");
    assert_eq!(platform.says(left, &take), r#""none""#);
    let tubes = format!("{queue}client.connect()\nsaid = client.tubes()");
    assert_eq!(platform.says(left, &tubes), r#"["default"]"#);
    assert_eq!(platform.says(right, &take), r#""of right""#);

    // A database that somebody else made is nobody's app's.
    let failed = platform.deploy("taken").run();
    assert!(failed.code != 0, "{}", failed.raw());
    assert!(
        failed.stderr.contains("there is a database `taken` already, and this node has not made it"),
        "{}",
        failed.raw()
    );

    // The next release, and the next start of the node, find what was there.
    platform.place.write("shopx1/more.py", "");
    platform.place.dae(["deploy"]).dir(right).ok();
    assert_eq!(platform.sql(right, "SELECT text FROM entry"), r#"[["born"], ["of right"]]"#);
    assert_eq!(platform.node.stop().code, 0);
    platform.node = Platform::serve(&platform.place).spawn();
    platform.node.until("Ready");
    assert_eq!(platform.sql(right, "SELECT text FROM entry"), r#"[["born"], ["of right"]]"#);
}

#[test]
fn a_server_that_is_down_is_told_at_the_start_and_at_a_deploy() {
    // Bound and not listened at by anybody: no other test gets it.
    let gone = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let services = |name: &str| format!("  {name}: {{host: 127.0.0.1, port: {}, user: dae, passwd: x}}\n", gone.port());
    let mut platform = Platform::new(&format!("{}  memcache: [\"{gone}\"]\n", services("mysql")));
    platform.node.until(&format!("`memcache` does not answer at {gone}"));
    let failed = platform.deploy("shop").run();
    assert_eq!(failed.code, 6, "{}", failed.raw());
    assert!(failed.stderr.contains("could not make the database `shop`"), "{}", failed.raw());
    assert!(failed.stderr.contains("`services: mysql` in node.yaml"), "{}", failed.raw());

    // Without a cache an app is slow, and it is up.
    assert_eq!(platform.node.stop().code, 0);
    let without = platform.place.read("node/node.yaml").replace(&services("mysql"), "");
    platform.place.write("node/node.yaml", without);
    platform.node = Platform::serve(&platform.place).spawn();
    platform.node.until("Ready");
    let deployed = platform.deploy("shop").ok();
    assert!(deployed.stderr.contains(&format!("`memcache` does not answer at {gone}")), "{}", deployed.raw());
    assert_eq!(platform.says("shop", "said = 1"), "1");
}
