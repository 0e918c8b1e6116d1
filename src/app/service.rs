//! `services` and `services_idls` in app.yaml: what the app offers to other apps over Thrift.

use serde::{Deserialize, Serialize};

use super::Target;
use super::reader::{Keys, Reader};
use super::yaml::Node;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The name of the .thrift file without its end, and of the service in it.
    pub interface: Interface,
    pub handler: Target,
    #[serde(default)]
    pub client_param: ClientParam,
}

/// `user.UserStorage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub idl: String,
    pub service: String,
}

/// How clients behave, unless they say otherwise; times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientParam {
    pub retries: Option<u32>,
    pub connect_timeout: Option<f64>,
    pub read_timeout: Option<f64>,
}

pub(super) const SERVICE: &[&str] = &["interface", "handler", "client_param"];
pub(super) const CLIENT_PARAM: &[&str] = &["retries", "connect_timeout", "read_timeout"];

impl Reader<'_> {
    pub(super) fn services(&mut self, keys: &Keys) -> Vec<Service> {
        let example = "services: [{interface: user.UserStorage, handler: user.handler:UserStorageHandler}]";
        let mut seen = Vec::new();
        self.list(keys, "services", example).iter().filter_map(|node| self.service(node, &mut seen)).collect()
    }

    fn service(&mut self, node: &Node, seen: &mut Vec<Interface>) -> Option<Service> {
        let keys = self.keys(node, "a service", SERVICE)?;
        let interface = self
            .required(&keys, "interface", "this service", "interface: user.UserStorage")
            .and_then(|node| self.interface(node, seen));
        let handler = self
            .required(&keys, "handler", "this service", "handler: user.handler:UserStorageHandler")
            .and_then(|node| self.target(node, "handler"));
        let client_param = keys.get("client_param").map(|node| self.client_param(node)).unwrap_or_default();
        Some(Service { interface: interface?, handler: handler?, client_param })
    }

    fn interface(&mut self, node: &Node, seen: &mut Vec<Interface>) -> Option<Interface> {
        let text = self.text(node, "interface")?;
        let good = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let parts = text.rsplit_once('.').filter(|(idl, service)| idl.split('.').all(good) && good(service));
        let Some((idl, service)) = parts else {
            let hint = "write the .thrift file and the service in it: `user.UserStorage` is UserStorage of user.thrift";
            self.wrong(node, "interface", format!("`{text}` does not name a service"), hint);
            return None;
        };
        let interface = Interface { idl: idl.into(), service: service.into() };
        if seen.contains(&interface) {
            self.wrong(node, "interface", format!("`{text}` is there twice"), "keep one of them");
            return None;
        }
        seen.push(interface.clone());
        Some(interface)
    }

    fn client_param(&mut self, node: &Node) -> ClientParam {
        let Some(keys) = self.keys(node, "`client_param`", CLIENT_PARAM) else { return ClientParam::default() };
        ClientParam {
            retries: keys.get("retries").map(|_| self.number(&keys, "retries", 0..=100, 3)),
            connect_timeout: self.seconds(&keys, "connect_timeout"),
            read_timeout: self.seconds(&keys, "read_timeout"),
        }
    }

    /// Files of the app with one of these ends.
    pub(super) fn files(&mut self, keys: &Keys, name: &str, end: &str) -> Vec<String> {
        let nodes = self.list(keys, name, &format!("{name}: [user{end}]"));
        let mut files = Vec::new();
        for node in nodes {
            let Some(path) = self.path(node, name) else { continue };
            if path.ends_with(end) {
                files.push(path);
            } else {
                self.wrong(node, name, format!("`{path}` is no {end} file"), format!("name files that end in `{end}`"));
            }
        }
        files
    }
}
