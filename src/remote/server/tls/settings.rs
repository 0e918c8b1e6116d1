//! `tls` in node.yaml.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::remote::server::Listen;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default = "usual_listen")]
    pub listen: Listen,
    /// For the names that are in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Files>,
    /// For all other hosts of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<Acme>,
    /// Whether what comes in by http is sent to https, where there is a certificate.
    #[serde(default = "yes")]
    pub redirect: bool,
}

/// PEM files; relative paths begin in the node's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// An authority that gives certificates by RFC 8555.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    #[serde(default = "lets_encrypt")]
    pub directory: String,
    /// Whom the authority may write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What its own certificate is checked against, for one of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
}

fn usual_listen() -> Listen {
    Listen((std::net::Ipv4Addr::UNSPECIFIED, 443).into())
}

fn yes() -> bool {
    true
}

fn lets_encrypt() -> String {
    instant_acme::LetsEncrypt::Production.url().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_has_to_be_said() {
        let read = |text: &str| serde_yaml::from_str::<Settings>(text);
        let least = read("acme: {}").unwrap();
        assert_eq!((least.listen.to_string().as_str(), least.redirect), ("0.0.0.0:443", true));
        assert!(least.acme.unwrap().directory.starts_with("https://acme-v02."));
        let own =
            read("listen: \"127.0.0.1:8443\"\nredirect: false\ncertificates: [{cert: a.pem, key: a.key}]").unwrap();
        assert_eq!((own.certificates.len(), own.acme, own.redirect), (1, None, false));
        assert!(read("certificate: a.pem").is_err());
    }
}
