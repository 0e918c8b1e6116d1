//! The cluster's API server: connected to as `kubectl` would be, asked again where that does no harm.

use std::time::Duration;

use futures_util::{AsyncBufReadExt as _, StreamExt as _};
use hyper::{Method, Request};
use kube::client::AuthError;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use serde_json::{Value, json};

use super::manifests::MANAGER;
use super::problems;
use crate::problem::{Problem, Result};
use crate::remote::cluster::Cluster;

/// One cluster, and the namespace that is ours in it.
pub struct Api {
    client: kube::Client,
    pub cluster: Cluster,
    /// The name the user gave the remote.
    pub remote: String,
}

/// Why there is no good answer.
#[derive(Debug)]
pub enum Failure {
    /// The API server says no.
    Refused(Box<Status>),
    /// Nobody says anything.
    Silent(String),
    /// Nobody is asked: it could not be said who asks.
    Nobody(String),
}

/// Whether an apply takes fields from others who set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    NobodyElse,
    Anybody,
}

/// Whether an apply is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    Run,
    Dry,
}

const PATIENCE: Duration = Duration::from_secs(30);
/// Milliseconds before each further try.
const PAUSES: [u64; 4] = [200, 600, 1800, 5000];

impl Failure {
    pub fn code(&self) -> u16 {
        match self {
            Self::Refused(status) => status.code,
            Self::Silent(_) | Self::Nobody(_) => 0,
        }
    }

    fn is_not_now(&self) -> bool {
        !matches!(self, Self::Nobody(_)) && matches!(self.code(), 0 | 408 | 429 | 500 | 502 | 503 | 504)
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status),
            kube::Error::Auth(error) => Self::Nobody(nobody(&error, None)),
            other => Self::Silent(innermost(&other)),
        }
    }
}

/// Why it cannot be said who asks; `program` is what the kubeconfig has for that.
fn nobody(error: &AuthError, program: Option<&str>) -> String {
    let program = program.map_or_else(|| "the program in the kubeconfig".to_owned(), |name| format!("`{name}`"));
    match error {
        AuthError::AuthExecStart(error) => format!("{program} cannot be run: {error}"),
        // What it printed otherwise may be a secret.
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            format!("{program} failed, {}: {}", out.status, said.trim())
        }
        other => other.to_string(),
    }
}

/// An error with what lies below it, each said once.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = source.source();
    }
    text
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

impl Api {
    pub async fn connect(remote: &str, cluster: &Cluster) -> Result<Self> {
        let mut config = config(remote, cluster).await?;
        config.connect_timeout = Some(Duration::from_secs(10));
        // Tries are ours: the same rule for what is refused and what breaks off.
        config.default_retry = false;
        let program = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
        let client = kube::Client::try_from(config).map_err(|error| {
            let why = match error {
                kube::Error::Auth(error) => nobody(&error, program.as_deref()),
                other => whole(&other),
            };
            problems::credentials(remote, cluster, &why)
        })?;
        Ok(Self { client, cluster: cluster.clone(), remote: remote.to_owned() })
    }

    pub fn namespace(&self) -> &str {
        &self.cluster.namespace
    }

    /// A failure in words; `what` follows "could not".
    pub fn problem(&self, what: &str, failure: Failure) -> Problem {
        problems::problem(self, what, failure)
    }

    async fn once(&self, method: &Method, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(body.to_vec())
            .map_err(|error| Failure::Silent(error.to_string()))?;
        let answer = tokio::time::timeout(PATIENCE, self.client.request_text(request)).await;
        match answer {
            Ok(answer) => Ok(answer?.into_bytes()),
            Err(_) => Err(Failure::Silent(format!("no answer within {} seconds", PATIENCE.as_secs()))),
        }
    }

    /// Asks what does no harm when it is asked twice.
    async fn patiently(&self, method: Method, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut tries = PAUSES.iter();
        loop {
            let outcome = self.once(&method, path, kind, body).await;
            let not_now = matches!(&outcome, Err(failure) if failure.is_not_now());
            let Some(pause) = tries.next().filter(|_| not_now) else { return outcome };
            tokio::time::sleep(Duration::from_millis(*pause)).await;
        }
    }

    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        parse(&self.patiently(Method::GET, path, "application/json", &[]).await?)
    }

    /// `None` where there is no such object.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(failure) if failure.code() == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub async fn text(&self, path: &str) -> Result<String, Failure> {
        let bytes = self.patiently(Method::GET, path, "application/json", &[]).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Hands the lines of a stream on as they come, until it ends; when nothing comes it waits as long as it takes.
    pub async fn lines(&self, path: &str, hear: &mut (dyn FnMut(String) + Send)) -> Result<(), Failure> {
        let silent = |error: &dyn std::fmt::Display| Failure::Silent(error.to_string());
        let request = Request::builder().uri(path).body(Vec::new()).map_err(|error| silent(&error))?;
        let begun = tokio::time::timeout(PATIENCE, self.client.request_stream(request)).await;
        let stream = begun.map_err(|_| silent(&"it does not begin to answer"))??;
        let mut lines = Box::pin(stream.lines());
        while let Some(line) = lines.next().await {
            hear(line.map_err(|error| silent(&error))?);
        }
        Ok(())
    }

    /// Not asked twice: the second answer would be a conflict with the first.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, Failure> {
        let body = object.to_string();
        parse(
            &self
                .once(&Method::POST, &format!("{path}?fieldManager={MANAGER}"), "application/json", body.as_bytes())
                .await?,
        )
    }

    /// Puts `object` in the place of the version it names.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, Failure> {
        let body = object.to_string();
        parse(
            &self
                .once(&Method::PUT, &format!("{path}?fieldManager={MANAGER}"), "application/json", body.as_bytes())
                .await?,
        )
    }

    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        let body = json!({"propagationPolicy": "Background"}).to_string();
        match self.patiently(Method::DELETE, path, "application/json", body.as_bytes()).await {
            Err(failure) if failure.code() != 404 => Err(failure),
            _ => Ok(()),
        }
    }

    /// Server-side apply: what the object says is so afterwards, and what it said before and says no more is gone.
    pub async fn apply(&self, object: &Value, over: Over, how: Try) -> Result<Value, Failure> {
        let force = if over == Over::Anybody { "&force=true" } else { "" };
        let dry = if how == Try::Dry { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldManager={MANAGER}&fieldValidation=Strict{force}{dry}", path(object));
        let body = object.to_string();
        parse(&self.patiently(Method::PATCH, &path, "application/apply-patch+yaml", body.as_bytes()).await?)
    }

    /// Waits until something happens to what `path` lists, or for `at_most`. Only a reason to look again: what is told is not
    /// used, so a cut, a version that is too old (410), or a server that cannot watch costs no more than the wait.
    pub async fn stir(&self, path: &str, version: &str, at_most: Duration) {
        let seconds = at_most.as_secs().max(1);
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{sign}watch=true&resourceVersion={version}&timeoutSeconds={seconds}");
        let watch = async {
            let Ok(request) = Request::builder().uri(&path).body(Vec::new()) else { return };
            match self.client.request_events::<Value>(request).await {
                // The first word is enough, whatever it is; but an error must not become a busy loop.
                Ok(events) => match Box::pin(events).next().await {
                    Some(Ok(kube::core::WatchEvent::Error(_)) | Err(_)) | None => tokio::time::sleep(BREATH).await,
                    Some(Ok(_)) => {}
                },
                Err(_) => tokio::time::sleep(BREATH).await,
            }
        };
        let _ = tokio::time::timeout(at_most, watch).await;
    }
}

const BREATH: Duration = Duration::from_millis(300);

fn parse(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Silent(format!("the answer is no JSON: {error}")))
}

async fn config(remote: &str, cluster: &Cluster) -> Result<kube::Config> {
    let broken = |error: &dyn std::error::Error| problems::kubeconfig(remote, cluster, error);
    let kubeconfig = match &cluster.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let kubeconfig = match kubeconfig {
        Ok(kubeconfig) => kubeconfig,
        // A pod that deploys has no file, and is somebody all the same.
        Err(_)
            if cluster.context.is_none()
                && cluster.kubeconfig.is_none()
                && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() =>
        {
            return kube::Config::incluster().map_err(|error| broken(&error));
        }
        Err(error) => return Err(broken(&error)),
    };
    if let Some(context) = &cluster.context
        && !kubeconfig.contexts.iter().any(|known| known.name == *context)
    {
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
        return Err(problems::context(remote, context, &known));
    }
    let options = KubeConfigOptions { context: cluster.context.clone(), ..KubeConfigOptions::default() };
    kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| broken(&error))
}

/// The kinds we write, where they are.
const KINDS: &[(&str, &str, &str)] = &[
    ("ConfigMap", "/api/v1", "configmaps"),
    ("Secret", "/api/v1", "secrets"),
    ("Service", "/api/v1", "services"),
    ("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
    ("Deployment", "/apis/apps/v1", "deployments"),
    ("CronJob", "/apis/batch/v1", "cronjobs"),
    ("Job", "/apis/batch/v1", "jobs"),
    ("PodDisruptionBudget", "/apis/policy/v1", "poddisruptionbudgets"),
    ("Ingress", "/apis/networking.k8s.io/v1", "ingresses"),
    ("HTTPRoute", "/apis/gateway.networking.k8s.io/v1", "httproutes"),
];

/// Where the objects of a kind are in a namespace.
pub fn folder(kind: &str, namespace: &str) -> String {
    let (_, group, plural) = KINDS.iter().find(|(known, _, _)| *known == kind).unwrap_or(&KINDS[0]);
    format!("{group}/namespaces/{namespace}/{plural}")
}

/// Where an object is.
pub fn path(object: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = &object["metadata"];
    format!("{}/{}", folder(&word(&object["kind"]), &word(&meta["namespace"])), word(&meta["name"]))
}

/// The same in words: `Deployment shop-web`.
pub fn told(object: &Value) -> String {
    format!(
        "{} {}",
        object["kind"].as_str().unwrap_or("object"),
        object["metadata"]["name"].as_str().unwrap_or_default()
    )
}
