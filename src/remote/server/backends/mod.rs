//! Real servers in the place of a node's own services: what node.yaml names below `services`. In each of them every app has
//! its own part: a database and a user (`database.rs`), a prefix of its keys, a prefix of its tubes.

mod database;
mod dsn;
mod mail;
mod watch;

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::{Address, AppName};
use crate::problem::{Problem, Result};
use database::Database;
use dsn::Dsn;
pub use mail::{Login, MailServer};
pub use watch::Change;

/// What is not named is the node's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backends {
    mysql: Option<Database>,
    memcache: Vec<Address>,
    beansdb: Vec<Address>,
    queue: Option<Address>,
    /// Takes the node's own mail too, where `smtp` names no other.
    pub(super) mail: Option<MailServer>,
    errors: Option<Dsn>,
    /// A Scribe server.
    logs: Option<Address>,
}

/// Nobody waits longer for a server that may be down.
const PATIENCE: Duration = Duration::from_secs(2);

impl Backends {
    /// What the processes of `app` are told in the place of what the node's own services told. An app that has no database yet
    /// gets one, with the schema below `code`; `data` is where its password is kept. Blocks.
    pub fn replace(
        &self,
        own: Vec<(String, String)>,
        app: &AppName,
        data: &Path,
        code: &Path,
    ) -> Result<Vec<(String, String)>> {
        let mut env = own;
        let mut set = |name: &str, value: String| {
            env.retain(|(known, _)| known != name);
            env.push((name.to_owned(), value));
        };
        let list = |addresses: &[Address]| addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(",");
        for (name, addresses) in [("DAE_MEMCACHE", &self.memcache), ("DAE_BEANSDB", &self.beansdb)] {
            if !addresses.is_empty() {
                set(name, list(addresses));
                set(&format!("{name}_PREFIX"), format!("{app}:"));
            }
        }
        if let Some(queue) = &self.queue {
            set("DAE_QUEUE", queue.to_string());
            set("DAE_QUEUE_PREFIX", format!("{app}."));
        }
        for (name, value) in self.mail.iter().flat_map(MailServer::environment) {
            set(name, value);
        }
        if let Some(address) = &self.logs {
            set("DAE_SCRIBE", address.to_string());
        }
        if let Some(dsn) = &self.errors {
            set("SENTRY_DSN", dsn.to_string());
        }
        if let Some(database) = &self.mysql {
            let account = database.of(app, data, code)?;
            for (name, value) in account.environment() {
                set(name, value);
            }
            env.retain(|(name, _)| name != "DAE_MYSQL_SOCKET");
        }
        Ok(env)
    }

    /// Whether `service` is not the node's own.
    pub fn has(&self, service: &str) -> bool {
        self.servers().iter().any(|(name, _)| *name == service)
    }

    /// The services that are not the node's own, by their keys in node.yaml.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.servers().into_iter().map(|(name, _)| name.to_owned()).collect();
        names.dedup();
        names
    }

    /// One problem for each that does not answer. Blocks.
    pub fn unreachable(&self) -> Vec<Problem> {
        self.look().into_iter().filter_map(|(_, _, problem)| problem).collect()
    }

    /// All of them, each with a problem where it does not answer. Blocks.
    fn look(&self) -> Vec<(&'static str, Address, Option<Problem>)> {
        let look = |(name, address): (&'static str, Address)| {
            let answered = match &self.mysql {
                // One that is hung up on too often takes nobody of this machine any more (`max_connect_errors`).
                Some(database) if name == "mysql" => database.greet(),
                _ => reach(&address),
            };
            let problem = answered.err().map(|why| {
                Problem::new("node.backend-down", format!("`{name}` does not answer at {address}")).because(why).hint(
                    format!("start it, or correct `services: {name}` in node.yaml; apps that use it fail meanwhile"),
                )
            });
            (name, address, problem)
        };
        self.servers().into_iter().map(look).collect()
    }

    fn servers(&self) -> Vec<(&'static str, Address)> {
        let one = |name: &'static str, address: Option<Address>| address.map(|address| (name, address));
        let several = |name: &'static str, addresses: &[Address]| {
            addresses.iter().map(|address| (name, address.clone())).collect::<Vec<_>>()
        };
        let mut all = Vec::new();
        all.extend(one("mysql", self.mysql.as_ref().map(Database::address)));
        all.extend(several("memcache", &self.memcache));
        all.extend(several("beansdb", &self.beansdb));
        all.extend(one("queue", self.queue.clone()));
        all.extend(one("mail", self.mail.as_ref().map(|mail| mail.address.clone())));
        all.extend(one("errors", self.errors.as_ref().map(Dsn::address)));
        all.extend(one("logs", self.logs.clone()));
        all
    }
}

fn reach(address: &Address) -> std::io::Result<()> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Backends {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn what_an_app_is_told() {
        let app = AppName::parse("blog").unwrap();
        let told = |backends: &Backends| {
            let own = [("DAE_QUEUE", "own:1"), ("DAE_SMTP", "own:2")].map(|(name, value)| (name.into(), value.into()));
            let env = backends.replace(own.into(), &app, Path::new("/"), Path::new("/")).unwrap();
            env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(told(&Backends::default()), ["DAE_QUEUE=own:1", "DAE_SMTP=own:2"]);
        let backends = read("{memcache: ['a:1', 'b:2'], queue: 'q:3', errors: 'https://k@s/1', logs: '[::1]:1463'}");
        assert_eq!(
            told(&backends),
            [
                "DAE_SMTP=own:2",
                "DAE_MEMCACHE=a:1,b:2",
                "DAE_MEMCACHE_PREFIX=blog:",
                "DAE_QUEUE=q:3",
                "DAE_QUEUE_PREFIX=blog.",
                "DAE_SCRIBE=[::1]:1463",
                "SENTRY_DSN=https://k@s/1",
            ]
        );
        assert_eq!(backends.names(), ["memcache", "queue", "errors", "logs"]);
        assert_eq!(told(&read("{mail: 'm:25'}")), ["DAE_QUEUE=own:1", "DAE_SMTP=m:25"]);
        let mail = read("{mail: {host: m, user: u, passwd: hush}}");
        assert_eq!(told(&mail), ["DAE_QUEUE=own:1", "DAE_SMTP=m:587", "DAE_SMTP_USER=u", "DAE_SMTP_PASSWORD=hush"]);
        assert!(!format!("{mail:?}").contains("hush"));
        assert_eq!(read(&serde_yaml::to_string(&mail).unwrap()), mail);
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for yaml in [
            "{memcached: ['a:1']}",
            "{queue: 'a'}",
            "{queue: 'a:0'}",
            "{queue: 'a b:1'}",
            "{errors: 'a:1'}",
            "{errors: 'http://s/1'}",
            "{mysql: {host: a, user: b}}",
            "{mail: a}",
            "{mail: {host: a, user: b}}",
        ] {
            assert!(serde_yaml::from_str::<Backends>(yaml).is_err(), "{yaml}");
        }
    }

    #[test]
    fn a_server_that_is_down_is_told() {
        let up = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let up = up.local_addr().unwrap().to_string();
        let backends = read(&format!("{{memcache: ['{up}', '127.0.0.1:1']}}"));
        let told: Vec<_> = backends.unreachable().iter().map(|problem| problem.message.clone()).collect();
        assert!(told.contains(&"`memcache` does not answer at 127.0.0.1:1".to_owned()), "{told:?}");
    }
}
