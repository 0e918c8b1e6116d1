//! mysql: a real MariaDB of the app's own, on a private port and socket, started by the first connection.
//!
//! Theory of operation. dae binds both listeners itself and only watches them; when somebody connects (or at once, where the
//! app looks as if it will), it starts MariaDB and hands both over as systemd does for its sockets, so a client that came
//! early waits in the backlog and nothing stands between it and the server later. When the server has gone, dae watches
//! again. What keeps the server from starting is told to those who connect, as an error in the place of its greeting.

mod base;
mod client;
mod datadir;
mod dump;
mod fetch;
mod find;
mod schema;
mod script;
mod server;
mod uses;
mod zones;

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

pub use client::{Account, Address, Answer, Client, Column, Fault, Kind, Row};
pub use datadir::random_password;
pub use dump::dump;
pub use fetch::{fetch, possible as can_fetch};
pub use find::Server;
pub use schema::{reset, run as run_script};
pub use script::{Statement, statements};
pub use server::none;
pub use uses::uses;

use super::{Running, Space};
use crate::app::AppName;
use crate::problem::{Doing as _, Result};

/// What every part needs to know of one app's database.
#[derive(Debug, Clone)]
struct Own {
    space: Space,
    /// Of both the user's and the database's: the app's name, unless the server has one of that name.
    name: String,
    password: String,
    port: u16,
    socket: PathBuf,
}

/// Names that a server has for itself.
const RESERVED: &[&str] = &["mysql", "sys", "test", "root"];

/// Listens; the server itself is started when it is wanted.
#[expect(clippy::unused_async, reason = "as every service is started")]
pub async fn start(space: &Space) -> Result<Running> {
    let tcp = space.listen("mysql")?;
    let port = tcp.local_addr().doing(|| "find the port that was bound")?.port();
    let socket = space.run.join("mysql");
    let unix = space.listen_unix("mysql")?;
    let own = Own { space: space.clone(), name: name(&space.app), password: datadir::password(space)?, port, socket };
    let env = own.environment();
    let stop = CancellationToken::new();
    let task = tokio::spawn(server::run(own, tcp, unix, stop.clone())?);
    Ok(Running::new("mysql", env, stop, task))
}

/// What the user and the database of `app` are called.
pub fn name(app: &AppName) -> String {
    let name = app.as_str();
    if RESERVED.contains(&name) { format!("{name}_app") } else { name.to_owned() }
}

impl Own {
    /// See `node/contract.rs`.
    fn environment(&self) -> Vec<(String, String)> {
        let Self { name, password, port, socket, .. } = self;
        [
            ("DAE_MYSQL_HOST", "127.0.0.1".to_owned()),
            ("DAE_MYSQL_PORT", port.to_string()),
            ("DAE_MYSQL_USER", name.clone()),
            ("DAE_MYSQL_PASSWORD", password.clone()),
            ("DAE_MYSQL_DB", name.clone()),
            ("DAE_MYSQL_SOCKET", socket.to_string_lossy().into_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn account(&self, address: Address) -> Account {
        Account { address, user: self.name.clone(), password: self.password.clone(), db: self.name.clone() }
    }
}
