//! Certificates from an authority (RFC 8555), host by host, by the http-01 challenge: whoever is asked for at a host by plain
//! http shows that it is theirs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus,
    RetryPolicy,
};
use jiff::Timestamp;

use super::settings::Acme;
use super::{FOLDER, Tls};
use crate::gateway::tls::Certificate;
use crate::problem::{Problem, Result};
use crate::remote::file::{self, Who};

/// How long one order may take.
const WITHIN: Duration = Duration::from_mins(3);
/// After a failure, and twice as long after each further one: authorities count them.
const PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(6);
/// How long until hosts are looked at again when nothing is known to be due.
const IDLE: Duration = Duration::from_hours(1);
const ACCOUNT: &str = "account.json";

/// Which orders have failed.
#[derive(Default)]
pub(super) struct Orders(HashMap<String, Failed>);

struct Failed {
    problem: Problem,
    pause: Duration,
    again: Instant,
}

impl Orders {
    pub fn problem(&self, host: &str) -> Option<&Problem> {
        self.0.get(host).map(|failed| &failed.problem)
    }

    pub fn succeeded(&mut self, host: &str) {
        self.0.remove(host);
    }

    pub fn failed(&mut self, host: &str, problem: Problem) {
        let last = self.0.get(host).map(|failed| failed.pause);
        let pause = last.map_or(PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.0.insert(host.to_owned(), Failed { problem, pause, again: Instant::now() + pause });
    }

    /// How long to wait before the next try.
    fn wait(&self, host: &str) -> Duration {
        self.0.get(host).map_or(Duration::ZERO, |failed| failed.again.saturating_duration_since(Instant::now()))
    }
}

/// What has to be ordered.
pub(super) struct Due {
    pub now: Vec<String>,
    pub next_in: Duration,
}

/// How long a certificate is still good to go on with: until a third of its time is left.
fn fresh_for(from: Timestamp, until: Timestamp, now: Timestamp) -> Duration {
    let life = until.as_second().saturating_sub(from.as_second());
    let renewed = until.as_second() - life / 3;
    Duration::from_secs(u64::try_from(renewed - now.as_second()).unwrap_or_default())
}

impl Tls {
    pub(super) fn due(&self, hosts: &[String]) -> Due {
        let kept = self.kept();
        let now = Timestamp::now();
        let mut due = Due { now: Vec::new(), next_in: IDLE };
        for host in hosts {
            if kept.own.values().any(|own| own.is_for(host)) {
                continue;
            }
            let fresh = kept.given.get(host).map_or(Duration::ZERO, |given| fresh_for(given.from, given.until, now));
            let wait = fresh.max(kept.orders.wait(host));
            if wait.is_zero() {
                due.now.push(host.clone());
            } else {
                due.next_in = due.next_in.min(wait);
            }
        }
        due
    }

    /// A certificate for `host`, which is on the disk when this returns.
    pub(super) async fn order(&self, acme: &Acme, host: &str) -> Result<Certificate> {
        let failed = |error: &dyn std::fmt::Display| {
            Problem::new("tls.acme", format!("there is no certificate for `{host}`"))
                .because(error)
                .hint(format!("the authority has to reach this node at http://{host}/; is its DNS entry right?"))
        };
        let mut tokens = Vec::new();
        let ordered = tokio::time::timeout(WITHIN, self.ordered(acme, host, &mut tokens)).await;
        let mut challenges = self.challenges();
        for token in tokens {
            challenges.remove(&token);
        }
        drop(challenges);
        let pem = match ordered {
            Ok(Ok(pem)) => pem,
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => return Err(failed(&format!("it took longer than {} minutes", WITHIN.as_secs() / 60))),
        };
        let certificate = Certificate::read(pem.as_bytes(), pem.as_bytes())?;
        if !certificate.is_for(host) {
            return Err(failed(&format!("what was given is for {}", certificate.names.join(", "))));
        }
        let path = self.path(Path::new(FOLDER)).join(format!("{host}.pem"));
        file::write(&path, pem.as_bytes(), Who::Owner)?;
        Ok(certificate)
    }

    /// The key and the chain, in one.
    async fn ordered(&self, acme: &Acme, host: &str, tokens: &mut Vec<String>) -> Result<String, instant_acme::Error> {
        let account = self.account(acme).await?;
        let identifiers = [Identifier::Dns(host.to_owned())];
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let Some(mut challenge) = authorization.challenge(ChallengeType::Http01) else {
                return Err(instant_acme::Error::Str("the authority offers no http-01 challenge"));
            };
            tokens.push(challenge.token.clone());
            let answer = challenge.key_authorization().as_str().to_owned();
            self.challenges().insert(challenge.token.clone(), answer);
            challenge.set_ready().await?;
        }
        let retries = RetryPolicy::new().timeout(WITHIN);
        if order.poll_ready(&retries).await? != OrderStatus::Ready {
            let mut why = "the authority could not make sure whose the host is".to_owned();
            let mut authorizations = order.authorizations();
            while let Some(Ok(mut authorization)) = authorizations.next().await {
                let state = authorization.refresh().await?;
                let errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
                for detail in errors.filter_map(|error| error.detail.as_ref()) {
                    why = format!("{why}: {detail}");
                }
            }
            return Err(instant_acme::Error::Other(why.into()));
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&retries).await?;
        Ok(format!("{key}{chain}"))
    }

    /// The one of the last time, or a new one.
    async fn account(&self, acme: &Acme) -> Result<Account, instant_acme::Error> {
        let builder = || match &acme.root {
            Some(root) => Account::builder_with_root(self.path(root)),
            None => Account::builder(),
        };
        let path = self.path(Path::new(FOLDER)).join(ACCOUNT);
        if let Some(Known { directory, credentials }) =
            std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok())
            && directory == acme.directory
            && let Ok(account) = builder()?.from_credentials(credentials).await
        {
            return Ok(account);
        }
        let contact: Vec<String> = acme.email.iter().map(|email| format!("mailto:{email}")).collect();
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder()?.create(&new, acme.directory.clone(), None).await?;
        let known = Known { directory: acme.directory.clone(), credentials };
        // Without it the next order makes another one.
        let _ = serde_json::to_vec(&known).map(|text| file::write(&path, &text, Who::Owner));
        Ok(account)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Known {
    directory: String,
    credentials: AccountCredentials,
}

/// What is readable among what was given before.
pub(super) fn read_all(folder: &Path) -> BTreeMap<String, Certificate> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let read = |entry: std::fs::DirEntry| {
        let host = entry.file_name().to_str()?.strip_suffix(".pem")?.to_owned();
        let pem = std::fs::read(entry.path()).ok()?;
        Some((host, Certificate::read(&pem, &pem).ok()?))
    };
    files.filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewed_when_a_third_is_left() {
        let at = |day: i64| Timestamp::from_second(day * 86400).unwrap();
        let days = |now| fresh_for(at(0), at(90), at(now)).as_secs() / 86400;
        assert_eq!([days(0), days(59), days(60), days(61), days(200)], [60, 1, 0, 0, 0]);
    }

    #[test]
    fn failures_wait_longer_each_time() {
        let mut orders = Orders::default();
        assert_eq!(orders.wait("a"), Duration::ZERO);
        let mut after = || {
            orders.failed("a", Problem::new("x", "y"));
            orders.0["a"].pause.as_secs()
        };
        assert_eq!([after(), after(), after()], [60, 120, 240]);
        assert_eq!((0..20).map(|_| after()).last(), Some(6 * 3600));
        orders.succeeded("a");
        assert!(orders.problem("a").is_none());
    }
}
