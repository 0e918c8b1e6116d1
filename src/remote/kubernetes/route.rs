//! How requests from outside come to an app: an HTTPRoute, or an Ingress. The hosts that were added to it, and the share of a gray
//! release, are no part of a release: they are put on as it is applied, so that a rollback changes neither.

use serde_json::{Value, json};

use super::history::Head;
use super::manifests::{GRAY, Wanted, object};
use crate::remote::api::Share;

/// How requests from outside come in; nothing, where the remote has no domain.
pub(super) fn route(wanted: &Wanted) -> Option<Value> {
    let host = format!("{}.{}", wanted.app.host(), wanted.cluster.domain.as_ref()?);
    let service = wanted.app.host();
    if let Some(gateway) = &wanted.cluster.gateway {
        let spec = json!({
            "parentRefs": [{"name": gateway.name, "namespace": gateway.namespace}],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": service, "port": 80}]}],
        });
        return Some(object(wanted, "gateway.networking.k8s.io/v1", "HTTPRoute", "", spec));
    }
    let backend = json!({"service": {"name": service, "port": {"name": "http"}}});
    let mut spec = json!({
        "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
    });
    if let Some(class) = &wanted.cluster.ingress_class {
        spec["ingressClassName"] = json!(class);
    }
    Some(object(wanted, "networking.k8s.io/v1", "Ingress", "", spec))
}

pub fn is_route(object: &Value) -> bool {
    object["kind"] == "HTTPRoute" || object["kind"] == "Ingress"
}

/// An object as it is to be applied now.
pub fn dressed(object: &Value, head: &Head) -> Value {
    let mut object = object.clone();
    if object["kind"] == "Ingress" {
        if let Some(rules) = object["spec"]["rules"].as_array_mut()
            && let Some(own) = rules.first().cloned()
        {
            rules.extend(head.domains.iter().map(|host| {
                let mut rule = own.clone();
                rule["host"] = json!(host);
                rule
            }));
        }
    } else if object["kind"] == "HTTPRoute" {
        if let Some(hosts) = object["spec"]["hostnames"].as_array_mut() {
            hosts.extend(head.domains.iter().map(|host| json!(host)));
        }
        if let Some(gray) = &head.gray {
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            object["spec"]["rules"] = shared(&name, &gray.share);
        }
    }
    object
}

/// Requests with one of the headers go to the gray release, and its share of all others.
fn shared(name: &str, share: &Share) -> Value {
    let to_gray = format!("{name}-{GRAY}");
    let mut rules = Vec::new();
    if !share.headers.is_empty() {
        let one =
            |(name, value): (&String, &String)| json!({"headers": [{"type": "Exact", "name": name, "value": value}]});
        let matches: Vec<Value> = share.headers.iter().map(one).collect();
        rules.push(json!({"matches": matches, "backendRefs": [{"name": to_gray, "port": 80}]}));
    }
    rules.push(json!({"backendRefs": [
        {"name": name, "port": 80, "weight": 100 - share.percent.min(100)},
        {"name": to_gray, "port": 80, "weight": share.percent.min(100)},
    ]}));
    json!(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::api::{Gray, ReleaseId};

    #[test]
    fn hosts_and_weights_are_put_on() {
        let head = Head { domains: vec!["www.example.com".into()], ..Head::default() };
        let ingress = json!({"kind": "Ingress", "spec": {"rules": [{"host": "a.b", "http": 1}]}});
        assert_eq!(
            dressed(&ingress, &head)["spec"]["rules"],
            json!([{"host": "a.b", "http": 1}, {"host": "www.example.com", "http": 1}])
        );
        let route = json!({"kind": "HTTPRoute", "metadata": {"name": "a"}, "spec": {
            "hostnames": ["a.b"], "rules": [{"backendRefs": [{"name": "a", "port": 80}]}],
        }});
        let plain = dressed(&route, &head);
        assert_eq!(plain["spec"]["hostnames"], json!(["a.b", "www.example.com"]));
        assert_eq!(plain["spec"]["rules"], route["spec"]["rules"]);
        let headers = [("x-try".to_owned(), "1".to_owned())].into();
        let gray = Some(Gray { release: ReleaseId(2), share: Share { percent: 10, headers, networks: Vec::new() } });
        assert_eq!(
            dressed(&route, &Head { gray, ..head })["spec"]["rules"],
            json!([
                {
                    "matches": [{"headers": [{"type": "Exact", "name": "x-try", "value": "1"}]}],
                    "backendRefs": [{"name": "a-web-gray", "port": 80}],
                },
                {"backendRefs": [{"name": "a", "port": 80, "weight": 90}, {"name": "a-web-gray", "port": 80, "weight": 10}]},
            ])
        );
    }
}
