//! Installed distributions, read from their `*.dist-info` without starting a Python.

use std::collections::BTreeMap;
use std::path::Path;

use super::requirement::Name;

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dist {
    /// As the project spells it.
    pub spelled: String,
    pub version: String,
    /// What it needs, by name, where no extra has to be asked for.
    pub needs: Vec<Name>,
    /// `direct_url.json`, for what came from elsewhere than an index.
    pub direct_url: Option<serde_json::Value>,
}

/// What a site-packages folder holds, by name.
pub fn in_folder(folder: &Path) -> BTreeMap<Name, Dist> {
    let Ok(entries) = folder.read_dir() else { return BTreeMap::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".dist-info"))
        .filter_map(|entry| {
            let metadata = std::fs::read(entry.path().join("METADATA")).ok()?;
            let mut dist = Dist::parse(&String::from_utf8_lossy(&metadata))?;
            let url = std::fs::read(entry.path().join("direct_url.json")).ok();
            dist.direct_url = url.and_then(|url| serde_json::from_slice(&url).ok());
            Some((Name::new(&dist.spelled), dist))
        })
        .collect()
}

/// Writes `direct_url.json` of a distribution that is there.
pub fn note_origin(folder: &Path, name: &Name, origin: &serde_json::Value) -> std::io::Result<()> {
    for entry in folder.read_dir()?.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let info = file.strip_suffix(".dist-info").and_then(|info| info.split_once('-'));
        if info.is_some_and(|(spelled, _)| Name::new(spelled) == *name) {
            std::fs::write(entry.path().join("direct_url.json"), origin.to_string())?;
        }
    }
    Ok(())
}

impl Dist {
    /// Reads METADATA, or the same headers from elsewhere.
    pub fn parse(metadata: &str) -> Option<Self> {
        let (mut spelled, mut version, mut needs) = (None, None, Vec::new());
        for line in metadata.lines().take_while(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("Name", name)) => spelled = Some(name.trim().to_owned()),
                Some(("Version", text)) => version = Some(text.trim().to_owned()),
                Some(("Requires-Dist", text)) => needs.extend(need(text)),
                _ => {}
            }
        }
        Some(Self { spelled: spelled?, version: version?, needs, direct_url: None })
    }

    /// The line that installs just this again, where it came from elsewhere than an index:
    /// <https://packaging.python.org/en/latest/specifications/direct-url/>.
    pub fn origin(&self) -> Option<String> {
        let origin = self.direct_url.as_ref()?;
        let url = origin["url"].as_str()?;
        let vcs = &origin["vcs_info"];
        Some(match (vcs["vcs"].as_str(), vcs["commit_id"].as_str()) {
            (Some(vcs), Some(commit)) => format!("{} @ {vcs}+{url}@{commit}", self.spelled),
            _ if origin["dir_info"]["editable"] == true => format!("-e {url}"),
            _ => format!("{} @ {url}", self.spelled),
        })
    }
}

/// What an installer itself consists of, which no pip-req.txt has to name.
pub fn is_seed(name: &Name) -> bool {
    ["pip", "setuptools", "wheel"].contains(&name.as_str())
}

/// The name in a `Requires-Dist`, unless only an extra asks for it.
pub fn need(text: &str) -> Option<Name> {
    let (wanted, marker) = text.split_once(';').unwrap_or((text, ""));
    if marker.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "extra") {
        return None;
    }
    let end = wanted.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(wanted.len());
    Some(Name::new(&wanted[..end])).filter(|name| !name.as_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_up_to_the_description() {
        let dist = Dist::parse(
            "Metadata-Version: 2.4\nName: web.py\nVersion: 0.76\nRequires-Dist: cheroot\n\
             Requires-Dist: more_itertools>=1\nRequires-Dist: redis<9; extra == 'redis'\n\nRequires-Dist: nothing\n",
        )
        .unwrap();
        assert_eq!((dist.spelled.as_str(), dist.version.as_str()), ("web.py", "0.76"));
        assert_eq!(dist.needs.iter().map(Name::as_str).collect::<Vec<_>>(), ["cheroot", "more-itertools"]);
    }
}
