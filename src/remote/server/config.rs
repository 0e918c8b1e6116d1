//! node.yaml: what a node's owner decides.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::access;
use super::backends::{Backends, MailServer};
use super::isolation::{Apart, Limits};
use super::login::Settings as Login;
use super::tls;
use crate::app::AppName;
use crate::node::ZooKeeper;
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::file::{self, Who};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub domain: String,
    pub listen: Listen,
    /// Where the apps' Thrift services are listed for other machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zookeeper: Option<ZooKeeper>,
    /// Where they listen then; this machine's address on the way to the ZooKeeper, where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services_address: Option<IpAddr>,
    /// The server that takes the node's own mail, to those who watch an app's errors; none: it stays on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<MailServer>,
    /// Who may log in to the apps; without it nobody does, but where an app sets it for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<tls::Settings>,
    #[serde(default)]
    pub access_log: access::Format,
    /// How long requests of a release that was replaced may go on, in seconds; then what still listens is told to come again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_s: Option<u32>,
    #[serde(default)]
    pub isolation: Apart,
    /// Real servers in the place of the node's own services.
    #[serde(default)]
    pub services: Backends,
    /// For every app that has none of its own in `apps`.
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub apps: BTreeMap<AppName, Limits>,
}

/// Where a node listens: `127.0.0.1:8000`; `:8000` or `8000` for every address of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self> {
        let everywhere = |port: &str| port.parse().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
        let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let text = local.as_deref().unwrap_or(text);
        text.parse().or_else(|_| everywhere(text.strip_prefix(':').unwrap_or(text))).map(Self).map_err(|_| {
            Problem::new("node.listen", format!("`{text}` is no address to listen on"))
                .hint("write it as `127.0.0.1:8000`, or `:8000` for every address of this machine")
                .exit(2)
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Listen {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl Config {
    /// `domain` is checked to be one that names can be put in front of.
    pub fn new(domain: &str, listen: Listen) -> Result<Self> {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let wrong = if domain.contains("://") {
            "is a URL: leave the scheme out"
        } else if domain.contains(':') {
            "has a port: that belongs to `--listen`"
        } else if domain.parse::<IpAddr>().is_ok() {
            "is an address, and `NAME.ADDRESS` is no host name"
        } else if domain.len() > 200 || !domain.split('.').all(label) {
            "is no host name"
        } else {
            let (access_log, drain_s, isolation, services, limits, apps) = Default::default();
            let (zookeeper, services_address, smtp, login, tls) = (None, None, None, None, None);
            return Ok(Self {
                domain,
                listen,
                zookeeper,
                services_address,
                smtp,
                login,
                tls,
                access_log,
                drain_s,
                isolation,
                services,
                limits,
                apps,
            });
        };
        Err(Problem::new("node.domain", format!("the domain `{domain}` {wrong}"))
            .hint("give the domain under which the apps get their names: `--domain apps.example.com`")
            .hint("on one machine `--domain localhost` needs no DNS: apps answer at `NAME.localhost`")
            .exit(2))
    }

    pub fn path(dir: &Path) -> PathBuf {
        dir.join("node.yaml")
    }

    pub fn read(dir: &Path) -> Result<Self> {
        let path = Self::path(dir);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Problem::new("node.none", format!("there is no node in `{}`", dir.display()))
                    .because("it has no `node.yaml`")
                    .try_running(format!("dae node init --dir {} --domain DOMAIN --listen ADDR", dir.display())));
            }
            text => text.doing(|| format!("read `{}`", path.display()))?,
        };
        let config: Self = serde_yaml::from_str(&text).map_err(|error| {
            Problem::new("node.config", format!("`{}` is not readable", path.display()))
                .because(error.without_snippet())
                .hint("it has the keys `domain` and `listen`, and may have `tls`, `login`, `smtp`, `zookeeper`, `services_address`, `access_log`, `drain_s`, `isolation`, `services`, `limits` and `apps`")
        })?;
        let Self { domain, .. } = Self::new(&config.domain, config.listen)?;
        let login = config.login.map(|login| login.ready(dir)).transpose()?;
        Ok(Self { domain, login, ..config })
    }

    pub fn write(&self, dir: &Path) -> Result<()> {
        let Self { domain, listen, .. } = self;
        let text = format!(
            "# A dae node. Read when it starts: `dae node serve`.\n\n\
             # Apps answer at NAME.{domain}; the node itself at {domain}.\n\
             domain: {domain}\n\
             # Where it listens for plain HTTP.\n\
             listen: \"{listen}\"\n\
             # TLS, with certificates from Let's Encrypt, whose terms you accept by that, or with your own:\n\
             # tls:\n\
             #   listen: \":443\"\n\
             #   acme: {{email: you@example.com}}\n\
             #   certificates: [{{cert: /etc/ssl/apps.pem, key: /etc/ssl/apps.key}}]\n\
             # Lists the apps' Thrift services for other machines, and has them listen where those reach this one.\n\
             # zookeeper: zk1:2181,zk2:2181\n\
             # Servers in the place of the node's own services: see docs/node.md.\n\
             # services:\n\
             #   mysql: {{host: db.example.com, user: dae, passwd: SECRET}}\n\
             #   memcache: [\"cache:11211\"]\n"
        );
        file::write(&Self::path(dir), text.as_bytes(), Who::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_listen() {
        for (text, wanted) in [
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            (":80", Some("0.0.0.0:80")),
            ("8000", Some("0.0.0.0:8000")),
            ("localhost:1", Some("127.0.0.1:1")),
            ("[::1]:80", Some("[::1]:80")),
            ("127.0.0.1", None),
            (":99999", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Listen>().ok().map(|listen| listen.to_string()).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_domain_takes_names_in_front() {
        let listen = Listen("127.0.0.1:80".parse().unwrap());
        for (domain, good) in [
            ("localhost", true),
            ("Apps.Example.com.", true),
            ("http://x", false),
            ("x:80", false),
            ("10.0.0.1", false),
            ("a..b", false),
            ("-a", false),
            ("a_b", false),
            ("", false),
        ] {
            assert_eq!(Config::new(domain, listen).is_ok(), good, "{domain}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Config::read(dir.path()).unwrap_err().code, "node.none");
        let config = Config::new("apps.example.com", Listen("[::1]:80".parse().unwrap())).unwrap();
        config.write(dir.path()).unwrap();
        assert_eq!(Config::read(dir.path()).unwrap(), config);
        let more = "domain: x\nlisten: \"8000\"\nzookeeper: a:1,b:2\nservices_address: 10.0.0.5\n";
        std::fs::write(Config::path(dir.path()), more).unwrap();
        let read = Config::read(dir.path()).unwrap();
        assert_eq!(read.zookeeper.unwrap().to_string(), "a:1,b:2");
        assert_eq!(read.services_address, Some("10.0.0.5".parse().unwrap()));
        let with = |login: &str| {
            let text = format!("domain: x\nlisten: '8000'\nlogin: {login}\n");
            std::fs::write(Config::path(dir.path()), text).unwrap();
            Config::read(dir.path()).map(|config| config.login.unwrap())
        };
        let login = "issuer: https://id.example.com, client_id: us";
        assert_eq!(with(&format!("{{{login}}}")).unwrap().client_secret, None);
        std::fs::write(dir.path().join("s"), "hush\n").unwrap();
        let secret = with(&format!("{{{login}, client_secret_file: s}}")).unwrap().client_secret;
        assert_eq!(secret.unwrap().0, "hush");
        assert_eq!(
            with(&format!("{{{login}, client_secret: a, client_secret_file: s}}")).unwrap_err().code,
            "login.settings"
        );
        assert_eq!(with("{issuer: http://id.example.com, client_id: us}").unwrap_err().code, "login.settings");
        assert_eq!(with(&format!("{{{login}, nosuch: 1}}")).unwrap_err().code, "node.config");
        std::fs::write(Config::path(dir.path()), "domain: x\nlisten: y\n").unwrap();
        assert_eq!(Config::read(dir.path()).unwrap_err().code, "node.config");
    }
}
