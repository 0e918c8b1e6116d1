//! A release on a share of the requests: its own Deployment and Service beside the live ones, and weights in the HTTPRoute. What is
//! live is not touched until it is made live.

use serde_json::Value;

use super::history::{Head, Held, Record};
use super::manifests::gray;
use super::rollout::{Arrived, Rollout, overtaken, superseded};
use super::word::Word;
use crate::problem::{Problem, Result};
use crate::remote::api::{Gray, ReleaseId, ReleaseState, Share, Traffic, TrafficChange};
use crate::remote::client::exit;
use crate::remote::reference::Reference;

impl Rollout<'_> {
    /// Whether a release can be tried here in this way, and none is yet.
    pub fn may_share(&self, head: &Head, share: &Share) -> Result<()> {
        self.can_share(share)?;
        if head.live.is_none() {
            return Err(Problem::new("traffic.none-live", "nothing is live yet, beside which it could be tried")
                .try_running("dae deploy")
                .exit(exit::REFUSED));
        }
        match &head.gray {
            Some(gray) => Err(busy(gray.release)),
            None => Ok(()),
        }
    }

    fn can_share(&self, share: &Share) -> Result<()> {
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
        if !share.networks.is_empty() {
            return Err(no("an HTTPRoute does not know where a request comes from")
                .hint("a share, and headers, go: `--traffic 10`, `--traffic-header NAME=VALUE`"));
        }
        Ok(())
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
                let untried = |head: &Head| {
                    let is_it = head.gray.as_ref().is_some_and(|gray| gray.release == id);
                    is_it.then(|| Head { gray: None, ..head.clone() })
                };
                let _ = self.history().change(untried).await;
                self.remove_gray().await;
                Err(self.failed(record, held.head.live, problem).await)
            }
        }
    }

    async fn bring_gray(&self, record: &Record, before: &Head, secrets: &[Value]) -> Result<Arrived> {
        let id = record.release.id;
        let gray_now = Gray { release: id, share: record.share.clone().unwrap_or_default() };
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
            is_it.then(|| Head { starting: None, gray: Some(gray_now.clone()), ..head.clone() })
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
            (self.tell)(Word::Shared { release: gray.release, percent: gray.share.percent });
        }
        Ok(())
    }

    pub async fn traffic(&self) -> Result<Traffic> {
        Ok(self.traffic_of(self.history().head().await?.head))
    }

    fn traffic_of(&self, head: Head) -> Traffic {
        Traffic { app: self.app.clone(), live: head.live, gray: head.gray }
    }

    /// Another share: 100 percent make it live, none and no rule take it back.
    pub async fn change_traffic(&self, change: &TrafficChange) -> Result<Traffic> {
        let head = self.history().head().await?.head;
        let gray = head.gray.as_ref().ok_or_else(none)?.release;
        if change.release.is_some_and(|release| release != gray) {
            return Err(none().because(format!("it is {gray} that is tried")));
        }
        self.can_share(&change.share)?;
        if change.share.percent >= 100 {
            self.promote(gray).await?;
            return self.traffic().await;
        }
        let over = change.share == Share::default();
        let next = (!over).then(|| Gray { release: gray, share: change.share.clone() });
        let other = |head: &Head| {
            let is_it = head.gray.as_ref().is_some_and(|known| known.release == gray);
            is_it.then(|| Head { gray: next.clone(), ..head.clone() })
        };
        let now = self.history().change(other).await?.ok_or_else(none)?.head;
        self.share_out(&now).await?;
        if over {
            self.remove_gray().await;
            if let Some(mut record) = self.history().record(gray).await? {
                record.release.state = ReleaseState::Withdrawn;
                self.history().keep(&record).await?;
            }
        }
        Ok(self.traffic_of(now))
    }

    /// Makes the release that is tried the live one.
    async fn promote(&self, gray: ReleaseId) -> Result<Arrived> {
        let held = self.history().head().await?;
        if held.head.starting.is_some() {
            return Err(superseded(gray, held.head.starting));
        }
        let mut record = self.history().record(gray).await?.ok_or_else(none)?;
        // Whoever goes on with it makes it live too.
        record.share = None;
        self.history().keep(&record).await?;
        let held = self.history().swap(&held, Head { starting: Some(gray), ..held.head.clone() }).await?;
        self.run(&mut record, held, &[]).await
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
