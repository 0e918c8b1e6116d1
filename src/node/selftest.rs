//! The questions an app wants to be asked before it gets traffic: `selftest` in app.yaml.

use std::time::Duration;

use super::Generation;
use crate::app::Probe;
use crate::gateway::{self, Upstream};
use crate::problem::{Problem, Result};

/// Lines of a wrong answer that are shown.
const LINES: usize = 20;

/// Asks `upstream`, which answers for `host`, what `generation` wants to be asked. All wrong answers are told at once.
pub(super) async fn selftest(generation: &Generation, upstream: &Upstream, host: &str, within: Duration) -> Result<()> {
    let mut wrong = Vec::new();
    for probe in &generation.manifest.selftest {
        wrong.extend(ask(probe, upstream, host, within).await.err());
    }
    Problem::all(wrong).map_or(Ok(()), Err)
}

async fn ask(probe: &Probe, upstream: &Upstream, host: &str, within: Duration) -> Result<()> {
    let Probe { url, status } = probe;
    let problem = |what: String| Problem::new("app.selftest", format!("the selftest of `{url}` {what}"));
    match tokio::time::timeout(within, gateway::ask(upstream, host, url, &[])).await {
        Err(_) => Err(problem(format!("was not answered within {} seconds", within.as_secs()))),
        Ok(Err(error)) => Err(problem("was not answered".into()).because(error)),
        Ok(Ok((found, _))) if found.as_u16() == *status => Ok(()),
        Ok(Ok((found, body))) => {
            let text = String::from_utf8_lossy(&body);
            let first: Vec<&str> = text.lines().take(LINES).collect();
            Err(problem(format!("was answered with {}", found.as_u16()))
                .because(format!("app.yaml wants {status}"))
                .detail(first.join("\n")))
        }
    }
}
