//! dev.yaml and test.yaml: one developer's own file, which points a service at a real server. No other file of an app holds
//! hosts or passwords.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::reader::{Keys, Reader, decode};
use super::yaml::{Node, Source, Value};
use crate::problem::{Doing as _, Problem, Result};

/// What is not there is emulated by dae.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DevSettings {
    pub mysql: Option<Mysql>,
    /// Other apps' data, by the name of the farm.
    pub sqlstore: BTreeMap<String, Mysql>,
    pub memcache: Vec<Address>,
    pub beansdb: Vec<Address>,
    /// Relative to the app's folder, or absolute.
    pub permdir: Option<PathBuf>,
    pub state: StateOf,
    pub queue: Option<Address>,
    /// A Scribe server that gets all logs too.
    pub scribe: Option<Address>,
    /// The scheduler of the Dask cluster that computes for dpark.
    pub dpark: Option<Address>,
}

/// What has a state of its own: the data of all services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateOf {
    #[default]
    App,
    /// Each branch of the app's git repository.
    Branch,
}

/// A database of a MySQL server; what is not given is what the app's own would have.
#[derive(Clone, PartialEq, Eq)]
pub struct Mysql {
    pub address: Address,
    pub user: Option<String>,
    pub passwd: Option<String>,
    pub db: Option<String>,
    /// Of a farm: what sqlstore looks for there. Every other table is the app's own.
    pub tables: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    pub host: String,
    pub port: u16,
}

/// A service that is not on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// `mysql`, or `sqlstore farm`.
    pub service: String,
    pub address: Address,
}

const KEYS: &[&str] = &["mysql", "sqlstore", "memcache", "beansdb", "permdir", "queue", "scribe", "state", "dpark"];
/// How the address of a Dask scheduler begins.
const DASK: &str = "dask://";
const MYSQL: &[&str] = &["host", "port", "user", "passwd", "db"];
const FARM: &[&str] = &["host", "port", "user", "passwd", "db", "tables"];

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

/// A password is never shown.
impl fmt::Debug for Mysql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().unwrap_or_default();
        write!(f, "mysql://{user}@{}/{}", self.address, self.db.as_deref().unwrap_or_default())
    }
}

impl Address {
    /// `host:port`, `[::1]:port`; without a port `otherwise`.
    fn parse(text: &str, otherwise: u16) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0)?),
            _ => (text, otherwise),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let good = match bare {
            Some(bare) => bare.parse::<IpAddr>().is_ok(),
            None => is_host(host),
        };
        good.then(|| Self { host: bare.unwrap_or(host).to_owned(), port })
    }

    /// On this very machine.
    pub fn is_local(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

/// A host as it stands in a URL: an address of IPv6 has brackets there.
pub fn bracketed(host: &str) -> Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}

/// The host of a URL by itself.
pub fn without_brackets(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// `host:port`.
impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        Self::parse(&text, 0).filter(|address| address.port > 0).ok_or_else(|| format!("`{text}` is no `host:port`"))
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

impl DevSettings {
    /// Reads `file` of the app in `root`, with warnings; one that is not there sets nothing.
    pub fn read(root: &Path, file: &str) -> Result<(Self, Vec<Problem>)> {
        let path = root.join(file);
        match std::fs::read(&path) {
            Ok(bytes) => Self::parse(Path::new(file), &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((Self::default(), Vec::new())),
            Err(error) => Err(error).doing(|| format!("read `{}`", path.display())),
        }
    }

    pub fn parse(file: &Path, bytes: &[u8]) -> Result<(Self, Vec<Problem>)> {
        let source = Source { file, text: decode("dev-yaml", file, bytes)? };
        let root = source.read()?;
        let mut reader = Reader::new("dev-yaml", source);
        let settings = match root.value {
            Value::Null => Some(Self::default()),
            _ => reader.keys(&root, &file.display().to_string(), KEYS).map(|keys| reader.settings(&keys)),
        };
        reader.done(settings)
    }

    /// What an app's processes are told of it: one variable a service (see `node/contract.rs`). `root` is the app's folder.
    pub fn environment(&self, root: &Path) -> Vec<(String, String)> {
        let mut env = Vec::new();
        let mut set = |name: &str, value: String| env.push((name.to_owned(), value));
        if let Some(Mysql { address, user, passwd, db, .. }) = &self.mysql {
            set("DAE_MYSQL_HOST", address.host.clone());
            set("DAE_MYSQL_PORT", address.port.to_string());
            for (name, value) in [("USER", user), ("PASSWORD", passwd), ("DB", db)] {
                if let Some(value) = value {
                    set(&format!("DAE_MYSQL_{name}"), value.clone());
                }
            }
        }
        let list = |addresses: &[Address]| addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        for (name, addresses) in [("DAE_MEMCACHE", &self.memcache), ("DAE_BEANSDB", &self.beansdb)] {
            if !addresses.is_empty() {
                set(name, list(addresses));
            }
        }
        if !self.sqlstore.is_empty() {
            let farm = |mysql: &Mysql| {
                let Mysql { address: Address { host, port }, user, passwd, db, tables } = mysql;
                json!({"host": host, "port": port, "user": user, "passwd": passwd, "db": db, "tables": tables})
            };
            let farms: BTreeMap<_, _> = self.sqlstore.iter().map(|(name, mysql)| (name, farm(mysql))).collect();
            set("DAE_SQLSTORE", json!(farms).to_string());
        }
        if let Some(queue) = &self.queue {
            set("DAE_QUEUE", queue.to_string());
        }
        if let Some(dpark) = &self.dpark {
            set("DAE_DPARK", format!("{DASK}{dpark}"));
        }
        if let Some(permdir) = &self.permdir {
            set("DAE_PERMDIR", root.join(permdir).to_string_lossy().into_owned());
        }
        env
    }

    /// Whether it names a server in place of dae's own `service`.
    pub fn replaces(&self, service: &str) -> bool {
        match service {
            "mysql" => self.mysql.is_some(),
            "memcache" => !self.memcache.is_empty(),
            "beansdb" => !self.beansdb.is_empty(),
            "queue" => self.queue.is_some(),
            _ => false,
        }
    }

    /// Every service that is somebody else's, away from this machine.
    pub fn elsewhere(&self) -> Vec<Elsewhere> {
        self.named().into_iter().filter(|named| !named.address.is_local()).collect()
    }

    /// Every service that is not dae's own.
    pub fn named(&self) -> Vec<Elsewhere> {
        let mysql = self.mysql.iter().map(|mysql| ("mysql".to_owned(), &mysql.address));
        let farms = self.sqlstore.iter().map(|(farm, mysql)| (format!("sqlstore {farm}"), &mysql.address));
        let memcache = self.memcache.iter().map(|address| ("memcache".to_owned(), address));
        let beansdb = self.beansdb.iter().map(|address| ("beansdb".to_owned(), address));
        let queue = self.queue.iter().map(|address| ("queue".to_owned(), address));
        let scribe = self.scribe.iter().map(|address| ("scribe".to_owned(), address));
        let dpark = self.dpark.iter().map(|address| ("dpark".to_owned(), address));
        mysql
            .chain(farms)
            .chain(memcache)
            .chain(beansdb)
            .chain(queue)
            .chain(scribe)
            .chain(dpark)
            .map(|(service, address)| Elsewhere { service, address: address.clone() })
            .collect()
    }
}

impl Reader<'_> {
    fn settings(&mut self, keys: &Keys) -> DevSettings {
        DevSettings {
            mysql: keys.get("mysql").and_then(|node| self.mysql(node, "`mysql`", MYSQL)),
            sqlstore: self.farms(keys),
            memcache: self.addresses(keys, "memcache", 11211),
            beansdb: self.addresses(keys, "beansdb", 7900),
            permdir: self.optional_text(keys, "permdir").map(PathBuf::from),
            state: keys.get("state").and_then(|node| self.state(node)).unwrap_or_default(),
            queue: keys.get("queue").and_then(|node| self.address(node, "queue", 11300)),
            scribe: keys.get("scribe").and_then(|node| self.address(node, "scribe", 1463)),
            dpark: keys.get("dpark").and_then(|node| self.cluster(node)),
        }
    }

    fn cluster(&mut self, node: &Node) -> Option<Address> {
        let text = self.text(node, "dpark")?;
        let address = text.strip_prefix(DASK).and_then(|address| Address::parse(address, 8786));
        if address.is_none() {
            let hint = "write `dask://host:port`, or leave it out: then it is this machine";
            self.wrong(node, "dpark", format!("`{text}` is no cluster that dpark can use"), hint);
        }
        address
    }

    fn farms(&mut self, keys: &Keys) -> BTreeMap<String, Mysql> {
        let Some(node) = keys.get("sqlstore") else { return BTreeMap::new() };
        let Some(farms) = self.any_keys(node, "`sqlstore`") else { return BTreeMap::new() };
        let farm = |(name, node): (&str, &Node)| {
            Some((name.to_owned(), self.mysql(node, &format!("the farm `{name}`"), FARM)?))
        };
        farms.all().filter_map(farm).collect()
    }

    fn state(&mut self, node: &Node) -> Option<StateOf> {
        let text = self.text(node, "state")?;
        if text == "per-branch" {
            return Some(StateOf::Branch);
        }
        self.wrong(node, "state", format!("`{text}` has no state"), "write `per-branch`, or leave it out");
        None
    }

    fn mysql(&mut self, node: &Node, what: &str, known: &'static [&'static str]) -> Option<Mysql> {
        let keys = self.keys(node, what, known)?;
        let host = self.optional_text(&keys, "host").unwrap_or_else(|| "localhost".into());
        let port = u16::try_from(self.number(&keys, "port", 1..=65_535, 3306)).unwrap_or(3306);
        let address = Address { host, port };
        let text = |reader: &mut Self, name: &str| {
            // A password may well look like a number.
            keys.get(name).and_then(|node| reader.word(node, name, &format!("{name}: \"...\"")))
        };
        let (user, passwd, db) = (text(self, "user"), text(self, "passwd"), text(self, "db"));
        let tables = self.texts(&keys, "tables");
        let mysql = Mysql { address, user, passwd, db, tables };
        if let Some(node) =
            keys.get("host").filter(|_| !is_host(&mysql.address.host) && mysql.address.host.parse::<IpAddr>().is_err())
        {
            self.wrong(
                node,
                "host",
                format!("`{}` is no host", mysql.address.host),
                "write a name or an address; the port has a key of its own",
            );
            return None;
        }
        Some(mysql)
    }

    fn addresses(&mut self, keys: &Keys, name: &str, port: u16) -> Vec<Address> {
        let Some(node) = keys.get(name) else { return Vec::new() };
        if let Value::Text(_) = &node.value {
            self.address(node, name, port).into_iter().collect()
        } else {
            let nodes = self.list(keys, name, &format!("{name}: [\"127.0.0.1:{port}\"]"));
            nodes.iter().filter_map(|node| self.address(node, name, port)).collect()
        }
    }

    fn address(&mut self, node: &Node, name: &str, port: u16) -> Option<Address> {
        let text = self.text(node, name)?;
        let address = Address::parse(&text, port);
        if address.is_none() {
            self.wrong(
                node,
                name,
                format!("`{text}` is no address"),
                format!("write `host:port`, as in `127.0.0.1:{port}`"),
            );
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Paint, draw};

    fn parse(text: &str) -> Result<(DevSettings, Vec<Problem>)> {
        DevSettings::parse(Path::new("dev.yaml"), text.as_bytes())
    }

    #[test]
    fn what_is_elsewhere_is_named_and_no_password_is_shown() {
        let (settings, warnings) = parse(
            "mysql: {host: db.example.com, port: 3307, user: u, passwd: 123, db: d}\nsqlstore:\n  shire-online: {host: 10.1.2.3}\n\
             \x20 near: {host: localhost}\nmemcache: [127.0.0.1:11211, \"mc:11212\"]\nbeansdb: \"[::1]:7900\"\npermdir: permdir_test\nqueue: mq.example.com\ndpark: dask://big\n",
        )
        .unwrap();
        assert_eq!(warnings, []);
        let named: Vec<String> =
            settings.elsewhere().iter().map(|e| format!("{} at {}", e.service, e.address)).collect();
        assert_eq!(
            named,
            [
                "mysql at db.example.com:3307",
                "sqlstore shire-online at 10.1.2.3:3306",
                "memcache at mc:11212",
                "queue at mq.example.com:11300",
                "dpark at big:8786"
            ]
        );
        assert_eq!(settings.mysql.as_ref().unwrap().passwd.as_deref(), Some("123"));
        assert!(!format!("{settings:?}").contains("123"), "{settings:?}");
        assert_eq!(parse("# nothing\n").unwrap().0, DevSettings::default());
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let problem = parse(
            "mysql: {host: a:1, port: 70000, pass: x}\nmemcached: []\nbeansdb: [\"a b\", 3]\nqueue: \"x:0\"\nsqlstore: []\npermdir: 3\ndpark: spark://a\n",
        );
        insta::assert_snapshot!(draw(&problem.unwrap_err(), Paint { color: false }), @r#"
        error: `a:1` is no host
         --> dev.yaml:1:15
          |
        1 | mysql: {host: a:1, port: 70000, pass: x}
          |               ^^^

        hint: write a name or an address; the port has a key of its own

        error: `port` wants a number, and there is `70000`
         --> dev.yaml:1:26
          |
        1 | mysql: {host: a:1, port: 70000, pass: x}
          |                          ^^^^^

        hint: write a whole number from 1 to 65535

        error: `a b` is no address
         --> dev.yaml:3:11
          |
        3 | beansdb: ["a b", 3]
          |           ^^^^^

        hint: write `host:port`, as in `127.0.0.1:7900`

        error: `beansdb` wants a text, and there is a number
         --> dev.yaml:3:18
          |
        3 | beansdb: ["a b", 3]
          |                  ^

        hint: put quotes round it: `beansdb: "3"`

        error: `x:0` is no address
         --> dev.yaml:4:8
          |
        4 | queue: "x:0"
          |        ^^^^^

        hint: write `host:port`, as in `127.0.0.1:11300`

        error: `sqlstore` wants keys, and there is a list
         --> dev.yaml:5:11
          |
        5 | sqlstore: []
          |           ^

        hint: write `key: value`, one a line

        error: `permdir` wants a text, and there is a number
         --> dev.yaml:6:10
          |
        6 | permdir: 3
          |          ^

        hint: put quotes round it: `permdir: "3"`

        error: `spark://a` is no cluster that dpark can use
         --> dev.yaml:7:8
          |
        7 | dpark: spark://a
          |        ^^^^^^^^^

        hint: write `dask://host:port`, or leave it out: then it is this machine

        error: 8 problems
        "#);
    }
}
