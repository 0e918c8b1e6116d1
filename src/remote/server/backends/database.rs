//! A MariaDB that several apps share: each has a database and a user of its own there, made when its first release wants them.
//!
//! Nothing that was there before is ever taken for an app's: names are refused that somebody else made. What is here is made
//! once; from then on the administrator's account is not needed to start an app, nor is anything dropped when one has gone.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reach;
use crate::app::{Address, AppName};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::file::{self, Who};
use crate::services::mysql::{self, Account, Address as At, Client, Fault};

/// A server, and somebody who may make databases and users there. The keys are dev.yaml's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    host: String,
    #[serde(default = "usual_port")]
    port: u16,
    user: String,
    passwd: String,
}

/// What is kept of an app's part of a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    /// `host:port`; at another server the app has nothing yet.
    at: String,
    /// Of the user and of the database.
    name: String,
    password: String,
    /// Its schema has been loaded to the end.
    is_whole: bool,
}

/// An app's account, to be told to its processes.
pub struct Own<'a> {
    database: &'a Database,
    part: Part,
}

const FILE: &str = "mysql-elsewhere.json";
/// A server says no more than this while somebody signs in.
const PATIENCE: Duration = Duration::from_secs(5);
/// One is made at a time: two releases of an app must not both begin with an empty database.
static MAKING: Mutex<()> = Mutex::new(());
/// ER_CANNOT_USER: there is such a user.
const USER_EXISTS: u16 = 1396;

fn usual_port() -> u16 {
    3306
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mysql://{}@{}", self.user, self.address())
    }
}

impl Own<'_> {
    /// See `node/contract.rs`.
    pub fn environment(self) -> [(&'static str, String); 5] {
        let Self { database, part } = self;
        [
            ("DAE_MYSQL_HOST", database.host.clone()),
            ("DAE_MYSQL_PORT", database.port.to_string()),
            ("DAE_MYSQL_USER", part.name.clone()),
            ("DAE_MYSQL_PASSWORD", part.password),
            ("DAE_MYSQL_DB", part.name),
        ]
    }
}

impl Database {
    pub fn address(&self) -> Address {
        Address { host: self.host.clone(), port: self.port }
    }

    /// Whether it answers: also with a refusal, as nobody but who makes databases needs that account.
    pub fn greet(&self) -> std::io::Result<()> {
        match Client::connect(&self.admin(), PATIENCE) {
            Ok(_) | Err(Fault::Refused { .. }) => Ok(()),
            Err(Fault::Lost(error)) => Err(error),
        }
    }

    /// The account of `app`, whose data is in `data`; the first time it is made, with the schema of `code` in its database.
    pub fn of(&self, app: &AppName, data: &Path, code: &Path) -> Result<Own<'_>> {
        let at = self.address().to_string();
        let kept = || -> Result<Option<Part>> { Ok(Part::read(data)?.filter(|part| part.at == at)) };
        if let Some(part) = kept()?.filter(|part| part.is_whole) {
            return Ok(Own { database: self, part });
        }
        let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut part = if let Some(part) = kept()? {
            part
        } else {
            let (name, password) = (mysql::name(app), mysql::random_password()?);
            let part = Part { at: at.clone(), name, password, is_whole: false };
            part.write(data)?;
            part
        };
        // Another release may have made it meanwhile.
        if !part.is_whole {
            self.make(&part, code)?;
            part.is_whole = true;
            part.write(data)?;
        }
        Ok(Own { database: self, part })
    }

    /// What an attempt that was cut short has left is gone over again.
    fn make(&self, part: &Part, code: &Path) -> Result<()> {
        let Part { name, .. } = part;
        let doing = format!("could not make the database `{name}` at {}", self.address());
        let away = |why: String| Problem::new("node.backend-down", doing.clone()).because(why);
        let fix = "is it running, and is `services: mysql` in node.yaml right?";
        reach(&self.address()).map_err(|error| away(error.to_string()).hint(fix))?;
        if self.sign_in(part, name).is_err() {
            let admin = Client::connect(&self.admin(), PATIENCE).map_err(|fault| fault.problem(&doing).hint(fix))?;
            self.give(admin, part, &doing)?;
        }
        let mut own = self.sign_in(part, name).map_err(|fault| {
            fault.problem(&doing).hint("has that server users without a name? They come before all others: drop them")
        })?;
        mysql::reset(&mut own, name, code)?;
        Ok(())
    }

    /// Makes the user and the database.
    fn give(&self, mut admin: Client, part: &Part, doing: &str) -> Result<()> {
        let Part { name, password, .. } = part;
        let refused = |fault: Fault| {
            fault.problem(doing).hint(format!("`{}` there must be allowed to make databases and users", self.user))
        };
        let taken = |what: &str| {
            Problem::new("node.database-taken", doing.to_owned())
                .because(format!("there is a {what} `{name}` already, and this node has not made it"))
                .hint(format!(
                    "rename it there; or drop it, if nobody needs it: `DROP {} `{name}``",
                    what.to_uppercase()
                ))
        };
        let known = format!("SELECT 1 FROM schemata WHERE schema_name = '{name}'");
        if !admin.query(known.as_bytes()).map_err(refused)?.rows.is_empty() {
            return Err(taken("database"));
        }
        let user = format!("CREATE USER `{name}`@`%` IDENTIFIED BY '{password}'");
        match admin.query(user.as_bytes()) {
            Err(Fault::Refused { code: USER_EXISTS, .. }) if self.sign_in(part, "information_schema").is_err() => {
                return Err(taken("user"));
            }
            Ok(_) | Err(Fault::Refused { code: USER_EXISTS, .. }) => {}
            Err(fault) => return Err(refused(fault)),
        }
        // In a grant `_` stands for any letter: another app's name may fit.
        let pattern = name.replace('_', "\\_");
        for sql in [format!("GRANT ALL ON `{pattern}`.* TO `{name}`@`%`"), format!("CREATE DATABASE `{name}`")] {
            admin.query(sql.as_bytes()).map_err(refused)?;
        }
        Ok(())
    }

    fn sign_in(&self, part: &Part, db: &str) -> Result<Client, Fault> {
        let (user, password) = (part.name.clone(), part.password.clone());
        Client::connect(&Account { address: self.at(), user, password, db: db.to_owned() }, PATIENCE)
    }

    fn admin(&self) -> Account {
        let (user, password) = (self.user.clone(), self.passwd.clone());
        Account { address: self.at(), user, password, db: "information_schema".into() }
    }

    fn at(&self) -> At {
        At::Tcp(self.host.clone(), self.port)
    }
}

impl Part {
    fn read(data: &Path) -> Result<Option<Self>> {
        let path = data.join(FILE);
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            bytes => {
                let bytes = bytes.doing(|| format!("read `{}`", path.display()))?;
                let read = serde_json::from_slice(&bytes).map(Some);
                read.map_err(std::io::Error::from).doing(|| format!("read `{}`", path.display()))
            }
        }
    }

    /// Only the node may read it.
    fn write(&self, data: &Path) -> Result<()> {
        let path = data.join(FILE);
        let text = serde_json::to_vec(self).map_err(std::io::Error::from);
        file::write(&path, &text.doing(|| format!("write `{}`", path.display()))?, Who::Owner)
    }
}
