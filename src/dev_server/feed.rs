//! What happened, for whoever joins later: another terminal that attaches to a dev server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast;

use crate::problem::Problem;
use crate::term::{Event, Line, Shown};

/// How many past events who joins is told.
const PAST: usize = 50;
/// Who falls further behind than this misses some.
const BEHIND: usize = 1024;

/// An event as it travels: for a program, and as a person sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    pub json: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Line>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl Event for Item {
    fn show(&self) -> Shown<'_> {
        match (&self.line, &self.problem) {
            (Some(line), _) => Shown::Line(line.clone()),
            (_, Some(problem)) => Shown::Problem(problem),
            _ => Shown::Nothing,
        }
    }

    fn json(&self) -> Value {
        self.json.clone()
    }
}

#[derive(Debug)]
pub struct Feed {
    past: Mutex<VecDeque<Arc<Item>>>,
    now: broadcast::Sender<Arc<Item>>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { past: Mutex::default(), now: broadcast::Sender::new(BEHIND) }
    }
}

impl Feed {
    pub fn publish(&self, event: &dyn Event) {
        let (line, problem) = match event.show() {
            Shown::Line(line) => (Some(line), None),
            Shown::Problem(problem) => (None, Some(problem.clone())),
            Shown::Nothing | Shown::Answer(_) => (None, None),
            // Only the terminal that is there sees things move.
            Shown::Progress(_) => return,
        };
        let item = Arc::new(Item { json: event.json(), line, problem });
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == PAST {
            past.pop_front();
        }
        past.push_back(item.clone());
        // Nobody has joined: the usual case.
        let _ = self.now.send(item);
    }

    /// What was, and what comes.
    pub fn join(&self) -> (Vec<Arc<Item>>, broadcast::Receiver<Arc<Item>>) {
        // Under the lock that publishing takes: nothing is missed and nothing comes twice.
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        (past.iter().cloned().collect(), self.now.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev_server::Event as Told;

    fn refreshed(name: usize) -> Told {
        Told::Refreshed { changed: vec![name.to_string().into()] }
    }

    #[tokio::test]
    async fn who_joins_hears_the_last_and_then_the_next() {
        let feed = Feed::default();
        for number in 0..60 {
            feed.publish(&refreshed(number));
        }
        let (past, mut now) = feed.join();
        assert_eq!(past.len(), PAST);
        assert_eq!(past[0].line.as_ref().unwrap().text, "10");
        feed.publish(&refreshed(60));
        assert_eq!(now.recv().await.unwrap().json["changed"][0], "60");
    }
}
