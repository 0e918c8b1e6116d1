//! Where errors are reported, as Sentry's clients read it: `https://KEY@HOST/PROJECT`.

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::app::{Address, without_brackets};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dsn {
    text: String,
    address: Address,
}

impl Dsn {
    pub fn address(&self) -> Address {
        self.address.clone()
    }
}

impl TryFrom<String> for Dsn {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "`errors` is a DSN of Sentry's: `https://KEY@HOST/PROJECT`";
        let url = Url::parse(&text).map_err(|_| wrong)?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Err(wrong) };
        if !matches!(url.scheme(), "http" | "https") || url.username().is_empty() || url.path().len() < 2 {
            return Err(wrong);
        }
        let host = without_brackets(host).to_owned();
        Ok(Self { address: Address { host, port }, text })
    }
}

impl From<Dsn> for String {
    fn from(dsn: Dsn) -> Self {
        dsn.text
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The key is nobody's to read in a log.
impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({})", self.address)
    }
}
