//! The questions an app wants to be asked before it gets traffic: `selftest` in app.yaml.

use std::time::Duration;

use serde::Deserialize;

use super::Generation;
use crate::gateway::{self, Upstream};
use crate::problem::{Problem, Result};

/// Lines of a wrong answer that are shown.
const LINES: usize = 20;

/// One question and the status it must be answered with.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    url: String,
    #[serde(default = "ok")]
    status: u16,
}

fn ok() -> u16 {
    200
}

/// Asks `upstream`, which answers for `host`, what `generation` wants to be asked. All wrong answers are told at once.
pub(super) async fn selftest(generation: &Generation, upstream: &Upstream, host: &str, within: Duration) -> Result<()> {
    let mut wrong = Vec::new();
    for question in questions(generation)? {
        wrong.extend(question.ask(upstream, host, within).await.err());
    }
    Problem::all(wrong).map_or(Ok(()), Err)
}

fn questions(generation: &Generation) -> Result<Vec<Question>> {
    let Some(written) = generation.manifest.carried.get("selftest") else { return Ok(Vec::new()) };
    serde_json::from_value(written.clone()).map_err(|error| {
        Problem::new("app.selftest", "`selftest` in app.yaml is no list of questions")
            .because(error)
            .hint("write it like `selftest: [{url: /, status: 200}]`")
    })
}

impl Question {
    async fn ask(&self, upstream: &Upstream, host: &str, within: Duration) -> Result<()> {
        let Self { url, status } = self;
        let problem = |what: String| Problem::new("app.selftest", format!("the selftest of `{url}` {what}"));
        if !url.starts_with('/') {
            return Err(problem("cannot be asked".into()).because("its `url` is no path: it does not begin with `/`"));
        }
        match tokio::time::timeout(within, gateway::ask(upstream, host, url)).await {
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
}
