//! Where packages come from, as the user told pip, put so that uv hears it too. uv's own settings win.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// pip's setting, uv's variable for it. Lists are blank-separated for pip and comma- or blank-separated for uv.
const SAME: &[(&str, &str, Shape)] = &[
    ("index-url", "UV_DEFAULT_INDEX", Shape::One),
    ("extra-index-url", "UV_INDEX", Shape::Blanks),
    ("find-links", "UV_FIND_LINKS", Shape::Commas),
    ("no-index", "UV_NO_INDEX", Shape::One),
    ("trusted-host", "UV_INSECURE_HOST", Shape::Blanks),
    ("constraint", "UV_CONSTRAINT", Shape::Blanks),
    ("cert", "SSL_CERT_FILE", Shape::One),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    Blanks,
    Commas,
}

/// Gives `uv` what the user has set for pip and not for uv.
pub fn tell_uv(uv: &mut Command) {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let files = config_files(&environment).into_iter().filter_map(|file| std::fs::read_to_string(file).ok());
    for (name, value) in for_uv(&environment, files) {
        uv.env(name, value);
    }
    // Four tries, as uv has it, keep somebody without a network waiting for a quarter of a minute.
    if !environment.contains_key("UV_HTTP_RETRIES") {
        uv.env("UV_HTTP_RETRIES", "1");
    }
    // What it says is read: one line of it is one line.
    uv.env("UV_NO_WRAP", "1");
    uv.env("UV_NO_PROGRESS", "1").env("NO_COLOR", "1").env("UV_PYTHON_DOWNLOADS", "never");
}

/// The variables to set, from an environment and the texts of pip's configuration files, the weightiest last.
fn for_uv(
    environment: &BTreeMap<String, String>,
    files: impl Iterator<Item = String>,
) -> BTreeMap<&'static str, String> {
    let mut pip = BTreeMap::new();
    for file in files {
        pip.extend(read_config(&file));
    }
    for (key, ..) in SAME {
        let variable = format!("PIP_{}", key.replace('-', "_").to_uppercase());
        if let Some(value) = environment.get(&variable).filter(|value| !value.trim().is_empty()) {
            pip.insert((*key).to_owned(), value.clone());
        }
    }
    let taken = |name: &str| {
        let older = match name {
            "UV_DEFAULT_INDEX" => "UV_INDEX_URL",
            "UV_INDEX" => "UV_EXTRA_INDEX_URL",
            other => other,
        };
        environment.contains_key(name) || environment.contains_key(older)
    };
    SAME.iter()
        .filter(|(_, name, _)| !taken(name))
        .filter_map(|(key, name, shape)| {
            let value = pip.get(*key)?;
            let words = value.split_whitespace();
            let value = match shape {
                Shape::One => value.trim().to_owned(),
                Shape::Blanks => words.collect::<Vec<_>>().join(" "),
                // uv stops at a folder that is not there, pip passes over it.
                Shape::Commas => {
                    words.filter(|word| word.contains("://") || Path::new(word).exists()).collect::<Vec<_>>().join(",")
                }
            };
            (!value.is_empty()).then_some((*name, value))
        })
        .collect()
}

/// The `[global]` and `[install]` sections of a pip.conf; indented lines carry a value on.
fn read_config(text: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let (mut counts, mut last) = (false, None::<String>);
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some(value) = last.as_ref().and_then(|key| found.get_mut(key))
        {
            value.push(' ');
            value.push_str(bare);
        } else if let Some(section) = bare.strip_prefix('[') {
            counts = matches!(section.trim_end_matches(']').trim(), "global" | "install");
            last = None;
        } else if let Some((key, value)) = bare.split_once(['=', ':']).filter(|_| counts) {
            let key = key.trim().to_lowercase().replace('_', "-");
            found.insert(key.clone(), value.trim().to_owned());
            last = Some(key);
        }
    }
    found
}

/// pip's configuration files, the weightiest last.
fn config_files(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = set("PIP_CONFIG_FILE");
    if own.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let home = set("HOME").unwrap_or_default();
    let config = set("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    if config.join("uv/uv.toml").exists() {
        return Vec::new();
    }
    let mut files =
        vec![PathBuf::from("/etc/xdg/pip/pip.conf"), PathBuf::from("/etc/pip.conf"), home.join(".pip/pip.conf")];
    files.push(config.join("pip/pip.conf"));
    if cfg!(target_os = "macos") {
        files.push(home.join("Library/Application Support/pip/pip.conf"));
    }
    files.extend(own);
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(environment: &[(&str, &str)], file: &str) -> String {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        for_uv(&environment, std::iter::once(file.to_owned()))
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn what_pip_was_told_reaches_uv() {
        let file = "[global]\nindex-url = http://index.test/simple\nextra-index-url =\n    http://a.test\n    http://b.test\n\
                    [freeze]\ntimeout = 10\n[install]\nfind_links: /nowhere /tmp\n";
        insta::assert_snapshot!(told(&[], file), @"
        UV_DEFAULT_INDEX=http://index.test/simple
        UV_FIND_LINKS=/tmp
        UV_INDEX=http://a.test http://b.test
        ");
        insta::assert_snapshot!(told(&[("PIP_INDEX_URL", "http://own.test"), ("UV_INDEX", "http://c.test")], file), @"
        UV_DEFAULT_INDEX=http://own.test
        UV_FIND_LINKS=/tmp
        ");
        insta::assert_snapshot!(told(&[("UV_INDEX_URL", "http://d.test"), ("PIP_CERT", "/c.pem")], file), @"
        SSL_CERT_FILE=/c.pem
        UV_FIND_LINKS=/tmp
        UV_INDEX=http://a.test http://b.test
        ");
    }
}
