//! Which host is answered by what, and who is still being answered.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::split::Drawn;
use super::{Split, Upstream, Visitor};
use crate::problem::Problem;

/// The host that stands for every host no other route names.
pub const ANY_HOST: &str = "*";

/// What a host is answered by at this moment.
#[derive(Debug, Clone)]
pub enum Route {
    Serving(Arc<Upstream>),
    /// One upstream is tried on a share of the visitors.
    Split(Arc<Split>),
    /// Something will serve soon: requests wait.
    Held,
    Broken(Arc<Problem>),
}

/// The table of hosts. Cheap to read, changed by whoever runs the upstreams.
#[derive(Debug, Default)]
pub struct Routes {
    /// Other names of hosts that are routed.
    aliases: RwLock<HashMap<String, String>>,
    hosts: RwLock<HashMap<String, Arc<watch::Sender<Route>>>>,
}

/// A right to use an upstream; it is not stopped while one is held.
#[derive(Debug)]
pub struct Lease {
    pub upstream: Arc<Upstream>,
    /// As of the moment of the lease, so that no word to end is missed.
    cuts: u64,
    /// Which of two it is was drawn just now, and the visitor should remember it.
    pub(super) drawn: Option<Drawn>,
}

impl Lease {
    fn on(upstream: &Arc<Upstream>, drawn: Option<Drawn>) -> Result<Self, NoLease> {
        if !upstream.count_lease() {
            return Err(NoLease::Full);
        }
        Ok(Self { upstream: upstream.clone(), cuts: *upstream.cuts.borrow(), drawn })
    }

    /// Ready when what does not end by itself is to end.
    pub(super) fn cut(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut cuts, known) = (self.upstream.cuts.subscribe(), self.cuts);
        // The sender lives in the upstream; should that be gone, so is the conversation.
        async move { drop(cuts.wait_for(|count| *count != known).await) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.upstream.uncount_lease();
    }
}

/// Why there is no lease.
#[derive(Debug)]
pub enum NoLease {
    UnknownHost,
    Broken(Arc<Problem>),
    /// Held for longer than the caller would wait.
    OutOfPatience,
    /// As many are given as may be.
    Full,
}

impl Routes {
    /// Routes `host` (lowercase, without a port), as of now.
    pub fn set(&self, host: &str, route: Route) {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = hosts.get(host) {
            cell.send_replace(route);
            return;
        }
        drop(hosts);
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        match hosts.get(host) {
            Some(cell) => drop(cell.send_replace(route)),
            None => drop(hosts.insert(host.to_owned(), Arc::new(watch::Sender::new(route)))),
        }
    }

    pub fn get(&self, host: &str) -> Option<Route> {
        self.cell(host).map(|cell| cell.borrow().clone())
    }

    /// Who waits for `host` hears that it is gone.
    pub fn remove(&self, host: &str) {
        self.hosts.write().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    /// From now on `host` is answered as `of` is, whatever that is answered by.
    pub fn alias(&self, host: &str, of: &str) {
        self.aliases.write().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), of.to_owned());
    }

    pub fn unalias(&self, host: &str) {
        self.aliases.write().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    /// The host that `host` is another name of, or itself.
    pub fn own(&self, host: &str) -> String {
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        aliases.get(host).map_or(host, String::as_str).to_owned()
    }

    fn cell(&self, host: &str) -> Option<Arc<watch::Sender<Route>>> {
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        let host = aliases.get(host).map_or(host, String::as_str);
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).or_else(|| hosts.get(ANY_HOST)).cloned()
    }

    /// Waits, for `patience` at most, until `host` serves, and takes a lease. What is tried is for visitors only.
    pub async fn lease(&self, host: &str, patience: Duration, visitor: Option<Visitor<'_>>) -> Result<Lease, NoLease> {
        let mut route = match self.cell(host) {
            Some(cell) => match now(&cell.borrow(), visitor) {
                Some(answer) => return answer,
                None => cell.subscribe(),
            },
            None => return Err(NoLease::UnknownHost),
        };
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            if let Some(answer) = now(&route.borrow_and_update(), visitor) {
                return answer;
            }
            match tokio::time::timeout_at(deadline, route.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(NoLease::UnknownHost),
                Err(_) => return Err(NoLease::OutOfPatience),
            }
        }
    }
}

/// The answer where there is one already. `route` is guarded while this counts the lease: a change of it waits, so nobody
/// is missed.
fn now(route: &Route, visitor: Option<Visitor<'_>>) -> Option<Result<Lease, NoLease>> {
    match route {
        Route::Serving(upstream) => Some(Lease::on(upstream, None)),
        Route::Split(split) => {
            let (upstream, drawn) = visitor.map_or((&split.rest, None), |visitor| split.pick(visitor));
            Some(Lease::on(upstream, drawn))
        }
        Route::Broken(problem) => Some(Err(NoLease::Broken(problem.clone()))),
        Route::Held => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_held_request_goes_to_what_comes_next_and_the_last_one_drains() {
        let routes = Arc::new(Routes::default());
        let (old, new) = (Arc::new(Upstream::new("/old".into())), Arc::new(Upstream::new("/new".into())));
        routes.set("a", Route::Serving(old.clone()));
        let lease = routes.lease("a", LONG, None).await.unwrap();
        routes.set("a", Route::Held);
        let waiting = tokio::spawn({
            let routes = routes.clone();
            async move { routes.lease("a", LONG, None).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        routes.set("a", Route::Serving(new.clone()));
        assert!(Arc::ptr_eq(&waiting.await.unwrap().unwrap().upstream, &new));
        assert!(tokio::time::timeout(Duration::from_millis(20), old.idle()).await.is_err());
        drop(lease);
        old.idle().await;
    }

    #[tokio::test]
    async fn no_more_leases_than_there_may_be() {
        let routes = Routes::default();
        let mut upstream = Upstream::new("/a".into());
        upstream.limits.requests = Some(2);
        routes.set("a", Route::Serving(Arc::new(upstream)));
        let take = async || routes.lease("a", LONG, None).await;
        let (one, two) = (take().await.unwrap(), take().await.unwrap());
        assert!(matches!(take().await, Err(NoLease::Full)));
        drop(one);
        let three = take().await.unwrap();
        assert!(matches!(take().await, Err(NoLease::Full)));
        let upstream = three.upstream.clone();
        drop((two, three));
        upstream.idle().await;
    }

    #[tokio::test]
    async fn patience_ends_and_unknown_hosts_are_told() {
        let routes = Routes::default();
        assert!(matches!(routes.lease("a", LONG, None).await, Err(NoLease::UnknownHost)));
        routes.set("a", Route::Held);
        assert!(matches!(routes.lease("a", Duration::from_millis(5), None).await, Err(NoLease::OutOfPatience)));
        routes.set("a", Route::Broken(Arc::new(Problem::new("x", "y"))));
        assert!(matches!(routes.lease("a", LONG, None).await, Err(NoLease::Broken(_))));
    }
}
