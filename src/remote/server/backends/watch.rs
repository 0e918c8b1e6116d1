//! Asks the real servers again and again whether they are there, and tells what has changed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::{Server, Told, blocking};
use crate::app::Address;
use crate::problem::Problem;

/// A server that apps count on has gone, or is back.
#[derive(Debug, Clone)]
pub enum Change {
    Down(Problem),
    Back { service: &'static str, address: Address },
}

const EVERY: Duration = Duration::from_secs(15);
/// As long as one is down.
const AGAIN: Duration = Duration::from_secs(3);

impl Server {
    /// Tells which servers do not answer, at once and whenever that changes. Never ends where there are any.
    pub async fn watch_backends(self: Arc<Self>) {
        if self.backends.names().is_empty() {
            return;
        }
        let mut down = HashSet::new();
        loop {
            let backends = self.backends.clone();
            let Ok(looked) = blocking(move || Ok::<_, Problem>(backends.look())).await else { return };
            for (service, address, problem) in looked {
                let key = (service, address);
                match problem {
                    Some(problem) => {
                        if down.insert(key) {
                            self.releases.told(Told::Backend(Change::Down(problem)));
                        }
                    }
                    None => {
                        if down.remove(&key) {
                            let (service, address) = key;
                            self.releases.told(Told::Backend(Change::Back { service, address }));
                        }
                    }
                }
            }
            tokio::time::sleep(if down.is_empty() { EVERY } else { AGAIN }).await;
        }
    }
}
