//! What happens on a node.

use std::time::Duration;

use serde::Serialize;

use crate::app::AppName;
use crate::problem::Problem;

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A process printed a line; no generation where it is of none, as a warm parent.
    Output { app: AppName, generation: Option<u64>, process: String, line: String },
    /// A debugger waits for a line: see [`super::Node::type_in`].
    Prompt { app: AppName, process: String, terminal: u64, prompt: String },
    /// Nobody is left at a terminal where a debugger waited.
    Left { app: AppName, process: String, terminal: u64 },
    /// A generation began to start.
    Starting { app: AppName, generation: u64 },
    /// A generation serves.
    Serving { app: AppName, generation: u64, took: Duration },
    /// A generation could not start, or died and could not be brought back.
    Failed { app: AppName, generation: u64, problem: Problem },
    /// A warm generation was compared with a cold start; the problem tells what is not alike and was not told before.
    Verified { app: AppName, generation: u64, problem: Option<Problem> },
    /// A process ended by itself and is started again.
    Restarting { app: AppName, generation: u64, process: String, why: String },
    /// A queue worker of a generation that serves no more does the job it holds first; or it took too long over that.
    Leaving { app: AppName, generation: u64, process: String, text: String, is_bad: bool },
    /// A scheduled task ran, or did not.
    Cron { app: AppName, job: String, text: String, is_bad: bool },
    /// All of a generation's processes are gone.
    Stopped { app: AppName, generation: u64 },
}
