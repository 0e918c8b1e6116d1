//! A command that runs once on a cluster: its Job is made, and its pod listened to until it ends.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::{Api, path};
use super::history::escaped;
use super::room::Room;
use super::verdict;
use crate::problem::{Problem, Result};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// As a shell has it.
    pub code: u8,
    /// Why, where it did not end by itself.
    pub why: Option<String>,
}

/// A Job to listen to.
#[derive(Clone, Copy)]
pub struct Listen<'a> {
    pub api: &'a Api,
    pub job: &'a Value,
    /// None: as long as it takes.
    pub within: Option<Duration>,
}

/// At most so long between two looks, whatever a watch says.
const LOOK: Duration = Duration::from_secs(5);
const BREATH: Duration = Duration::from_millis(300);

enum State {
    Waiting,
    Running(String),
    Ended(Option<String>, Ended),
    Crowded(String, Box<Problem>),
    Hopeless(Box<Problem>),
}

impl Listen<'_> {
    fn name(&self) -> &str {
        self.job["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Until it has ended. `hear` is told each line it prints, once; `still` is asked again and again whether to go on.
    pub async fn to_its_end(
        &self,
        hear: &mut (dyn FnMut(String) + Send),
        still: impl AsyncFn() -> Result<()>,
    ) -> Result<Ended> {
        let start = Instant::now();
        let api = self.api;
        let folder = format!("/api/v1/namespaces/{}/pods", api.namespace());
        let selector = escaped(&format!("batch.kubernetes.io/job-name={}", self.name()));
        let pods_path = format!("{folder}?labelSelector={selector}");
        let doing = |failure| api.problem(&format!("watch Job {}", self.name()), failure);
        let mut heard = 0;
        let mut room = Room::default();
        loop {
            still().await?;
            let job = api.find(&path(self.job)).await.map_err(doing)?;
            let pods = api.get(&pods_path).await.map_err(doing)?;
            let Some(job) = job else {
                return Err(Problem::new("kubernetes.gone", format!("Job {} was taken away", self.name())));
            };
            let look = match state(&job, pods["items"].as_array().into_iter().flatten()) {
                State::Ended(pod, ended) => {
                    if let Some(pod) = pod {
                        self.rest(&pod, heard, hear).await;
                    }
                    return Ok(ended);
                }
                State::Hopeless(problem) => return Err(*problem),
                State::Crowded(pod, problem) => {
                    if room.is_hopeless(api, &pod).await {
                        return Err(*problem);
                    }
                    LOOK
                }
                State::Running(pod) => {
                    // What it prints may be long in coming; whether to go on is asked all the same.
                    let check = async {
                        loop {
                            tokio::time::sleep(LOOK).await;
                            if let Err(problem) = still().await {
                                return problem;
                            }
                        }
                    };
                    let left = self.within.map_or(Duration::MAX, |within| within.saturating_sub(start.elapsed()));
                    tokio::select! {
                        () = self.listen(&pod, &mut heard, hear) => {}
                        problem = check => return Err(problem),
                        () = tokio::time::sleep(left) => {}
                    }
                    BREATH
                }
                State::Waiting => LOOK,
            };
            if let Some(within) = self.within
                && start.elapsed() > within
            {
                return Err(Problem::new("run.slow", format!("it had not ended after {} seconds", within.as_secs())));
            }
            let version = pods["metadata"]["resourceVersion"].as_str().unwrap_or("0");
            api.stir(&pods_path, version, look).await;
        }
    }

    /// What a pod has printed beyond what was heard; a connection that breaks off is taken up at the next look.
    async fn listen(&self, pod: &str, heard: &mut usize, hear: &mut (dyn FnMut(String) + Send)) {
        let path = format!("{}&follow=true", self.log(pod));
        let mut number = 0;
        let mut some = |line: String| {
            number += 1;
            if number > *heard {
                *heard = number;
                hear(line);
            }
        };
        let _ = self.api.lines(&path, &mut some).await;
    }

    /// The same of one that has ended.
    async fn rest(&self, pod: &str, heard: usize, hear: &mut (dyn FnMut(String) + Send)) {
        let text = self.api.text(&self.log(pod)).await.unwrap_or_default();
        text.lines().skip(heard).for_each(|line| hear(line.to_owned()));
    }

    fn log(&self, pod: &str) -> String {
        format!("/api/v1/namespaces/{}/pods/{pod}/log?container=app", self.api.namespace())
    }
}

fn state<'a>(job: &Value, pods: impl Iterator<Item = &'a Value>) -> State {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let condition = |kind: &str| {
        let conditions = job["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().find(|found| found["type"] == kind && found["status"] == "True")
    };
    let mut pods: Vec<&Value> = pods.collect();
    pods.sort_by_key(|pod| text(&pod["metadata"]["creationTimestamp"]));
    if let Some(pod) = pods.last() {
        let name = text(&pod["metadata"]["name"]);
        let container = &pod["status"]["containerStatuses"][0]["state"];
        if let Some(code) = container["terminated"]["exitCode"].as_i64() {
            let reason = text(&container["terminated"]["reason"]);
            let why = (reason == "OOMKilled").then(|| "it had used up its memory".to_owned());
            return State::Ended(Some(name), Ended { code: u8::try_from(code).unwrap_or(1), why });
        }
        if pod["status"]["phase"] == "Failed" {
            let why = [text(&pod["status"]["reason"]), text(&pod["status"]["message"])];
            let why = why.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
            return State::Ended(Some(name), Ended { code: 1, why: Some(why) });
        }
        if let Some(problem) = verdict::hopeless(pod) {
            return State::Hopeless(Box::new(problem));
        }
        if let Some(problem) = verdict::no_room(pod) {
            return State::Crowded(name, Box::new(problem));
        }
        if !container["running"].is_null() {
            return State::Running(name);
        }
    }
    // Its pod may be gone before anybody looked.
    if condition("Complete").is_some() {
        return State::Ended(None, Ended { code: 0, why: None });
    }
    if let Some(failed) = condition("Failed") {
        return State::Ended(None, Ended { code: 1, why: Some(text(&failed["message"])) });
    }
    State::Waiting
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_job_says_and_what_it_means() {
        let pod = |status: Value| json!({"metadata": {"name": "p"}, "status": status});
        let container = |state: Value| pod(json!({"phase": "Running", "containerStatuses": [{"state": state}]}));
        let condition =
            |kind: &str| json!({"status": {"conditions": [{"type": kind, "status": "True", "message": "why"}]}});
        let waiting = json!({"waiting": {"reason": "ErrImagePull"}});
        for (job, pods, wanted) in [
            (json!({}), vec![], "waiting"),
            (json!({}), vec![container(json!({"waiting": {"reason": "ContainerCreating"}}))], "waiting"),
            (json!({}), vec![container(json!({"running": {}}))], "running p"),
            (json!({}), vec![container(json!({"terminated": {"exitCode": 7}}))], "ended 7 "),
            (
                json!({}),
                vec![container(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))],
                "ended 137 it had used up its memory",
            ),
            (
                json!({}),
                vec![pod(json!({"phase": "Failed", "reason": "Evicted", "message": "m"}))],
                "ended 1 Evicted: m",
            ),
            (json!({}), vec![container(waiting)], "hopeless kubernetes.image"),
            (condition("Complete"), vec![], "ended 0 "),
            (condition("Failed"), vec![], "ended 1 why"),
        ] {
            let said = match state(&job, pods.iter()) {
                State::Waiting => "waiting".to_owned(),
                State::Running(pod) => format!("running {pod}"),
                State::Ended(_, Ended { code, why }) => format!("ended {code} {}", why.unwrap_or_default()),
                State::Crowded(pod, problem) => format!("{} of {pod}", problem.code),
                State::Hopeless(problem) => format!("hopeless {}", problem.code),
            };
            assert_eq!(said, wanted, "{job} {pods:?}");
        }
    }
}
