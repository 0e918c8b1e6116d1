//! The node's certificates: those of its owner, read again when their files change, and those that an authority gives it
//! (`acme`), renewed when a third of their time is left. Each host has the one that is good for longest.

mod acme;
mod settings;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

pub use settings::Settings;

use super::{Server, Told};
use crate::gateway::tls::{Certificate, Certificates};
use crate::problem::{Doing as _, Problem, Result};
use crate::remote::api::HostCertificate;
use acme::Orders;
use settings::Files;

/// How often the owner's files are looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// Certificates of an authority, a file a host: its key, then the chain.
const FOLDER: &str = "tls";

pub struct Tls {
    pub settings: Settings,
    node: PathBuf,
    pub certificates: Arc<Certificates>,
    kept: Mutex<Kept>,
    /// The answers an authority may ask for, by their tokens.
    challenges: Mutex<HashMap<String, String>>,
    /// A host was added.
    wanted: Notify,
}

#[derive(Default)]
struct Kept {
    own: HashMap<PathBuf, Certificate>,
    /// Of an authority, by host.
    given: BTreeMap<String, Certificate>,
    orders: Orders,
}

/// When both files of a certificate were last changed.
type Changed = Option<(SystemTime, SystemTime)>;

impl Tls {
    /// With what is there already. An own certificate that cannot be read stops the start: its owner is looking.
    pub fn open(node: &Path, settings: Settings) -> Result<Self> {
        let folder = node.join(FOLDER);
        std::fs::create_dir_all(&folder).doing(|| format!("make the folder `{}`", folder.display()))?;
        let tls = Self {
            settings,
            node: node.to_owned(),
            certificates: Arc::default(),
            kept: Mutex::default(),
            challenges: Mutex::default(),
            wanted: Notify::new(),
        };
        let mut kept = Kept::default();
        for files in &tls.settings.certificates {
            kept.own.insert(files.cert.clone(), tls.read(files)?);
        }
        if tls.settings.acme.is_some() {
            kept.given = acme::read_all(&folder);
        }
        *tls.kept() = kept;
        tls.publish();
        Ok(tls)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self) {
        let kept = self.kept();
        self.certificates.set(kept.own.values().chain(kept.given.values()).cloned());
    }

    fn path(&self, below: &Path) -> PathBuf {
        self.node.join(below)
    }

    fn read(&self, files: &Files) -> Result<Certificate> {
        let read = |path: &Path| {
            let path = self.path(path);
            std::fs::read(&path).doing(|| format!("read `{}`", path.display()))
        };
        let named = |problem: Problem| {
            problem
                .because(format!("`{}` with `{}`", files.cert.display(), files.key.display()))
                .hint("see `tls` in node.yaml")
        };
        Certificate::read(&read(&files.cert)?, &read(&files.key)?).map_err(named)
    }

    /// Where a request that came in by plain http is to go; nowhere, when this host has no certificate.
    pub fn instead(&self, host: &str, path: &str) -> Option<String> {
        if !self.settings.redirect || self.certificates.get(host).is_none() {
            return None;
        }
        let port = self.settings.listen.0.port();
        let port = if port == 443 { String::new() } else { format!(":{port}") };
        Some(format!("https://{host}{port}{path}"))
    }

    /// What an authority asks this node for, by http: `/.well-known/acme-challenge/TOKEN` (RFC 8555, 8.3).
    pub fn challenge(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix("/.well-known/acme-challenge/")?;
        self.challenges().get(token).cloned()
    }

    fn challenges(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are hosts that have no certificate yet, perhaps.
    pub fn look(&self) {
        self.wanted.notify_one();
    }

    /// What is known of the certificate of each.
    pub fn told(&self, hosts: impl IntoIterator<Item = String>) -> Vec<HostCertificate> {
        let kept = self.kept();
        let of = |host: String| {
            let found = self.certificates.get(&host);
            let problem = kept.orders.problem(&host).cloned();
            HostCertificate { until: found.map(|found| found.until), problem, host }
        };
        hosts.into_iter().map(of).collect()
    }

    fn changed(&self, files: &Files) -> Changed {
        let of = |path: &Path| std::fs::metadata(self.path(path)).ok()?.modified().ok();
        of(&files.cert).zip(of(&files.key))
    }

    fn seen(&self) -> HashMap<PathBuf, Changed> {
        self.settings.certificates.iter().map(|files| (files.cert.clone(), self.changed(files))).collect()
    }
}

impl Server {
    /// Keeps the certificates as they should be, until it is dropped.
    pub async fn keep_certificates(self: Arc<Self>) {
        let Some(tls) = &self.tls else { return };
        tokio::join!(self.follow_files(tls), self.follow_hosts(tls));
    }

    async fn follow_files(&self, tls: &Tls) {
        let mut seen = tls.seen();
        loop {
            tokio::time::sleep(LOOKED_AT).await;
            for files in &tls.settings.certificates {
                let now = tls.changed(files);
                // A file that is gone, or being written, is waited for.
                if now.is_none() || seen.get(&files.cert) == Some(&now) {
                    continue;
                }
                seen.insert(files.cert.clone(), now);
                let host = files.cert.display().to_string();
                match tls.read(files) {
                    Ok(certificate) => {
                        let until = certificate.until;
                        tls.kept().own.insert(files.cert.clone(), certificate);
                        tls.publish();
                        self.releases.told(Told::Certificate { host, how: Ok(until) });
                    }
                    // The last one goes on.
                    Err(problem) => self.releases.told(Told::Certificate { host, how: Err(Box::new(problem)) }),
                }
            }
        }
    }

    async fn follow_hosts(&self, tls: &Tls) {
        let Some(acme) = &tls.settings.acme else { return };
        loop {
            let hosts = self.hosts().unwrap_or_default();
            let due = tls.due(&hosts);
            for host in &due.now {
                let ordered = tls.order(acme, host).await;
                let how = match ordered {
                    Ok(certificate) => {
                        let until = certificate.until;
                        let mut kept = tls.kept();
                        kept.orders.succeeded(host);
                        kept.given.insert(host.clone(), certificate);
                        drop(kept);
                        tls.publish();
                        Ok(until)
                    }
                    Err(problem) => {
                        tls.kept().orders.failed(host, problem.clone());
                        Err(Box::new(problem))
                    }
                };
                self.releases.told(Told::Certificate { host: host.clone(), how });
            }
            if due.now.is_empty() {
                tokio::select! {
                    () = tls.wanted.notified() => {}
                    () = tokio::time::sleep(due.next_in) => {}
                }
            }
        }
    }

    /// Every host that is answered here, and can be known to others.
    fn hosts(&self) -> Result<Vec<String>> {
        let apps = self.store.live_apps()?.into_iter().map(|(app, _)| self.host_of(&app));
        let added = self.store.all_domains()?.into_iter().map(|(host, _)| host);
        let all = std::iter::once(self.domain.clone()).chain(apps).chain(added);
        Ok(all.filter(|host| host.contains('.') && !host.ends_with(".localhost")).collect())
    }
}
