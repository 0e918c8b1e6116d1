//! Which remotes a user has, which one an app goes to, and where each app was last seen. One file, written whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::file::{Who, write};
use crate::app::AppName;
use crate::problem::{Doing as _, Problem, Result};

/// A user's remotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remotes {
    path: PathBuf,
    known: File,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    /// Where an app goes of which nothing else is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default)]
    remotes: BTreeMap<String, Remote>,
    /// The remote that was chosen for an app.
    #[serde(default)]
    apps: BTreeMap<String, String>,
    /// Where an app answered last: `remote/app`.
    #[serde(default)]
    urls: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Of a node, where it answers; of a cluster, how it is told.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Box<Cluster>>,
}

impl Remotes {
    /// Reads `remotes.json` in a user's settings; without the file there are none.
    pub fn read(config: &Path) -> Result<Self> {
        let path = config.join("remotes.json");
        let known = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(error).doing(|| format!("read `{}`", path.display())),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Problem::new("remote.config", format!("`{}` is not readable", path.display()))
                    .because(error)
                    .hint("mend it, or remove it and add the remotes again")
            })?,
        };
        Ok(Self { path, known })
    }

    pub fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.known).map_err(io::Error::from).doing(|| "write JSON")?;
        write(&self.path, text.as_bytes(), Who::Everybody)
    }

    /// Adds a remote, or gives one another address. The first becomes the default.
    pub fn add(&mut self, name: &str, url: &Url) -> Result<()> {
        self.put(name, Remote { url: url.as_str().trim_end_matches('/').to_owned(), kubernetes: None })
    }

    /// The same for a cluster.
    pub fn add_cluster(&mut self, name: &str, cluster: Cluster) -> Result<()> {
        self.put(name, Remote { url: cluster.told(), kubernetes: Some(Box::new(cluster)) })
    }

    fn put(&mut self, name: &str, remote: Remote) -> Result<()> {
        check_name(name)?;
        self.known.remotes.insert(name.to_owned(), remote);
        self.known.default.get_or_insert_with(|| name.to_owned());
        Ok(())
    }

    pub fn remove(&mut self, name: &str) -> Result<()> {
        self.get(name)?;
        self.known.remotes.remove(name);
        self.known.apps.retain(|_, remote| remote != name);
        self.known.urls.retain(|key, _| key.split('/').next() != Some(name));
        if self.known.default.as_deref() == Some(name) {
            let mut left = self.known.remotes.keys();
            // The only one left is meant; of several nobody knows which.
            self.known.default = left.next().filter(|_| left.next().is_none()).cloned();
        }
        Ok(())
    }

    /// Remembers the remote of one app, or of all apps without a choice of their own.
    pub fn choose(&mut self, name: &str, app: Option<&AppName>) -> Result<()> {
        self.get(name)?;
        match app {
            Some(app) => drop(self.known.apps.insert(app.to_string(), name.to_owned())),
            None => self.known.default = Some(name.to_owned()),
        }
        Ok(())
    }

    /// The remote that is meant: the one named, else the app's, else the default.
    pub fn pick(&self, named: Option<&str>, app: Option<&AppName>) -> Result<(&str, &Remote)> {
        if let Some(name) = named {
            return self.get(name);
        }
        let chosen = app.and_then(|app| self.known.apps.get(app.as_str()));
        let Some(name) = chosen.or(self.known.default.as_ref()) else {
            return Err(self.none_meant());
        };
        self.get(name)
    }

    fn none_meant(&self) -> Problem {
        if self.known.remotes.is_empty() {
            return Problem::new("remote.none", "there is no remote to deploy to yet")
                .try_running("dae remote add prod https://dae.example.com")
                .hint("to be a remote yourself, on this or another machine: `dae node init`")
                .exit(3);
        }
        Problem::new("remote.which", format!("which remote is meant: {}?", self.names()))
            .try_running("dae remote use NAME")
            .hint("or name it this time: `--remote NAME`")
            .exit(3)
    }

    pub fn get(&self, name: &str) -> Result<(&str, &Remote)> {
        self.known.remotes.get_key_value(name).map(|(name, remote)| (name.as_str(), remote)).ok_or_else(|| {
            let problem = Problem::new("remote.unknown", format!("there is no remote `{name}`")).exit(3);
            if self.known.remotes.is_empty() {
                return problem.try_running(format!("dae remote add {name} URL"));
            }
            problem.because(format!("known are {}", self.names())).try_running("dae remote list")
        })
    }

    fn names(&self) -> String {
        self.known.remotes.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Remote)> {
        self.known.remotes.iter().map(|(name, remote)| (name.as_str(), remote))
    }

    pub fn default(&self) -> Option<&str> {
        self.known.default.as_deref()
    }

    /// Remembers where an app answers; says whether that is news.
    pub fn saw(&mut self, remote: &str, app: &AppName, url: &str) -> bool {
        self.known.urls.insert(format!("{remote}/{app}"), url.to_owned()).as_deref() != Some(url)
    }

    pub fn seen(&self, remote: &str, app: &AppName) -> Option<&str> {
        self.known.urls.get(&format!("{remote}/{app}")).map(String::as_str)
    }
}

/// A remote's address: `https://host`, nothing behind it.
pub fn parse_url(text: &str) -> Result<Url> {
    let wrong = |why: String| {
        Err(Problem::new("remote.url", format!("`{text}` is no address of a remote"))
            .because(why)
            .hint("write it as `https://dae.example.com` or `http://127.0.0.1:8000`")
            .exit(2))
    };
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(error.to_string()),
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return wrong(format!("`{}:` is not spoken here", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("a token does not belong into an address".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return wrong("there is something behind the host".to_owned());
    }
    Ok(url)
}

/// Whether what is sent there leaves this machine unencrypted.
pub fn is_in_the_clear(url: &Url) -> bool {
    url.scheme() == "http" && !is_here(url)
}

/// Whether the host is this machine.
pub fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn check_name(name: &str) -> Result<()> {
    let good = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    if good {
        return Ok(());
    }
    Err(Problem::new("remote.name", format!("`{name}` is no name for a remote"))
        .hint("lowercase letters, digits, `-`, `_` and `.`, as in `prod`")
        .exit(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        parse_url(text).unwrap()
    }

    #[test]
    fn the_one_named_then_the_apps_then_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let app = AppName::parse("a").unwrap();
        let mut remotes = Remotes::read(dir.path()).unwrap();
        assert_eq!(remotes.pick(None, Some(&app)).unwrap_err().code, "remote.none");
        remotes.add("prod", &url("https://one.example")).unwrap();
        remotes.add("test", &url("http://[::1]:8000/")).unwrap();
        remotes.choose("test", Some(&app)).unwrap();
        remotes.write().unwrap();
        let mut remotes = Remotes::read(dir.path()).unwrap();
        let picked = |remotes: &Remotes, named, app| remotes.pick(named, app).unwrap().0.to_owned();
        assert_eq!(picked(&remotes, Some("prod"), Some(&app)), "prod");
        assert_eq!(picked(&remotes, None, Some(&app)), "test");
        assert_eq!(picked(&remotes, None, None), "prod");
        assert_eq!(remotes.get("test").unwrap().1.url, "http://[::1]:8000");
        assert_eq!(remotes.pick(Some("nope"), None).unwrap_err().code, "remote.unknown");
        remotes.remove("prod").unwrap();
        assert_eq!(remotes.default(), Some("test"));
    }

    #[test]
    fn addresses() {
        for bad in ["", "dae.example.com", "ssh://u@h", "https://", "https://t@h", "https://h/x", "https://h?x"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
        for (text, here) in [
            ("http://localhost:1", true),
            ("http://a.localhost", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_here(&url(text)), here, "{text}");
        }
        assert!(is_in_the_clear(&url("http://h")) && !is_in_the_clear(&url("https://h")));
    }
}
