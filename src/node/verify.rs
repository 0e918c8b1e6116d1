//! A cold start behind a warm reload: whether the process that was forked is like one that was started anew. What a developer sees
//! warm is what a deploy starts cold.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::output::Logs;
use super::seat::stop;
use super::selftest::selftest;
use super::start::{Running, start};
use super::warm::Warmth;
use super::{Event, Generation, Surroundings};
use crate::gateway::Upstream;
use crate::problem::{Doing as _, Problem, Result};

/// Names of one kind that are told; of more the number.
const NAMES: usize = 5;

/// Whether reloads are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    Nothing,
    Reloads,
}

/// What a process is like: see `python/dae/likeness.py`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Likeness {
    machinery: BTreeSet<String>,
    /// In the order of their import.
    modules: Vec<String>,
    own: BTreeMap<String, BTreeMap<String, String>>,
    process: BTreeMap<String, Value>,
}

/// Compares what was forked with what starts cold, for one app.
#[derive(Debug, Clone, Default)]
pub(super) struct Verifier {
    /// Each difference is told once.
    told: Arc<Mutex<HashSet<String>>>,
}

/// A generation that was forked and serves.
pub(super) struct Warm {
    pub number: u64,
    pub generation: Arc<Generation>,
    pub upstream: Arc<Upstream>,
    pub likeness: Likeness,
}

impl Verifier {
    /// Starts `warm` once more, cold, and tells how that went.
    pub async fn verify(self, warm: Warm, surroundings: Surroundings, warmth: Warmth) {
        let (app, number) = (warm.generation.app.clone(), warm.number);
        let events = surroundings.events.clone();
        let problem = match self.compare(warm, &surroundings, &warmth).await {
            Ok(differences) => self.unlike(differences),
            Err(problem) => self.once(&problem.to_string()).then_some(problem),
        };
        // Nobody listens any more when the node goes down.
        let _ = events.send(Event::Verified { app, generation: number, problem });
    }

    async fn compare(&self, warm: Warm, surroundings: &Surroundings, warmth: &Warmth) -> Result<Vec<String>> {
        let settings = &surroundings.settings;
        let logs = tempfile::tempdir_in(&settings.run_dir).doing(|| "make a folder for a cold start")?;
        // What it prints was printed before.
        let (unheard, _) = mpsc::unbounded_channel();
        let quiet = Surroundings { events: unheard, logs: Logs::new(logs.path().to_owned()), ..surroundings.clone() };
        let generation = Arc::new(Generation { learned: None, ..(*warm.generation).clone() });
        let cold = start(warm.number, generation.clone(), quiet, Warmth::default()).await.map_err(|problem| {
            let mut fails =
                Problem::new("serve.unlike", "a cold start of this code fails, though the warm reload serves")
                    .because(&problem)
                    .detail(problem.detail)
                    .hint("it leans on what something else had imported before, or two of it cannot run at once")
                    .hint("a deploy starts cold, as `dae serve --cold` does");
            fails.place = problem.place;
            fails
        })?;
        let mut differences = Vec::new();
        if let Some(likeness) = cold.likeness() {
            let found = warm.likeness.differences(&likeness);
            if warm.likeness.imports_more_than(&likeness) {
                // Else it would be imported for ever.
                warmth.relearn(&warm.generation, surroundings, likeness.modules).await;
            }
            differences = found;
        }
        differences.extend(answers(&warm, &cold, surroundings).await);
        stop(cold, settings.rollout.end_within).await;
        Ok(differences)
    }

    fn unlike(&self, differences: Vec<String>) -> Option<Problem> {
        let new: Vec<String> = differences.into_iter().filter(|difference| self.once(difference)).collect();
        let problem = Problem::new("serve.unlike", "the warm reload is not like a cold start of the same code");
        let problem = new.iter().fold(problem, Problem::because);
        (!new.is_empty()).then(|| problem.hint("a deploy starts cold, as `dae serve --cold` does"))
    }

    fn once(&self, difference: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(difference.to_owned())
    }
}

/// Whether the app's own selftest goes otherwise.
async fn answers(warm: &Warm, cold: &Running, surroundings: &Surroundings) -> Option<String> {
    let settings = &surroundings.settings;
    let (host, within) = (format!("{}.{}", warm.generation.app.host(), settings.domain), settings.rollout.ready_within);
    let told = |result: Result<()>| result.map_or_else(|problem| problem.to_string(), |()| "as app.yaml wants".into());
    let first = told(selftest(&warm.generation, &warm.upstream, &host, within).await);
    let second = told(selftest(&cold.generation, &cold.upstream, &host, within).await);
    (first != second).then(|| format!("selftest: {first} after the reload, {second} after a cold start"))
}

impl Likeness {
    fn imports_more_than(&self, cold: &Self) -> bool {
        let there: HashSet<&String> = cold.modules.iter().chain(&self.machinery).collect();
        self.modules.iter().any(|module| !there.contains(module))
    }

    /// What `cold` has otherwise, in words.
    fn differences(&self, cold: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let besides = |of: &Self| -> BTreeSet<String> {
            let ours = |module: &&String| !self.machinery.contains(*module) && !cold.machinery.contains(*module);
            of.modules.iter().filter(ours).cloned().collect()
        };
        found.extend(sets("imported", &besides(self), &besides(cold)));
        let names = |of: &Self| -> BTreeSet<String> {
            let all = of.own.iter();
            all.flat_map(|(module, names)| names.iter().map(move |(name, kind)| format!("{module}.{name}: {kind}")))
                .collect()
        };
        found.extend(sets("in the app's modules", &names(self), &names(cold)));
        for (what, value) in &self.process {
            let other = cold.process.get(what).unwrap_or(&Value::Null);
            match (value, other) {
                (Value::Object(one), Value::Object(two)) => {
                    let pairs =
                        |of: &serde_json::Map<String, Value>| of.iter().map(|(k, v)| format!("{k}={v}")).collect();
                    found.extend(sets(&format!("in the {what}"), &pairs(one), &pairs(two)));
                }
                _ if value != other => {
                    found.push(format!("{what}: {value} after the reload, {other} after a cold start"));
                }
                _ => {}
            }
        }
        found
    }
}

fn sets(what: &str, warm: &BTreeSet<String>, cold: &BTreeSet<String>) -> Vec<String> {
    let only = |of: &BTreeSet<String>, other: &BTreeSet<String>, when: &str| {
        let names: Vec<&str> = of.difference(other).map(String::as_str).collect();
        let more = names.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = names[..names.len().min(NAMES)].join(", ");
        (!names.is_empty()).then(|| format!("only {when}, {what}: {shown}{more}"))
    };
    [only(warm, cold, "after the reload"), only(cold, warm, "after a cold start")].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn like(modules: &[&str], own: Value, process: Value) -> Likeness {
        let all = json!({ "machinery": ["fcntl"], "modules": modules, "own": own, "process": process });
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn differences_are_told_in_words() {
        let warm = like(
            &["fcntl", "flask", "a", "b", "c", "d", "e", "f"],
            json!({ "app": { "x": "int", "y": "str" } }),
            json!({ "locale": "C", "environment": { "A": "1", "B": "2" } }),
        );
        let cold = like(
            &["flask", "g"],
            json!({ "app": { "x": "str", "y": "str" } }),
            json!({ "locale": "de_DE", "environment": { "A": "1" } }),
        );
        assert!(warm.imports_more_than(&cold) && !warm.imports_more_than(&warm));
        assert_eq!(warm.differences(&warm), Vec::<String>::new());
        insta::assert_snapshot!(warm.differences(&cold).join("\n"), @r#"
        only after the reload, imported: a, b, c, d, e and 1 more
        only after a cold start, imported: g
        only after the reload, in the app's modules: app.x: int
        only after a cold start, in the app's modules: app.x: str
        only after the reload, in the environment: B="2"
        locale: "C" after the reload, "de_DE" after a cold start
        "#);
        let verifier = Verifier::default();
        assert!(verifier.unlike(vec!["x".into()]).is_some());
        assert!(verifier.unlike(vec!["x".into()]).is_none());
    }
}
