//! Who may log in to a node's apps, and who knows them: `login` in node.yaml, and what `dae config` sets for one app.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::problem::{Doing as _, Problem, Result};
use crate::remote::config::is_here;

/// `login` in node.yaml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The provider, as it calls itself.
    pub issuer: String,
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// Where it stands instead, below the node's folder or absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// None: those that everybody has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Only addresses of these domains get in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_domains: Vec<String>,
    /// Only members of one of these get in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_groups: Vec<String>,
    /// Whose members have `.admin`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admin_groups: Vec<String>,
    /// The claim that lists groups.
    #[serde(default = "groups", skip_serializing_if = "is_groups")]
    pub groups_claim: String,
}

fn groups() -> String {
    "groups".into()
}

fn is_groups(claim: &str) -> bool {
    claim == "groups"
}

/// Never shows what it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What `dae config` sets for one app; no environment of its processes.
pub const SWITCH: &str = "DAE_LOGIN";
const ISSUER: &str = "DAE_LOGIN_ISSUER";
const CLIENT_ID: &str = "DAE_LOGIN_CLIENT_ID";
const CLIENT_SECRET: &str = "DAE_LOGIN_CLIENT_SECRET";
const SCOPES: &str = "DAE_LOGIN_SCOPES";
const DOMAINS: &str = "DAE_LOGIN_DOMAINS";
const GROUPS: &str = "DAE_LOGIN_GROUPS";
const ADMIN_GROUPS: &str = "DAE_LOGIN_ADMIN_GROUPS";
const GROUPS_CLAIM: &str = "DAE_LOGIN_GROUPS_CLAIM";
const NAMES: &[&str] = &[SWITCH, ISSUER, CLIENT_ID, CLIENT_SECRET, SCOPES, DOMAINS, GROUPS, ADMIN_GROUPS, GROUPS_CLAIM];

/// Whether `name` is one of these.
pub fn is_ours(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Settings {
    /// Checked, with the secret in it; `dir` is the node's folder.
    pub fn ready(mut self, dir: &Path) -> Result<Self> {
        if let Some(file) = self.client_secret_file.take() {
            if self.client_secret.is_some() {
                return Err(wrong("`client_secret` and `client_secret_file` are both set").hint("keep one of them"));
            }
            let path = dir.join(file);
            let text = std::fs::read_to_string(&path).doing(|| format!("read `{}`", path.display()))?;
            self.client_secret = Some(Secret(text.trim().to_owned()));
        }
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        let url = Url::parse(&self.issuer)
            .map_err(|error| wrong(format!("`{}` is no address of a provider", self.issuer)).because(error))?;
        // What goes over it would log anybody in; within a machine nobody listens.
        if url.scheme() != "https" && !(url.scheme() == "http" && is_here(&url)) {
            return Err(wrong(format!("the provider `{}` is not reached by https", self.issuer)));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong(format!("`{}` has more than a path", self.issuer))
                .hint("write it as the provider's `.well-known/openid-configuration` has it under `issuer`"));
        }
        if self.client_id.trim().is_empty() {
            return Err(
                wrong("there is no `client_id`").hint("the provider gives it when the node is registered there")
            );
        }
        Ok(())
    }

    /// What counts for one app: the node's, changed by what `config` sets. None: nobody logs in there.
    ///
    /// Another issuer or client brings nothing of the node's along, so that no app sends the node's secret elsewhere.
    pub fn of_app(node: Option<&Self>, config: &BTreeMap<String, String>) -> Result<Option<Self>> {
        let set = |name: &str| config.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        match set(SWITCH) {
            Some("off") => return Ok(None),
            None | Some("on") => {}
            Some(_) => return Err(wrong(format!("`{SWITCH}` is neither `on` nor `off`"))),
        }
        let mut settings = match (set(ISSUER), set(CLIENT_ID), node) {
            (Some(issuer), Some(client_id), _) => Self::of(issuer, client_id),
            (None, Some(client_id), Some(node)) => {
                Self { client_id: client_id.to_owned(), client_secret: None, ..node.clone() }
            }
            (None, None, Some(node)) if set(CLIENT_SECRET).is_none() => node.clone(),
            (None, None, None) if !config.keys().any(|name| is_ours(name)) => return Ok(None),
            (Some(_), None, _) => return Err(wrong(format!("`{ISSUER}` is set, and `{CLIENT_ID}` is not"))),
            (None, None, Some(_)) => return Err(wrong(format!("`{CLIENT_SECRET}` is set, and `{CLIENT_ID}` is not"))),
            (None, _, None) => {
                return Err(wrong("this node knows no provider to log in with")
                    .hint(format!("set `{ISSUER}` and `{CLIENT_ID}`, or have `login` set in node.yaml")));
            }
        };
        if let Some(secret) = set(CLIENT_SECRET) {
            settings.client_secret = Some(Secret(secret.to_owned()));
        }
        let lists = [
            (SCOPES, &mut settings.scopes),
            (DOMAINS, &mut settings.allowed_domains),
            (GROUPS, &mut settings.allowed_groups),
            (ADMIN_GROUPS, &mut settings.admin_groups),
        ];
        for (name, list) in lists {
            if let Some(text) = set(name) {
                let words = text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty());
                *list = words.map(str::to_owned).collect();
            }
        }
        if let Some(claim) = set(GROUPS_CLAIM) {
            claim.clone_into(&mut settings.groups_claim);
        }
        settings.check()?;
        Ok(Some(settings))
    }

    pub fn of(issuer: &str, client_id: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: None,
            client_secret_file: None,
            scopes: Vec::new(),
            allowed_domains: Vec::new(),
            allowed_groups: Vec::new(),
            admin_groups: Vec::new(),
            groups_claim: groups(),
        }
    }
}

fn wrong(what: impl Into<String>) -> Problem {
    Problem::new("login.settings", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_app_sets_counts_for_it_alone_and_takes_no_secret_elsewhere() {
        let node = Settings {
            client_secret: Some(Secret("hush".into())),
            allowed_domains: vec!["example.com".into()],
            ..Settings::of("https://id.example.com", "node")
        };
        let of = |node: Option<&Settings>, set: &[(&str, &str)]| {
            let config = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Settings::of_app(node, &config)
        };
        let told = |set: &[(&str, &str)]| {
            of(Some(&node), set).unwrap().map(|it| {
                let secret = it.client_secret.map_or("-".into(), |secret| secret.0);
                format!("{} {} {secret} {:?} {:?}", it.issuer, it.client_id, it.allowed_domains, it.allowed_groups)
            })
        };
        let nodes = "https://id.example.com node hush [\"example.com\"]";
        assert_eq!(told(&[("OTHER", "x")]), Some(format!("{nodes} []")));
        assert_eq!(told(&[(GROUPS, "staff, ops")]), Some(format!("{nodes} [\"staff\", \"ops\"]")));
        assert_eq!(told(&[(SWITCH, "off")]), None);
        assert_eq!(told(&[(CLIENT_ID, "own")]), Some("https://id.example.com own - [\"example.com\"] []".into()));
        let own = [(ISSUER, "https://o.example"), (CLIENT_ID, "own"), (CLIENT_SECRET, "s")];
        assert_eq!(told(&own), Some("https://o.example own s [] []".into()));
        assert_eq!(of(None, &[]).unwrap(), None);
        for (node, set) in [
            (Some(&node), &[(ISSUER, "https://o.example")][..]),
            (Some(&node), &[(CLIENT_SECRET, "s")]),
            (Some(&node), &[(SWITCH, "maybe")]),
            (Some(&node), &[(ISSUER, "http://o.example"), (CLIENT_ID, "x")]),
            (Some(&node), &[(ISSUER, "o.example"), (CLIENT_ID, "x")]),
            (Some(&node), &[(ISSUER, "https://o.example/?x=1"), (CLIENT_ID, "x")]),
            (None, &[(GROUPS, "staff")]),
            (None, &[(SWITCH, "on")]),
        ] {
            assert_eq!(of(node, set).unwrap_err().code, "login.settings", "{set:?}");
        }
        assert!(of(None, &[(ISSUER, "http://127.0.0.1:9/x"), (CLIENT_ID, "x")]).unwrap().is_some());
        assert!(!format!("{node:?}").contains("hush"));
    }
}
