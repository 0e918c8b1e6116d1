//! What the pods of an app print: their last lines, or all of it as it comes, through rollouts and restarts.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::api::Api;
use super::history::escaped;
use super::manifests::{RELEASE, selector};
use crate::app::AppName;
use crate::problem::Result;
use crate::remote::api::ReleaseId;

/// Whose lines are wanted.
#[derive(Clone, Copy)]
pub struct Logs<'a> {
    pub api: &'a Api,
    pub app: &'a AppName,
    /// `web`, `daemon-feed`, or `feed`.
    pub process: Option<&'a str>,
    pub release: Option<ReleaseId>,
    /// How many of the last lines of each pod.
    pub lines: usize,
}

/// A line, and who printed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub pod: String,
    pub process: String,
    pub line: String,
}

/// At most so long between two looks, whatever a watch says.
const LOOK: Duration = Duration::from_secs(5);

/// A pod that has begun: one that has not, has no log.
#[derive(Debug, Clone)]
struct Pod {
    name: String,
    process: String,
    restarts: u64,
    running: bool,
}

/// How far one pod has been heard.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// The time of its last line, by the cluster's clock.
    until: Option<Timestamp>,
    /// The start of its container whose lines came to their end.
    ended: Option<u64>,
    listening: bool,
}

impl Logs<'_> {
    /// The last lines of each pod.
    pub async fn last(&self) -> Result<Vec<Said>> {
        let mut found = Vec::new();
        for Pod { name, process, .. } in self.pods().await?.0 {
            let path = format!("{}&tailLines={}", self.path(&name), self.lines);
            let text = self.api.text(&path).await;
            let text = text.map_err(|failure| self.api.problem(&format!("read the log of {name}"), failure))?;
            found.extend(text.lines().map(|line| Said {
                pod: name.clone(),
                process: process.clone(),
                line: line.to_owned(),
            }));
        }
        Ok(found)
    }

    /// The same, and then all that comes; pods that come later from their first line on. Ends when nobody can be asked any more.
    pub async fn follow(&self, hear: &mut (dyn FnMut(Said) + Send)) -> Result<()> {
        let (send, mut come) = unbounded_channel();
        let mut heard: HashMap<String, Heard> = HashMap::new();
        let mut listening = FuturesUnordered::new();
        let mut begun = false;
        loop {
            let (pods, version) = self.pods().await?;
            heard.retain(|name, heard| heard.listening || pods.iter().any(|pod| pod.name == *name));
            for pod in pods {
                let known = heard.entry(pod.name.clone()).or_default();
                // One that still runs was cut off by somebody on the way.
                if !known.listening && (known.ended != Some(pod.restarts) || pod.running) {
                    known.listening = true;
                    let tail = (!begun).then_some(self.lines);
                    listening.push(self.listen(pod, known.until, tail, send.clone()));
                }
            }
            begun = true;
            let list = self.list();
            let stir = self.api.stir(&list, &version, LOOK);
            tokio::pin!(stir);
            // Until there is a reason to look again.
            loop {
                tokio::select! {
                    // What was said comes before the end of who said it.
                    biased;
                    Some((said, at)) = come.recv() => note(&mut heard, said, at, hear),
                    Some((name, ended)) = listening.next(), if !listening.is_empty() => {
                        while let Ok((said, at)) = come.try_recv() {
                            note(&mut heard, said, at, hear);
                        }
                        let known = heard.entry(name).or_default();
                        *known = Heard { listening: false, ended, ..*known };
                        if ended.is_none() {
                            break;
                        }
                    }
                    () = &mut stir => break,
                }
            }
        }
    }

    /// What one pod prints after `from`, until its container ends: then says which start of it that was.
    async fn listen(
        &self,
        pod: Pod,
        from: Option<Timestamp>,
        tail: Option<usize>,
        send: UnboundedSender<(Said, Option<Timestamp>)>,
    ) -> (String, Option<u64>) {
        let begin = match (from, tail) {
            // Whole seconds is what an API server takes; what came twice is told by its time.
            (Some(from), _) => format!("&sinceTime={}", from.strftime("%Y-%m-%dT%H:%M:%SZ")),
            (None, Some(tail)) => format!("&tailLines={tail}"),
            (None, None) => String::new(),
        };
        let path = format!("{}&follow=true&timestamps=true{begin}", self.path(&pod.name));
        let mut tell = |text: String| {
            let (at, line) = timed(&text);
            if at.is_none() || at > from {
                let said = Said { pod: pod.name.clone(), process: pod.process.clone(), line: line.to_owned() };
                let _ = send.send((said, at));
            }
        };
        if self.api.lines(&path, &mut tell).await.is_ok() {
            return (pod.name, Some(pod.restarts));
        }
        tokio::time::sleep(BREATH).await;
        (pod.name, None)
    }

    fn path(&self, pod: &str) -> String {
        format!("/api/v1/namespaces/{}/pods/{pod}/log?container=app", self.api.namespace())
    }

    fn list(&self) -> String {
        format!("/api/v1/namespaces/{}/pods?labelSelector={}", self.api.namespace(), escaped(&selector(self.app)))
    }

    /// The pods that are meant and have begun, and the version of the list.
    async fn pods(&self) -> Result<(Vec<Pod>, String)> {
        let found = self.api.get(&self.list()).await.map_err(|failure| self.api.problem("list the pods", failure))?;
        let items = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut pods: Vec<Pod> = items.iter().filter_map(|pod| self.meant(pod)).collect();
        pods.sort_by(|a, b| (&a.process, &a.name).cmp(&(&b.process, &b.name)));
        let version = found["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
        Ok((pods, version))
    }

    fn meant(&self, pod: &Value) -> Option<Pod> {
        let labels = &pod["metadata"]["labels"];
        let process = labels["app.kubernetes.io/component"].as_str().unwrap_or_default();
        let named =
            |wanted: &str| process == wanted || process.strip_suffix(wanted).is_some_and(|kind| kind.ends_with('-'));
        let of_release = |release: ReleaseId| labels[RELEASE] == release.to_string().as_str();
        let container = &pod["status"]["containerStatuses"][0];
        let restarts = container["restartCount"].as_u64().unwrap_or(0);
        let running = !container["state"]["running"].is_null();
        let begun = restarts > 0 || running || !container["state"]["terminated"].is_null();
        (self.process.is_none_or(named) && self.release.is_none_or(of_release) && begun).then(|| Pod {
            name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            process: process.to_owned(),
            restarts,
            running,
        })
    }
}

const BREATH: Duration = Duration::from_millis(300);

fn note(heard: &mut HashMap<String, Heard>, said: Said, at: Option<Timestamp>, hear: &mut (dyn FnMut(Said) + Send)) {
    if let Some(known) = heard.get_mut(&said.pod) {
        known.until = at.or(known.until);
    }
    hear(said);
}

/// A line with `timestamps=true`.
fn timed(text: &str) -> (Option<Timestamp>, &str) {
    let (time, line) = text.split_once(' ').unwrap_or((text, ""));
    match time.parse() {
        Ok(time) => (Some(time), line),
        Err(_) => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_time() {
        let time = |text: &str| text.parse::<Timestamp>().ok();
        for (text, wanted) in [
            ("2026-03-08T00:00:00.123456789Z a b", (time("2026-03-08T00:00:00.123456789Z"), "a b")),
            ("2026-03-08T00:00:00Z ", (time("2026-03-08T00:00:00Z"), "")),
            ("2026-03-08T00:00:00Z", (time("2026-03-08T00:00:00Z"), "")),
            ("unable to retrieve container logs", (None, "unable to retrieve container logs")),
        ] {
            assert_eq!(timed(text), wanted, "{text}");
        }
    }
}
