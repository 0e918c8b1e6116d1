//! What an API server refuses, in words that say what to type.

use super::api::{Api, Failure};
use crate::problem::Problem;
use crate::remote::client::exit;
use crate::remote::cluster::Cluster;

pub fn kubeconfig(remote: &str, cluster: &Cluster, error: &dyn std::error::Error) -> Problem {
    let place = match &cluster.kubeconfig {
        Some(path) => format!("`{}`", path.display()),
        None => "`KUBECONFIG` or `~/.kube/config`".to_owned(),
    };
    let problem =
        Problem::new("kubernetes.kubeconfig", format!("remote `{remote}` is a cluster, and there is no way to it"))
            .because(error)
            .hint(format!("what is looked for is a kubeconfig in {place}"));
    let context = cluster.context.as_deref().map(|name| format!(" --context {name}")).unwrap_or_default();
    problem.try_running(format!("kubectl{context} cluster-info")).exit(exit::REFUSED)
}

pub fn context(remote: &str, context: &str, known: &[&str]) -> Problem {
    let problem =
        Problem::new("kubernetes.context", format!("the kubeconfig has no context `{context}`")).exit(exit::REFUSED);
    if known.is_empty() {
        return problem.because("it has none at all").hint("get it from whoever runs the cluster");
    }
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    problem
        .because(format!("it has {}", names.join(", ")))
        .try_running(format!("dae remote add {remote} kubernetes --context {} ...", known[0]))
}

/// Credentials that cannot even be shown.
pub fn credentials(remote: &str, cluster: &Cluster, error: &dyn std::fmt::Display) -> Problem {
    let context = cluster.context.as_deref().map(|name| format!(" --context {name}")).unwrap_or_default();
    Problem::new("kubernetes.credentials", format!("could not get ready to speak to remote `{remote}`"))
        .because(error)
        .try_running(format!("kubectl{context} auth whoami"))
        .exit(exit::REFUSED)
}

/// A failure of a request; `what` follows "could not".
pub fn problem(api: &Api, what: &str, failure: Failure) -> Problem {
    let remote = &api.remote;
    let namespace = api.namespace();
    let context = api.cluster.context.as_deref().map(|name| format!(" --context {name}")).unwrap_or_default();
    let new = |code: &'static str, exit: u8| Problem::new(code, format!("could not {what}")).exit(exit);
    let status = match failure {
        Failure::Silent(why) => {
            return new("kubernetes.silent", exit::UNREACHABLE)
                .because(format!("the API server of remote `{remote}` does not answer: {why}"))
                .try_running(format!("kubectl{context} cluster-info"))
                .hint("what a cluster was told it goes on with: `dae releases` says how far it came");
        }
        Failure::Nobody(why) => return credentials(remote, &api.cluster, &why),
        Failure::Refused(status) => *status,
    };
    let said = if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
    let has = |word: &str| said.contains(word);
    match status.code {
        401 => new("kubernetes.expired", exit::REFUSED)
            .because("the cluster does not know who asks: the credentials are wrong, or have expired")
            .try_running(format!("kubectl{context} auth whoami"))
            .hint("log in to the cluster again, as its owner tells you; then do this again"),
        403 if has("exceeded quota") => new("kubernetes.quota", exit::REFUSED)
            .because(said)
            .try_running(format!("kubectl{context} -n {namespace} describe resourcequota"))
            .hint("ask for more, or need less: `nworkers` and `mem_limit` in app.yaml, `dae scale`"),
        403 if has("being terminated") => {
            terminating(new("kubernetes.terminating", exit::REFUSED), namespace, &context)
        }
        403 => new("kubernetes.rights", exit::REFUSED)
            .because(said)
            .try_running(format!("dae remote check {remote}"))
            .hint("the rights that are needed, ready to be applied, are in docs/kubernetes.md"),
        404 if has("namespaces") && has("not found") => new("kubernetes.namespace", exit::REFUSED)
            .because(format!("there is no namespace `{namespace}`"))
            .try_running(format!("kubectl{context} create namespace {namespace}")),
        404 => new("kubernetes.unknown", exit::REFUSED).because(said).try_running(format!("dae remote check {remote}")),
        409 if has("conflict with") => new("kubernetes.conflict", exit::OVERTAKEN)
            .because(said.replace('\n', " "))
            .hint("somebody else has set these fields, by hand or by another tool")
            .try_running("dae deploy --force"),
        409 if has("being terminated") => {
            terminating(new("kubernetes.terminating", exit::REFUSED), namespace, &context)
        }
        409 => new("release.moved", exit::OVERTAKEN)
            .because("somebody else deployed meanwhile")
            .try_running("dae releases")
            .hint("look what is live now, and deploy again if yours is still wanted"),
        422 if has("immutable") => {
            let kind = status.details.as_ref().map(|details| details.kind.to_lowercase()).unwrap_or_default();
            let name = status.details.as_ref().map(|details| details.name.clone()).unwrap_or_default();
            let said = said.replace('\n', " ");
            new("kubernetes.immutable", exit::REFUSED)
                .because(if said.len() > 400 {
                    format!("{}...", said.chars().take(400).collect::<String>())
                } else {
                    said
                })
                .hint("the object was changed by hand, or made by another tool, in a field that cannot be changed back")
                .try_running(format!("kubectl{context} -n {namespace} delete {kind} {name} --cascade=orphan"))
                .hint("its pods go on serving; then deploy again")
        }
        400 | 422 => new("kubernetes.refused", exit::REFUSED)
            .because(said.replace('\n', " "))
            .try_running(format!("dae remote check {remote}")),
        code => new("kubernetes.silent", exit::UNREACHABLE)
            .because(format!("the API server answered {code}: {said}"))
            .try_running(format!("kubectl{context} cluster-info")),
    }
}

fn terminating(problem: Problem, namespace: &str, context: &str) -> Problem {
    problem
        .because(format!("the namespace `{namespace}` is being deleted"))
        .try_running(format!("kubectl{context} get namespace {namespace}"))
        .hint("when it is gone, make it again, and deploy; or name another one: `dae remote add`")
}
