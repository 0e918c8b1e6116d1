//! An API server of the test's own: it keeps what is applied, plays the cluster that makes pods of it, and fails as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::Place;

/// What becomes of a release's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Good,
    /// They never are ready, and nothing says why.
    Silent,
    CrashLoop,
    NoImage,
    NoRoom,
    /// A node is on its way: `Good` follows when the test says so.
    NodeComes,
    NoQuota,
    Deadline,
}

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    Refuse(u16, &'static str),
    /// The connection ends in the middle of the answer; what was asked is done.
    Cut,
    Slow(Duration),
}

#[derive(Debug, Clone)]
pub struct On {
    pub method: Method,
    /// A part of the path and query.
    pub path: &'static str,
    /// How often.
    pub times: usize,
    pub fault: Fault,
}

#[derive(Default)]
pub struct Inner {
    pub objects: BTreeMap<String, Value>,
    pub faults: Vec<On>,
    pub fates: BTreeMap<String, Fate>,
    /// Method and path of all that changes something.
    pub changes: Vec<String>,
    /// The change with this number is never answered.
    pub hang_at: Option<usize>,
    pub denied: Vec<&'static str>,
    /// What a Job prints and ends with, by a word of its arguments.
    pub jobs: BTreeMap<&'static str, (&'static str, u8)>,
    /// Once: a watch is told that it is too late.
    pub gone: bool,
    /// Releases of ready web pods that were seen to be none.
    pub unserved: usize,
    /// How often somebody asked whether a node comes.
    pub asked_for_events: usize,
    version: u64,
}

#[derive(Clone)]
pub struct Cluster {
    pub port: u16,
    inner: Arc<Mutex<Inner>>,
    stirred: Arc<Notify>,
    hung: Arc<Notify>,
}

impl Cluster {
    /// Starts it, and writes a kubeconfig that leads to it.
    pub fn start(place: &Place) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let cluster = Self { port, inner: Arc::default(), stirred: Arc::default(), hung: Arc::default() };
        let served = cluster.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, axum::Router::new().fallback(answer).with_state(served)).await.unwrap();
            });
        });
        cluster.kubeconfig(place, "good");
        cluster
    }

    pub fn kubeconfig(&self, place: &Place, token: &str) {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "prod",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{}", self.port)}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
        });
        std::fs::create_dir_all(place.home(".kube")).unwrap();
        std::fs::write(place.home(".kube/config"), config.to_string()).unwrap();
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn fail(&self, method: Method, path: &'static str, times: usize, fault: Fault) {
        self.inner().faults.push(On { method, path, times, fault });
    }

    /// The node that was on its way is there.
    pub fn has_room(&self, release: &str) {
        self.inner().fates.insert(release.to_owned(), Fate::Good);
        let deployments: Vec<String> =
            self.inner().objects.keys().filter(|path| path.contains("/deployments/")).cloned().collect();
        for path in deployments {
            settle(&mut self.inner(), &path);
        }
        self.stir();
    }

    /// Whoever watches looks again.
    pub fn stir(&self) {
        self.stirred.notify_waiters();
    }

    /// Waits until a request hangs.
    pub fn until_hung(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(crate::harness::PATIENCE, self.hung.notified()).await.unwrap() });
    }

    /// The releases of the web pods that are ready.
    pub fn serving(&self) -> Vec<String> {
        serving(&self.inner())
    }

    pub fn object(&self, path: &str) -> Value {
        self.inner().objects.get(path).cloned().unwrap_or_default()
    }
}

fn serving(inner: &Inner) -> Vec<String> {
    let pods = inner.objects.iter().filter(|(path, _)| path.starts_with(PODS));
    let ready = pods.filter(|(_, pod)| pod["status"]["containerStatuses"][0]["ready"] == true);
    let mut releases: Vec<String> = ready
        .filter(|(_, pod)| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "web")
        .map(|(_, pod)| pod["metadata"]["labels"]["dae.dev/release"].as_str().unwrap().to_owned())
        .collect();
    releases.sort();
    releases.dedup();
    releases
}

const PODS: &str = "/api/v1/namespaces/shop/pods/";

fn refusal(code: u16, message: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "Test", "code": code});
    (StatusCode::from_u16(code).unwrap(), axum::Json(body)).into_response()
}

async fn answer(State(cluster): State<Cluster>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let whole = uri.path_and_query().unwrap().as_str().to_owned();
    let query = uri.query().unwrap_or_default();
    if headers.get("authorization").is_none_or(|value| value != "Bearer good") {
        return refusal(401, "Unauthorized");
    }
    let changes = !matches!(method, Method::GET) && !query.contains("dryRun") && !whole.contains("accessreviews");
    let (fault, hang) = {
        let mut inner = cluster.inner();
        let found = inner.faults.iter_mut().find(|on| on.times > 0 && on.method == method && whole.contains(on.path));
        let fault = found.map(|on| {
            on.times -= 1;
            on.fault.clone()
        });
        if changes {
            inner.changes.push(format!("{method} {}", uri.path()));
        }
        let hang = changes && inner.hang_at == Some(inner.changes.len());
        (fault, hang)
    };
    if hang {
        cluster.hung.notify_one();
        std::future::pending::<()>().await;
    }
    match fault {
        Some(Fault::Refuse(code, message)) => return refusal(code, message),
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let response = if query.contains("watch=true") {
        watch(&cluster).await
    } else if query.contains("follow=true") {
        let cut = matches!(fault, Some(Fault::Cut));
        return follow(&cluster, uri.path().trim_end_matches("/log"), query.contains("timestamps=true"), cut);
    } else {
        act(&cluster, &method, uri.path(), query, &body)
    };
    if matches!(fault, Some(Fault::Cut)) {
        let half: [Result<Bytes, std::io::Error>; 2] =
            [Ok("{\"kind\":".into()), Err(std::io::ErrorKind::ConnectionReset.into())];
        return Response::new(Body::from_stream(futures_util::stream::iter(half)));
    }
    response
}

/// One event, when something happens; or that the version is too old.
async fn watch(cluster: &Cluster) -> Response {
    let event = if std::mem::take(&mut cluster.inner().gone) {
        json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version", "reason": "Expired"}})
    } else {
        let _ = tokio::time::timeout(Duration::from_secs(2), cluster.stirred.notified()).await;
        json!({"type": "MODIFIED", "object": {}})
    };
    Response::new(Body::from(format!("{event}\n")))
}

/// A pod's lines as they come: one at once, the others when it has ended.
fn follow(cluster: &Cluster, pod: &str, timed: bool, cut: bool) -> Response {
    let mut text = said(&cluster.inner(), pod);
    if timed {
        let stamped =
            text.lines().enumerate().map(|(second, line)| format!("2026-03-08T00:00:{second:02}.5Z {line}\n"));
        text = stamped.collect();
    }
    let (first, rest) =
        text.split_once('\n').map(|(first, rest)| (format!("{first}\n"), rest.to_owned())).unwrap_or_default();
    if cut {
        let half: [Result<Bytes, std::io::Error>; 2] =
            [Ok(first.into()), Err(std::io::ErrorKind::ConnectionReset.into())];
        return Response::new(Body::from_stream(futures_util::stream::iter(half)));
    }
    let (cluster, pod) = (cluster.clone(), pod.to_owned());
    let rest = async move {
        let ended = || {
            let inner = cluster.inner();
            inner
                .objects
                .get(&pod)
                .is_none_or(|pod| !pod["status"]["containerStatuses"][0]["state"]["terminated"].is_null())
        };
        while !ended() {
            let _ = tokio::time::timeout(Duration::from_millis(100), cluster.stirred.notified()).await;
        }
        Ok::<_, std::io::Error>(Bytes::from(rest))
    };
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(first))]);
    Response::new(Body::from_stream(futures_util::StreamExt::chain(first, futures_util::stream::once(rest))))
}

/// What a pod prints: a Job's what the test says, any other one line at its begin and one at its end.
fn said(inner: &Inner, pod: &str) -> String {
    let name = pod.rsplit('/').next().unwrap();
    let says = inner.objects.get(pod).and_then(|pod| pod["says"].as_str());
    says.map_or_else(|| format!("begin of {name}\nend of {name}\n"), str::to_owned)
}

/// What the cluster makes of a Job: a pod that runs, and ends unless it is to hang.
fn begin(inner: &mut Inner, cluster: &Cluster, job: &Value) {
    let name = job["metadata"]["name"].as_str().unwrap();
    let path = format!("{PODS}{name}-x");
    if inner.objects.contains_key(&path) {
        return;
    }
    let args = job["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    let (says, code) =
        inner.jobs.iter().find(|(word, _)| args.contains(**word)).map_or(("done\n", 0), |(_, outcome)| *outcome);
    let mut labels = job["spec"]["template"]["metadata"]["labels"].clone();
    labels["batch.kubernetes.io/job-name"] = json!(name);
    let pod = json!({
        "kind": "Pod", "metadata": {"name": format!("{name}-x"), "labels": labels}, "says": says,
        "status": {"phase": "Running", "containerStatuses": [{"name": "app", "state": {"running": {}}}]},
    });
    inner.objects.insert(path.clone(), pod);
    let cluster = cluster.clone();
    tokio::spawn(async move {
        if code == HANGS {
            return;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        if let Some(pod) = cluster.inner().objects.get_mut(&path) {
            pod["status"]["containerStatuses"][0]["state"] =
                json!({"terminated": {"exitCode": code, "reason": "Completed"}});
        }
        cluster.stirred.notify_waiters();
    });
}

/// The exit code of a Job that never ends.
pub const HANGS: u8 = 255;

fn act(cluster: &Cluster, method: &Method, path: &str, query: &str, body: &[u8]) -> Response {
    let mut inner = cluster.inner();
    let sent: Value = serde_json::from_slice(body).unwrap_or_default();
    match (method.as_str(), path) {
        ("GET", "/version") => return axum::Json(json!({"gitVersion": "v1.34.1"})).into_response(),
        ("GET", "/apis") => {
            let groups = ["apps", "batch", "policy", "networking.k8s.io"].map(|name| json!({"name": name}));
            return axum::Json(json!({"groups": groups})).into_response();
        }
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") => {
            let wanted = &sent["spec"]["resourceAttributes"];
            let allowed = !inner.denied.iter().any(|denied| wanted["resource"] == *denied);
            return axum::Json(json!({"status": {"allowed": allowed}})).into_response();
        }
        _ => {}
    }
    if let Some(pod) = path.strip_suffix("/log") {
        let Some(pod) = inner.objects.get(pod) else { return refusal(404, "pods not found") };
        if let Some(says) = pod["says"].as_str() {
            return says.to_owned().into_response();
        }
        let text = if query.contains("previous=true") || pod["status"]["containerStatuses"][0]["ready"] == true {
            format!("one line of {}\nImportError: no such thing\n", pod["metadata"]["name"].as_str().unwrap())
        } else {
            String::new()
        };
        return text.into_response();
    }
    if path.ends_with("/events") {
        // Of every pod: whoever asks has named one.
        let comes = inner.fates.values().any(|fate| *fate == Fate::NodeComes);
        let reason = if comes { "TriggeredScaleUp" } else { "NotTriggerScaleUp" };
        inner.asked_for_events += 1;
        return axum::Json(json!({"items": [{"reason": reason}]})).into_response();
    }
    match method.as_str() {
        "GET" if is_folder(path) => {
            let wanted: Vec<(String, String)> = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("labelSelector="))
                .map(|selector| selector.replace("%3D", "=").replace("%2C", ","))
                .unwrap_or_default()
                .split(',')
                .filter_map(|pair| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())))
                .collect();
            let below =
                inner.objects.iter().filter(|(at, _)| at.rsplit_once('/').is_some_and(|(folder, _)| folder == path));
            let items: Vec<&Value> = below
                .map(|(_, object)| object)
                .filter(|object| wanted.iter().all(|(name, value)| object["metadata"]["labels"][name] == *value))
                .collect();
            axum::Json(
                json!({"kind": "List", "metadata": {"resourceVersion": inner.version.to_string()}, "items": items}),
            )
            .into_response()
        }
        "GET" => match inner.objects.get(path) {
            Some(object) => axum::Json(object.clone()).into_response(),
            None => refusal(404, "not found"),
        },
        "POST" => {
            let path = format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap());
            if inner.objects.contains_key(&path) {
                return refusal(409, "already exists");
            }
            if sent["kind"] == "Job" {
                begin(&mut inner, cluster, &sent);
            }
            axum::Json(store(&mut inner, &path, sent)).into_response()
        }
        "PUT" => match inner.objects.get(path) {
            Some(old) if old["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"] => {
                refusal(409, "the object has been modified")
            }
            Some(_) => axum::Json(store(&mut inner, path, sent)).into_response(),
            None => refusal(404, "not found"),
        },
        "PATCH" if query.contains("dryRun=All") => axum::Json(sent).into_response(),
        "PATCH" => {
            let is_deployment = sent["kind"] == "Deployment";
            if sent["kind"] == "Job" {
                begin(&mut inner, cluster, &sent);
            }
            let stored = store(&mut inner, path, sent);
            if is_deployment {
                roll(&mut inner, cluster, path);
            }
            axum::Json(stored).into_response()
        }
        "DELETE" => {
            let gone = inner.objects.remove(path);
            if let Some(job) = gone.as_ref().filter(|object| object["kind"] == "Job") {
                let name = job["metadata"]["name"].as_str().unwrap();
                inner.objects.remove(&format!("{PODS}{name}-x"));
                cluster.stirred.notify_waiters();
            }
            if let Some(object) = gone.filter(|object| object["kind"] == "Deployment") {
                let labels = object["spec"]["selector"]["matchLabels"].clone();
                inner.objects.retain(|at, pod| !(at.starts_with(PODS) && belongs(pod, &labels)));
            }
            axum::Json(json!({"kind": "Status", "status": "Success"})).into_response()
        }
        other => refusal(405, other),
    }
}

fn is_folder(path: &str) -> bool {
    ["pods", "configmaps", "deployments", "jobs"].iter().any(|plural| path.ends_with(plural))
}

fn store(inner: &mut Inner, path: &str, mut object: Value) -> Value {
    inner.version += 1;
    let old = inner.objects.get(path);
    let generation = old.map_or(0, |old| old["metadata"]["generation"].as_u64().unwrap_or(1));
    let changed = old.is_none_or(|old| old["spec"] != object["spec"]);
    object["metadata"]["generation"] = json!(generation + u64::from(changed));
    object["metadata"]["resourceVersion"] = json!(inner.version.to_string());
    if let Some(old) = old {
        object["status"] = old["status"].clone();
    }
    inner.objects.insert(path.to_owned(), object.clone());
    object
}

fn belongs(pod: &Value, labels: &Value) -> bool {
    labels.as_object().unwrap().iter().all(|(name, value)| pod["metadata"]["labels"][name] == *value)
}

/// What the cluster makes of a Deployment: at once that it has begun, and a little later its pods.
fn roll(inner: &mut Inner, cluster: &Cluster, path: &str) {
    let object = inner.objects.get_mut(path).unwrap();
    object["status"]["observedGeneration"] = json!(0);
    let (cluster, path) = (cluster.clone(), path.to_owned());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(40)).await;
        settle(&mut cluster.inner(), &path);
        cluster.stirred.notify_waiters();
    });
}

fn settle(inner: &mut Inner, path: &str) {
    let Some(object) = inner.objects.get(path).cloned() else { return };
    let labels = object["spec"]["template"]["metadata"]["labels"].clone();
    let selector = object["spec"]["selector"]["matchLabels"].clone();
    // One that is of no release has no label of it.
    let release = labels["dae.dev/release"].as_str().unwrap_or_default().to_owned();
    let fate = inner.fates.get(&release).copied().unwrap_or(Fate::Good);
    let wanted = object["spec"]["replicas"].as_u64().unwrap();
    let name = object["metadata"]["name"].as_str().unwrap();
    let pod = |number: u64, status: Value| {
        let name = format!("{name}-{release}-{number}");
        (
            format!("{PODS}{name}"),
            json!({"kind": "Pod", "metadata": {"name": name, "labels": labels}, "status": status}),
        )
    };
    let ready = json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "app", "ready": true, "restartCount": 0, "state": {"running": {}}}],
    });
    // Pods that neither are ready nor of this release are taken away with the change that made them.
    let is_old = |pod: &Value| pod["metadata"]["labels"]["dae.dev/release"] != release.as_str();
    inner.objects.retain(|at, pod| {
        !(at.starts_with(PODS) && belongs(pod, &selector) && is_old(pod))
            || fate != Fate::Good && pod["status"]["containerStatuses"][0]["ready"] == true
    });
    let generation = object["metadata"]["generation"].clone();
    let old =
        inner.objects.iter().filter(|(at, pod)| at.starts_with(PODS) && belongs(pod, &selector) && is_old(pod)).count()
            as u64;
    let waiting = |reason: &str| {
        json!({"phase": "Pending", "containerStatuses": [{
            "name": "app", "ready": false, "restartCount": 1, "state": {"waiting": {"reason": reason, "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 3}},
        }]})
    };
    let bad = match fate {
        Fate::Good | Fate::Silent | Fate::Deadline => {
            json!({"phase": "Running", "containerStatuses": [{"ready": false, "restartCount": 0}]})
        }
        Fate::CrashLoop => waiting("CrashLoopBackOff"),
        Fate::NoImage => waiting("ErrImagePull"),
        Fate::NoRoom | Fate::NodeComes => json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available",
        }]}),
        Fate::NoQuota => Value::Null,
    };
    let conditions = match fate {
        Fate::NoQuota => {
            json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "pods is forbidden: exceeded quota: small"}])
        }
        Fate::Deadline => {
            json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out progressing"}])
        }
        _ => json!([]),
    };
    let status = if fate == Fate::Good {
        let pods: Vec<(String, Value)> = (0..wanted).map(|number| pod(number, ready.clone())).collect();
        inner.objects.extend(pods);
        json!({"observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted, "conditions": []})
    } else {
        if !bad.is_null() {
            inner.objects.extend([pod(0, bad)]);
        }
        json!({"observedGeneration": generation, "replicas": old + 1, "updatedReplicas": 1, "availableReplicas": old, "conditions": conditions})
    };
    inner.version += 1;
    let version = json!(inner.version.to_string());
    let object = inner.objects.get_mut(path).unwrap();
    object["status"] = status;
    object["metadata"]["resourceVersion"] = version;
    if path.ends_with("-web") && serving(inner).is_empty() {
        inner.unserved += 1;
    }
}
