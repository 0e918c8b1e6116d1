//! What a node and the services say, in the words of a dev server; and what is typed, to whom it is meant for.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Event;
use super::browser::Browser;
use super::tell::Tell;
use crate::node::{self, Node};
use crate::services;

/// The node's events in the words of a dev server.
pub(super) async fn node(mut heard: mpsc::UnboundedReceiver<node::Event>, tell: Tell, browser: Arc<Browser>) {
    while let Some(event) = heard.recv().await {
        let retold = match event {
            node::Event::Output { process, line, .. } => Event::Output { process, line },
            node::Event::Prompt { process, terminal, prompt, .. } => Event::Prompt { process, terminal, prompt },
            node::Event::Left { process, terminal, .. } => Event::Left { process, terminal },
            node::Event::Failed { problem, .. } => {
                browser.refresh();
                Event::Broken { problem }
            }
            node::Event::Verified { problem, .. } => Event::Verified { problem },
            node::Event::Restarting { process, why, .. } => Event::Restarting { process, why },
            node::Event::Leaving { process, text, is_bad, .. } => Event::Leaving { process, text, is_bad },
            node::Event::Cron { job, text, is_bad, .. } => Event::Cron { job, text, is_bad },
            node::Event::Starting { .. } | node::Event::Serving { .. } | node::Event::Stopped { .. } => continue,
        };
        if !tell.event(retold) {
            return;
        }
    }
}

pub(super) async fn typed(node: Arc<Node>, mut typed: mpsc::UnboundedReceiver<(u64, String)>) {
    while let Some((terminal, line)) = typed.recv().await {
        // The process may have gone meanwhile; its end is told.
        let _ = node.type_in(terminal, &line);
    }
}

/// All services stand still for a moment: requests wait.
#[derive(Debug, Clone, Copy)]
pub(super) enum Still {
    Paused,
    Resumed,
}

pub(super) async fn services(
    mut told: mpsc::UnboundedReceiver<services::Event>,
    tell: Tell,
    still: mpsc::UnboundedSender<Still>,
) {
    while let Some(event) = told.recv().await {
        // Nobody listens any more when the server goes down.
        match event {
            services::Event::ServicesPaused => drop(still.send(Still::Paused)),
            services::Event::ServicesResumed { .. } => drop(still.send(Still::Resumed)),
            _ => {}
        }
        if !tell.event(Event::Service(event)) {
            return;
        }
    }
}
