//! A release on a share of the requests: its own Deployment and Service beside the live ones, and weights in the HTTPRoute. What is
//! live is not touched until it is made live.

use serde_json::Value;

use super::history::{Gray, Head, Held, Record};
use super::manifests::gray;
use super::rollout::{Arrived, Rollout, overtaken, superseded};
use super::word::Word;
use crate::problem::{Problem, Result};
use crate::remote::api::ReleaseId;
use crate::remote::client::exit;
use crate::remote::reference::Reference;

/// Who gets which release now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    pub live: Option<ReleaseId>,
    pub gray: Option<Gray>,
}

impl Rollout<'_> {
    /// Whether requests can be shared out here at all, and are not yet.
    pub fn may_share(&self, head: &Head) -> Result<()> {
        let cluster = &self.api.cluster;
        let no = |why: &str| {
            Problem::new("traffic.cluster", format!("remote `{}` cannot share requests out", self.api.remote))
                .because(why)
                .exit(exit::REFUSED)
        };
        if cluster.domain.is_none() {
            return Err(no("it has no domain, so no request from outside comes to its apps").hint(
                "`dae remote add NAME kubernetes ... --domain apps.example.com --gateway NAMESPACE/NAME` sets one",
            ));
        }
        if cluster.gateway.is_none() {
            return Err(no("requests come in by an Ingress, whose standard knows no weights")
                .hint("with a Gateway it goes: `dae remote add NAME kubernetes ... --gateway NAMESPACE/NAME`"));
        }
        if head.live.is_none() {
            return Err(
                no("nothing is live there yet, beside which it could be tried").hint("deploy it without `--traffic`")
            );
        }
        match &head.gray {
            Some(gray) => Err(busy(gray.release)),
            None => Ok(()),
        }
    }

    /// Brings a release beside the live one, and its share of the requests to it when it is ready.
    pub async fn try_out(&self, record: &mut Record, held: Held, secrets: &[Value]) -> Result<Arrived> {
        let id = record.release.id;
        match self.bring_gray(record, &held.head, secrets).await {
            Ok(arrived) => Ok(arrived),
            Err(problem) if problem.code == "release.superseded" => Err(problem),
            Err(problem) if problem.exit == exit::UNREACHABLE => {
                Err(problem.try_running(format!("dae deploy --attach {id}")))
            }
            Err(mut problem) => {
                if problem.exit == 1 {
                    problem.exit = exit::UNHEALTHY;
                }
                self.remove_gray().await;
                Err(self.failed(record, held.head.live, problem).await)
            }
        }
    }

    async fn bring_gray(&self, record: &Record, before: &Head, secrets: &[Value]) -> Result<Arrived> {
        let id = record.release.id;
        let share = record.share.clone().unwrap_or(Gray { release: id, percent: 0, headers: [].into() });
        for secret in secrets {
            self.apply(secret, self.terms.over).await?;
        }
        self.command(record, before.live).await?;
        self.still_ours(id).await?;
        let image = Reference::parse(&record.release.image)?;
        let objects = gray(&record.wanted(self.api, self.app, &image)?);
        let mut waited = std::time::Duration::ZERO;
        for object in &objects {
            self.apply(object, self.terms.over).await?;
        }
        for object in objects.iter().filter(|object| object["kind"] == "Deployment") {
            waited += self.wait(object, id).await?;
        }
        let tried = |head: &Head| {
            let is_it = head.starting == Some(id);
            is_it.then(|| Head { starting: None, gray: Some(share.clone()), ..head.clone() })
        };
        let held = self.history().change(tried).await.map_err(|problem| overtaken(id, problem))?;
        let held = held.ok_or_else(|| superseded(id, None))?;
        self.share_out(&held.head).await?;
        Ok(Arrived { release: id, waited })
    }

    /// Applies the weights, as the head has them; the route is the live release's.
    async fn share_out(&self, head: &Head) -> Result<()> {
        if let Some(live) = head.live
            && let Some(record) = self.history().record(live).await?
        {
            self.route(&record, head).await?;
        }
        if let Some(gray) = &head.gray {
            (self.tell)(Word::Shared { release: gray.release, percent: gray.percent });
        }
        Ok(())
    }

    pub async fn shares(&self) -> Result<Shares> {
        let head = self.history().head().await?.head;
        Ok(Shares { live: head.live, gray: head.gray })
    }

    /// Another share; `release` is the one that is meant, where somebody said.
    pub async fn share(&self, release: Option<ReleaseId>, share: Gray) -> Result<Shares> {
        let head = self.history().head().await?.head;
        let gray = head.gray.as_ref().ok_or_else(none)?.release;
        if release.is_some_and(|release| release != gray) {
            return Err(none().because(format!("it is {gray} that is tried")));
        }
        let share = Gray { release: gray, ..share };
        let other = |head: &Head| {
            let is_it = head.gray.as_ref().is_some_and(|known| known.release == gray);
            is_it.then(|| Head { gray: Some(share.clone()), ..head.clone() })
        };
        let now = self.history().change(other).await?.ok_or_else(none)?.head;
        self.share_out(&now).await?;
        Ok(Shares { live: now.live, gray: now.gray })
    }

    /// Makes the release that is tried the live one.
    pub async fn promote(&self) -> Result<Arrived> {
        let held = self.history().head().await?;
        let gray = held.head.gray.as_ref().ok_or_else(none)?.release;
        let mut record = self.history().record(gray).await?.ok_or_else(none)?;
        let held = self.history().swap(&held, Head { starting: Some(gray), ..held.head.clone() }).await?;
        // Whoever goes on with it makes it live too.
        record.share = None;
        self.history().keep(&record).await?;
        self.run(&mut record, held, &[]).await
    }

    /// Takes it back; what is live gets all requests again.
    pub async fn withdraw(&self) -> Result<Shares> {
        let head = self.history().head().await?.head;
        let gray = head.gray.as_ref().ok_or_else(none)?.release;
        let none_of_it = |head: &Head| {
            let is_it = head.gray.as_ref().is_some_and(|known| known.release == gray);
            is_it.then(|| Head { gray: None, ..head.clone() })
        };
        let now = self.history().change(none_of_it).await?.ok_or_else(none)?.head;
        self.share_out(&now).await?;
        self.remove_gray().await;
        Ok(Shares { live: now.live, gray: None })
    }
}

fn none() -> Problem {
    Problem::new("traffic.none", "no release is being tried").try_running("dae deploy --traffic 10").exit(exit::REFUSED)
}

pub(super) fn busy(release: ReleaseId) -> Problem {
    Problem::new("traffic.busy", format!("{release} is being tried on a share of the requests"))
        .try_running("dae traffic 100")
        .try_running("dae traffic 0")
        .hint("make it live, or take it back, first")
        .exit(exit::REFUSED)
}
