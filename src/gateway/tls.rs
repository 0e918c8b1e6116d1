//! TLS before HTTP: which certificate a client is shown follows from the name it asks for. Certificates come and go while
//! connections are answered.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::problem::{Problem, Result};

/// A certificate with its chain and its key.
#[derive(Clone)]
pub struct Certificate {
    /// Lowercase; `*.` stands for one label.
    pub names: Vec<String>,
    pub from: Timestamp,
    pub until: Timestamp,
    key: Arc<CertifiedKey>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.names).field("until", &self.until).finish_non_exhaustive()
    }
}

impl Certificate {
    /// From PEM: the certificate itself first, then its chain; and the key.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self> {
        let unreadable = |what: &str| Problem::new("tls.unreadable", format!("{what} is not readable"));
        let chain: Vec<CertificateDer> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable("the certificate").because(error))?;
        let Some(own) = chain.first() else {
            return Err(unreadable("the certificate").because("there is no `BEGIN CERTIFICATE` in it"));
        };
        let (names, from, until) = told(own).map_err(|error| unreadable("the certificate").because(error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unreadable("the key").because(error))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            Problem::new("tls.key", "the key and the certificate do not go together").because(error)
        })?;
        Ok(Self { names, from, until, key: Arc::new(key) })
    }

    pub fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| name == host || Some(name.as_str()) == wildcard(host).as_deref())
    }
}

/// The names it is for, and from when until when.
fn told(certificate: &CertificateDer) -> Result<(Vec<String>, Timestamp, Timestamp), Box<dyn std::error::Error>> {
    let certificate = X509::from_der(certificate)?.tbs_certificate;
    let mut names = Vec::new();
    if let Some((_, SubjectAltName(all))) = certificate.get::<SubjectAltName>()? {
        names.extend(all.iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        }));
    }
    if names.is_empty() {
        return Err("it names no host".into());
    }
    let time = |time: x509_cert::time::Time| Timestamp::try_from(time.to_system_time());
    Ok((names, time(certificate.validity.not_before)?, time(certificate.validity.not_after)?))
}

/// `*.example.com` for `www.example.com`.
fn wildcard(host: &str) -> Option<String> {
    host.split_once('.').map(|(_, rest)| format!("*.{rest}"))
}

/// The certificates at hand, by the names they are for.
#[derive(Debug, Default)]
pub struct Certificates {
    by_name: RwLock<HashMap<String, Certificate>>,
}

impl Certificates {
    /// These, and no others. Of two for one name the one that is good for longer counts.
    pub fn set(&self, all: impl IntoIterator<Item = Certificate>) {
        let mut by_name: HashMap<String, Certificate> = HashMap::new();
        for one in all {
            for name in &one.names {
                let known = by_name.get(name).is_some_and(|known| known.until >= one.until);
                if !known {
                    by_name.insert(name.clone(), one.clone());
                }
            }
        }
        *self.by_name.write().unwrap_or_else(PoisonError::into_inner) = by_name;
    }

    pub fn get(&self, host: &str) -> Option<Certificate> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(host).or_else(|| by_name.get(&wildcard(host)?)).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Without a name nobody can tell who is meant, and any certificate would be a wrong one.
        let host = hello.server_name()?.to_ascii_lowercase();
        self.get(&host).map(|found| found.key)
    }
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

/// What makes TLS of a connection; HTTP/2 for clients that offer it.
pub fn acceptor(certificates: Arc<Certificates>) -> Result<TlsAcceptor> {
    let config = ServerConfig::builder_with_provider(Arc::new(provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Problem::new("tls.config", "TLS cannot be had here").because(error))?;
    let mut config = config.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// HTTP/2 as ALPN names it.
pub(super) const H2: &[u8] = b"h2";

#[cfg(test)]
mod tests {
    use super::*;

    fn made(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_is_found_by_name() {
        let (chain, key) = made(&["*.Example.com", "example.com"]);
        let wild = Certificate::read(chain.as_bytes(), key.as_bytes()).unwrap();
        let (chain, key) = made(&["www.example.com"]);
        let www = Certificate::read(chain.as_bytes(), key.as_bytes()).unwrap();
        let all = Certificates::default();
        all.set([wild, www]);
        let names = |host: &str| all.get(host).map(|found| found.names.join(" "));
        assert_eq!(names("www.example.com").as_deref(), Some("www.example.com"));
        for host in ["a.example.com", "example.com"] {
            assert_eq!(names(host).as_deref(), Some("*.example.com example.com"));
        }
        assert_eq!((names("a.b.example.com"), names("other.org"), names("com")), (None, None, None));
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        let ((chain, key), (other, _)) = (made(&["a.test"]), made(&["b.test"]));
        let code = |chain: &str, key: &str| Certificate::read(chain.as_bytes(), key.as_bytes()).unwrap_err().code;
        assert_eq!(code(&other, &key), "tls.key");
        assert_eq!(code("", &key), "tls.unreadable");
        assert_eq!(code(&chain, ""), "tls.unreadable");
        assert_eq!(code(&key, &key), "tls.unreadable");
        assert!(Certificate::read(chain.as_bytes(), key.as_bytes()).unwrap().is_for("a.test"));
    }
}
