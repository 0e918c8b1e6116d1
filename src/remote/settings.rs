//! What an app runs with beside its image, whatever the remote is: the environment and the numbers of processes that were set
//! there, and the hosts it answers for. A change of the first two is a new release.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::app::Manifest;
use crate::problem::{Problem, Result};
use crate::remote::api::{ConfigChange, Scaled};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub scale: BTreeMap<String, u16>,
}

/// The system refuses a variable of 128 KiB; all of them share what a program may be started with.
const LARGEST_VALUE: usize = 64 << 10;
const LARGEST: usize = 256 << 10;
/// Of dae's own those that only the app's processes read: where a service is that a remote has none of.
const ELSEWHERE: &[&str] = &["DAE_DPARK"];
/// Would take Python or dae from under the app.
const RESERVED: &[&str] = &["PYTHONHOME", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"];
/// What the web processes are called.
pub const WEB: &str = "web";
const MOST_WORKERS: u16 = 64;

impl Settings {
    /// All faults of the change are told at once, and none of them shows a value. Of dae's own names those can be set that
    /// `means_something` to the remote.
    pub fn change(&mut self, change: &ConfigChange, means_something: impl Fn(&str) -> bool) -> Result<()> {
        let mut wrong = Vec::new();
        for (name, value) in &change.set {
            wrong.extend(name_fault(name).filter(|_| !means_something(name)));
            if value.contains('\0') {
                wrong.push(fault(format!("the value of `{name}` holds a NUL"), "no environment can carry that"));
            }
            if value.len() > LARGEST_VALUE {
                let size = format!("the value of `{name}` has {} bytes", value.len());
                wrong.push(fault(
                    size,
                    "up to 65536 are taken: put it into a file, under `protected_files` if it is secret",
                ));
            }
        }
        for name in change.unset.iter().filter(|name| !self.env.contains_key(*name)) {
            wrong.push(fault(format!("`{name}` is not set"), "`dae config list` shows what is"));
        }
        if let Some(problem) = Problem::all(wrong) {
            return Err(problem);
        }
        self.env.retain(|name, _| !change.unset.contains(name));
        self.env.extend(change.set.clone());
        let size: usize = self.env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        if size > LARGEST {
            return Err(fault(format!("all values together would have {size} bytes"), "up to 262144 are taken"));
        }
        Ok(())
    }

    /// How many of each there are to be, in an app with this app.yaml.
    pub fn counts(&self, manifest: &Manifest) -> BTreeMap<String, Scaled> {
        usual(manifest)
            .into_iter()
            .map(|(name, usual)| {
                (name.clone(), Scaled { count: self.scale.get(&name).copied().unwrap_or(usual), usual })
            })
            .collect()
    }

    pub fn scale(&mut self, change: &BTreeMap<String, Option<u16>>, manifest: &Manifest) -> Result<()> {
        let known = usual(manifest);
        let mut wrong = Vec::new();
        for (name, count) in change {
            if !known.contains_key(name) {
                let there = known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                wrong.push(
                    Problem::new("scale.unknown", format!("the app has no process `{name}`"))
                        .hint(format!("there is: {there}")),
                );
            } else if name == WEB && !count.is_none_or(|count| (1..=MOST_WORKERS).contains(&count)) {
                wrong.push(Problem::new("scale.count", format!("`web` wants 1 to {MOST_WORKERS} processes")));
            } else if count.is_some_and(|count| count > MOST_WORKERS) {
                wrong.push(Problem::new("scale.count", format!("`{name}` wants at most {MOST_WORKERS} processes")));
            }
        }
        if let Some(problem) = Problem::all(wrong) {
            return Err(problem);
        }
        for (name, count) in change {
            match count.filter(|count| known.get(name) != Some(count)) {
                Some(count) => drop(self.scale.insert(name.clone(), count)),
                None => drop(self.scale.remove(name)),
            }
        }
        Ok(())
    }

    /// app.yaml with these numbers in it. What it no longer knows is passed over.
    pub fn scaled(&self, mut manifest: Manifest) -> Manifest {
        if let Some(count) = self.scale.get(WEB) {
            manifest.nworkers = *count;
        }
        for daemon in &mut manifest.daemons {
            daemon.num_instances = self.scale.get(&daemon.name).copied().unwrap_or(daemon.num_instances);
        }
        for queue in &mut manifest.queues {
            queue.workers = self.scale.get(&queue_name(&queue.name)).copied().unwrap_or(queue.workers);
        }
        manifest
    }
}

fn usual(manifest: &Manifest) -> BTreeMap<String, u16> {
    let web = manifest.needs_worker().then(|| (WEB.to_owned(), manifest.nworkers));
    let daemons = manifest.daemons.iter().map(|daemon| (daemon.name.clone(), daemon.num_instances));
    let queues = manifest.queues.iter().map(|queue| (queue_name(&queue.name), queue.workers));
    // A daemon may be called `web`; then the word is the web processes'.
    queues.chain(daemons).chain(web).collect()
}

pub fn queue_name(queue: &str) -> String {
    format!("queue.{queue}")
}

fn name_fault(name: &str) -> Option<Problem> {
    let good = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.len() <= 128;
    if !good {
        return Some(fault(format!("`{}` is no name for a variable", name.escape_debug()), "letters, digits and `_`"));
    }
    let ours = name.to_ascii_uppercase().starts_with("DAE_") && !ELSEWHERE.contains(&name);
    let reserved = ours || RESERVED.contains(&name);
    reserved.then(|| {
        fault(
            format!("`{name}` cannot be set"),
            "names with `DAE_` before them, and those Python starts with, are dae's own",
        )
    })
}

/// Names, and no values: a release's message is for everybody.
pub fn said(what: &str, set: &BTreeMap<String, String>, unset: &[String]) -> String {
    let names = set.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let parts = [(!set.is_empty(), format!("set {names}")), (!unset.is_empty(), format!("unset {}", unset.join(", ")))];
    let parts: Vec<String> = parts.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect();
    format!("{what}: {}", parts.join(", "))
}

/// As it will stand in a `Host` header: lowercase, without a port or a last dot.
pub fn host_name(text: &str) -> Result<String, Problem> {
    let host = text.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let good = host.len() <= 253
        && host.split('.').all(label)
        && host.parse::<std::net::IpAddr>().is_err()
        && !host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if good {
        return Ok(host);
    }
    Err(Problem::new("domain.name", format!("`{}` is no host name", text.escape_debug()))
        .hint("write it as `www.example.com`, without a scheme, a port or a path; other alphabets as `xn--...`"))
}

fn fault(what: String, hint: &str) -> Problem {
    Problem::new("config.refused", what).hint(hint)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn change(set: &[(&str, &str)], unset: &[&str]) -> ConfigChange {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ConfigChange { set, unset: unset.iter().map(|name| (*name).to_owned()).collect(), by: None }
    }

    #[test]
    fn a_change_is_made_whole_or_not_at_all() {
        let mut settings = Settings::default();
        settings.change(&change(&[("A", "1"), ("_b", "")], &[]), |_| false).unwrap();
        settings.change(&change(&[("C", "x=y"), ("DAE_DPARK", "dask://big")], &["A"]), |_| false).unwrap();
        assert_eq!(settings.env.keys().collect::<Vec<_>>(), ["C", "DAE_DPARK", "_b"]);
        let before = settings.clone();
        let long = "x".repeat(LARGEST_VALUE + 1);
        let refused = [
            ("D", "hush\0"),
            ("DAE_X", "hush"),
            ("dae_y", ""),
            ("1", ""),
            ("a b", ""),
            ("PYTHONHOME", ""),
            ("L", &long),
            ("", ""),
        ];
        let problem = settings.change(&change(&refused, &["nosuch"]), |_| false).unwrap_err();
        assert_eq!(problem.others.len() + 1, refused.len() + 1);
        assert!(!format!("{problem:?}").contains("hush"));
        assert_eq!(settings, before);
        let half = "x".repeat(LARGEST_VALUE);
        let many: Vec<(String, &str)> = (0..5).map(|n| (format!("V{n}"), half.as_str())).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(settings.change(&change(&many, &[]), |_| false).unwrap_err().code, "config.refused");
    }

    #[test]
    fn numbers_of_processes() {
        let yaml = "application: a\nhandlers:\n- url: /.*\n  wsgi_app: app:app\nnworkers: 2\n\
                    daemons: [{name: feed, script: feed.py}]\nqueues: [{name: mail}]\n";
        let manifest = Manifest::parse(Path::new("app.yaml"), yaml.as_bytes()).unwrap().0;
        let mut settings = Settings::default();
        let mut scale = |name: &str, count| settings.scale(&[(name.to_owned(), count)].into(), &manifest);
        scale("web", Some(3)).unwrap();
        scale("feed", Some(0)).unwrap();
        scale("queue.mail", Some(4)).unwrap();
        for (name, count) in [("web", 0), ("web", 65), ("feed", 65), ("nosuch", 1)] {
            assert!(scale(name, Some(count)).is_err(), "{name} {count}");
        }
        let scaled = settings.scaled(manifest.clone());
        assert_eq!((scaled.nworkers, scaled.daemons[0].num_instances, scaled.queues[0].workers), (3, 0, 4));
        assert_eq!(settings.counts(&manifest)["web"], Scaled { count: 3, usual: 2 });
        settings.scale(&[("web".to_owned(), Some(2)), ("feed".to_owned(), None)].into(), &manifest).unwrap();
        assert_eq!(settings.scale, [("queue.mail".to_owned(), 4)].into());
    }

    #[test]
    fn what_a_host_name_is() {
        for (text, wanted) in [
            ("www.Example.com.", Some("www.example.com")),
            ("example", Some("example")),
            ("xn--6qq79v.cn", Some("xn--6qq79v.cn")),
            ("a_b.c", None),
            ("x:80", None),
            ("http://x", None),
            ("10.0.0.1", None),
            ("::1", None),
            ("*", None),
            ("a..b", None),
            ("-a.b", None),
            ("", None),
            ("你好.cn", None),
        ] {
            assert_eq!(host_name(text).ok().as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_message_has_no_values() {
        let set = [("A".to_owned(), "hush".to_owned()), ("B".to_owned(), String::new())].into();
        assert_eq!(said("config", &set, &["C".into()]), "config: set A, B, unset C");
        assert_eq!(said("config", &BTreeMap::new(), &["C".into()]), "config: unset C");
    }
}
