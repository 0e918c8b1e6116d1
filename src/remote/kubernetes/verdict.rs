//! Whether a Deployment has arrived, goes on, or never will: a pure function of what the cluster says of it and its pods.

use serde_json::Value;

use super::api::told;
use super::manifests::RELEASE;
use crate::problem::Problem;

#[derive(Debug)]
pub enum Verdict {
    Waiting {
        ready: u64,
        of: u64,
    },
    Good {
        pods: u64,
    },
    /// A pod that no node has room for, as it stands now.
    Crowded {
        problem: Box<Problem>,
        pod: String,
    },
    /// Never, and why; and the pod whose last lines may say more.
    Bad {
        problem: Box<Problem>,
        pod: Option<String>,
    },
}

/// Reasons for which a container waits that waiting does not mend.
const HOPELESS: &[(&str, &str)] = &[
    ("CrashLoopBackOff", "app.ended"),
    ("ErrImagePull", "kubernetes.image"),
    ("ImagePullBackOff", "kubernetes.image"),
    ("ErrImageNeverPull", "kubernetes.image"),
    ("InvalidImageName", "kubernetes.image"),
    ("ImageInspectError", "kubernetes.image"),
    ("CreateContainerConfigError", "kubernetes.container"),
    ("CreateContainerError", "kubernetes.container"),
    ("RunContainerError", "kubernetes.container"),
];

/// `wanted` is the Deployment that was applied, `found` what is there now, `pods` those that belong to it.
pub fn judge(wanted: &Value, found: &Value, pods: &[Value]) -> Verdict {
    let name = told(wanted);
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let release = &wanted["spec"]["template"]["metadata"]["labels"][RELEASE];
    let of_release =
        |pod: &&Value| pod["metadata"]["labels"][RELEASE] == *release && pod["metadata"]["deletionTimestamp"].is_null();
    let pods: Vec<&Value> = pods.iter().filter(of_release).collect();
    for pod in &pods {
        if let Some(problem) = hopeless(pod) {
            let pod = pod["metadata"]["name"].as_str().map(str::to_owned);
            return Verdict::Bad { problem: Box::new(problem), pod };
        }
    }
    let of = number(&wanted["spec"]["replicas"]);
    let status = &found["status"];
    let observed = number(&status["observedGeneration"]) >= number(&found["metadata"]["generation"]);
    if observed && let Some(problem) = condition(&name, status) {
        return Verdict::Bad { problem: Box::new(problem), pod: None };
    }
    if let Some((pod, problem)) = pods.iter().find_map(|pod| Some((pod, no_room(pod)?))) {
        let pod = text(&pod["metadata"]["name"]).to_owned();
        return Verdict::Crowded { problem: Box::new(problem), pod };
    }
    let (updated, available) = (number(&status["updatedReplicas"]), number(&status["availableReplicas"]));
    if observed && updated >= of && number(&status["replicas"]) <= updated && available >= updated {
        return Verdict::Good { pods: of };
    }
    let ready = pods.iter().filter(|pod| is_true(pod, "Ready")).count() as u64;
    Verdict::Waiting { ready, of }
}

fn conditions(value: &Value) -> impl Iterator<Item = &Value> {
    value["conditions"].as_array().into_iter().flatten()
}

fn is_true(pod: &Value, kind: &str) -> bool {
    conditions(&pod["status"]).any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Why a pod has no node; none where it has one, or waits for those that were told to leave it.
pub(super) fn no_room(pod: &Value) -> Option<Problem> {
    let name = text(&pod["metadata"]["name"]);
    let condition = conditions(&pod["status"]).find(|condition| {
        condition["type"] == "PodScheduled" && condition["reason"] == "Unschedulable" && condition["status"] == "False"
    })?;
    text(&pod["status"]["nominatedNodeName"]).is_empty().then(|| {
        Problem::new("kubernetes.schedule", "no node has room for a pod of the new release")
            .because(format!("{name}: {}", text(&condition["message"])))
            .try_running("kubectl describe nodes")
            .hint("make room, or need less: `nworkers` and `mem_limit` in app.yaml")
    })
}

/// Why a pod will never be ready.
pub(super) fn hopeless(pod: &Value) -> Option<Problem> {
    let name = text(&pod["metadata"]["name"]);
    let status = &pod["status"];
    let containers = ["initContainerStatuses", "containerStatuses"];
    for container in containers.iter().flat_map(|kind| status[kind].as_array().into_iter().flatten()) {
        let waiting = &container["state"]["waiting"];
        let reason = text(&waiting["reason"]);
        if let Some((_, code)) = HOPELESS.iter().find(|(known, _)| *known == reason) {
            return Some(told_of(code, name, reason, text(&waiting["message"]), container));
        }
        let last = &container["lastState"]["terminated"];
        if container["restartCount"].as_u64().unwrap_or(0) >= 2 && !last.is_null() && container["ready"] != true {
            return Some(told_of(
                "app.ended",
                name,
                "it was started again and again",
                text(&last["message"]),
                container,
            ));
        }
    }
    None
}

fn told_of(code: &'static str, pod: &str, reason: &str, message: &str, container: &Value) -> Problem {
    let because = if message.is_empty() { format!("{pod}: {reason}") } else { format!("{pod}: {reason}: {message}") };
    match code {
        "kubernetes.image" => Problem::new(code, "the nodes cannot pull the image").because(because).hint(
            "the nodes need their own way into the registry: a Secret, named by `dae remote add ... --pull-secret`",
        ),
        "app.ended" => {
            let ended = &container["lastState"]["terminated"];
            let problem =
                Problem::new(code, "a process of the new release ends as soon as it is started").because(because);
            match (text(&ended["reason"]), ended["exitCode"].as_i64()) {
                ("OOMKilled", _) => {
                    problem.because("it had used up its memory").hint("`mem_limit` of a daemon, or fewer `nworkers`")
                }
                (_, Some(exit)) => problem.because(format!("its exit code was {exit}")),
                _ => problem,
            }
        }
        _ => Problem::new(code, "a container of the new release cannot be made").because(because),
    }
}

/// What the Deployment itself says of never.
fn condition(name: &str, status: &Value) -> Option<Problem> {
    conditions(status).find_map(|condition| {
        let message = text(&condition["message"]);
        let state = (text(&condition["type"]), text(&condition["status"]), text(&condition["reason"]));
        match state {
            ("ReplicaFailure", "True", _) if message.contains("exceeded quota") => Some(
                Problem::new("kubernetes.quota", "the namespace's quota leaves no room for the new release")
                    .because(message)
                    .try_running("kubectl describe resourcequota")
                    .hint("ask for more, or need less: `nworkers` and `mem_limit` in app.yaml"),
            ),
            ("ReplicaFailure", "True", _) => {
                Some(Problem::new("kubernetes.pods", format!("{name}: its pods cannot be made")).because(message))
            }
            ("Progressing", "False", "ProgressDeadlineExceeded") => Some(
                Problem::new("app.slow", format!("{name} was not ready in time"))
                    .because(message)
                    .hint("look for something at import that waits: a connection, a lock, a download"),
            ),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: Value) -> Value {
        json!({"metadata": {"name": "p", "labels": {RELEASE: "r2"}}, "status": status})
    }

    fn waiting(reason: &str) -> Value {
        json!({"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": "m"}}, "restartCount": 1}]})
    }

    fn said(status: Value, pods: &[Value]) -> String {
        let wanted = json!({"kind": "Deployment", "metadata": {"name": "a-web"}, "spec": {"replicas": 2, "template": {"metadata": {"labels": {RELEASE: "r2"}}}}});
        let found = json!({"metadata": {"generation": 3}, "status": status});
        match judge(&wanted, &found, pods) {
            Verdict::Waiting { ready, of } => format!("{ready} of {of}"),
            Verdict::Good { pods } => format!("good {pods}"),
            Verdict::Crowded { problem, pod } => format!("{} of {pod}", problem.code),
            Verdict::Bad { problem, pod } => format!("{} {}", problem.code, pod.unwrap_or_default()),
        }
    }

    #[test]
    fn what_a_cluster_says_and_what_it_means() {
        let all = json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        let with = |name: &str, value: Value| {
            let mut status = all.clone();
            status[name] = value;
            status
        };
        let ready = pod(json!({"conditions": [{"type": "Ready", "status": "True"}]}));
        let unschedulable =
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        let mut nominated = unschedulable.clone();
        nominated["nominatedNodeName"] = json!("n");
        let deadline = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        let quota = json!([{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}]);
        for (status, pods, wanted) in [
            (all.clone(), vec![], "good 2"),
            (json!({}), vec![], "0 of 2"),
            (with("observedGeneration", json!(2)), vec![ready.clone()], "1 of 2"),
            (with("replicas", json!(3)), vec![ready.clone(), ready], "2 of 2"),
            (with("availableReplicas", json!(1)), vec![], "0 of 2"),
            (all.clone(), vec![pod(waiting("ContainerCreating"))], "good 2"),
            (all.clone(), vec![pod(waiting("CrashLoopBackOff"))], "app.ended p"),
            (all.clone(), vec![pod(waiting("ErrImagePull"))], "kubernetes.image p"),
            (all.clone(), vec![pod(waiting("CreateContainerConfigError"))], "kubernetes.container p"),
            (json!({}), vec![pod(unschedulable)], "kubernetes.schedule of p"),
            (json!({}), vec![pod(nominated)], "0 of 2"),
            (with("conditions", deadline.clone()), vec![], "app.slow "),
            (with("conditions", quota), vec![], "kubernetes.quota "),
            (json!({"observedGeneration": 2, "conditions": deadline}), vec![], "0 of 2"),
        ] {
            assert_eq!(said(status.clone(), &pods), wanted, "{status} {pods:?}");
        }
        let mut old = pod(waiting("CrashLoopBackOff"));
        old["metadata"]["labels"][RELEASE] = json!("r1");
        assert_eq!(said(all, &[old]), "good 2", "another release's pods do not count");
    }
}
