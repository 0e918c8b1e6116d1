//! The store as connections find it: opened for the first one, or a problem that each of them is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::codec::LONGEST_VALUE;
use super::stats::Stats;
use super::store::Store;
use crate::problem::{Problem, Result};
use crate::services::Tell;

/// A store that could not be opened is tried again, but not for every command.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Shelf {
    pub folder: PathBuf,
    pub longest_value: usize,
    pub stats: Stats,
    tell: Tell,
    opened: Mutex<Opened>,
}

#[derive(Debug)]
enum Opened {
    NotYet,
    Open(Arc<Store>),
    Failed(Box<Problem>, Instant),
}

impl Shelf {
    /// Nothing is read or made yet. `tell` hears why the store cannot be opened.
    pub fn new(folder: PathBuf, tell: Tell) -> Self {
        Self { folder, longest_value: LONGEST_VALUE, stats: Stats::default(), tell, opened: Mutex::new(Opened::NotYet) }
    }

    pub async fn store(&self) -> Result<Arc<Store>> {
        let mut opened = self.opened.lock().await;
        match &*opened {
            Opened::Open(store) => return Ok(store.clone()),
            Opened::Failed(problem, when) if when.elapsed() < AGAIN => return Err((**problem).clone()),
            _ => {}
        }
        let folder = self.folder.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&folder)).await;
        let store =
            store.unwrap_or_else(|error| Err(Problem::new("beansdb.open", "could not open the store").because(error)));
        match store {
            Ok(store) => {
                let store = Arc::new(store);
                *opened = Opened::Open(store.clone());
                Ok(store)
            }
            Err(problem) => {
                // The same is told once.
                if !matches!(&*opened, Opened::Failed(known, _) if **known == problem) {
                    self.tell.failed("beansdb", problem.clone());
                }
                *opened = Opened::Failed(Box::new(problem.clone()), Instant::now());
                Err(problem)
            }
        }
    }

    /// Returns when everything is written.
    pub async fn close(self) {
        if let Opened::Open(store) = self.opened.into_inner()
            && let Some(store) = Arc::into_inner(store)
        {
            // Where the runtime is ending, dropping the store closes it.
            let _ = tokio::task::spawn_blocking(|| store.close()).await;
        }
    }
}
