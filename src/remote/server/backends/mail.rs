//! A server that takes mail, as node.yaml names it: `host:port`, or with a name and a password.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::app::Address;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct MailServer {
    pub address: Address,
    pub login: Option<Login>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub passwd: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a mail server is `host:port`, or `{host, port, user, passwd}`")]
enum Written {
    Plain(Address),
    Full(Full),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    host: String,
    #[serde(default = "submission")]
    port: u16,
    user: String,
    passwd: String,
}

/// Where mail programs hand in: RFC 6409.
fn submission() -> u16 {
    587
}

impl MailServer {
    pub fn plain(address: Address) -> Self {
        Self { address, login: None }
    }

    /// See `node/contract.rs`.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut env = vec![("DAE_SMTP", self.address.to_string())];
        if let Some(Login { user, passwd }) = &self.login {
            env.extend([("DAE_SMTP_USER", user.clone()), ("DAE_SMTP_PASSWORD", passwd.clone())]);
        }
        env
    }
}

impl From<Written> for MailServer {
    fn from(written: Written) -> Self {
        match written {
            Written::Plain(address) => Self::plain(address),
            Written::Full(Full { host, port, user, passwd }) => {
                Self { address: Address { host, port }, login: Some(Login { user, passwd }) }
            }
        }
    }
}

impl From<MailServer> for Written {
    fn from(MailServer { address, login }: MailServer) -> Self {
        match login {
            None => Self::Plain(address),
            Some(Login { user, passwd }) => Self::Full(Full { host: address.host, port: address.port, user, passwd }),
        }
    }
}

/// The password is nobody's to read in a log.
impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.login.as_ref().map_or("", |login| &login.user);
        write!(f, "smtp://{user}@{}", self.address)
    }
}
