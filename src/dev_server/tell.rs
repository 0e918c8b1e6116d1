//! Where one app tells what happens to it.

use tokio::sync::mpsc;

use super::Event;
use crate::app::AppName;

#[derive(Debug, Clone)]
pub struct Tell {
    app: AppName,
    to: mpsc::UnboundedSender<(AppName, Event)>,
}

impl Tell {
    pub fn new(app: AppName, to: mpsc::UnboundedSender<(AppName, Event)>) -> Self {
        Self { app, to }
    }

    /// Whether anybody listens; nobody does any more when the server goes down.
    pub fn event(&self, event: Event) -> bool {
        self.to.send((self.app.clone(), event)).is_ok()
    }
}
