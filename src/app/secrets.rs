//! Values of an app that nobody may see where something is kept of it: they are taken out of a text.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, MatchKind};

use super::Manifest;

/// What stands in the place of a value; Sentry's word for it.
pub const FILTERED: &str = "[Filtered]";
/// A shorter value is taken out only where it stands alone: within other words it may be there by chance.
const LONG_ENOUGH: usize = 6;
/// A shorter one says nothing.
const SHORTEST: usize = 3;
/// No more of a file is read, in bytes, and no more files than so many.
const MOST: u64 = 256 << 10;
const MOST_FILES: usize = 64;

#[derive(Clone, Default)]
pub struct Secrets {
    short: HashSet<String>,
    /// None: there are no longer ones.
    long: Option<AhoCorasick>,
}

impl Secrets {
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut all = HashSet::new();
        values.into_iter().for_each(|value| add(&mut all, &value));
        let (short, long): (HashSet<_>, HashSet<_>) =
            all.into_iter().partition(|value: &String| value.len() < LONG_ENOUGH);
        // What contains another one counts, or half of it would be left.
        let long =
            (!long.is_empty()).then(|| AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(long));
        // Too many to be looked for would be gigabytes of them.
        Self { short, long: long.and_then(Result::ok) }
    }

    pub fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_none()
    }

    pub fn hide(&self, text: &mut String) {
        // A client has local variables as Python writes them, with quotes.
        if self.short.contains(text.trim_matches(['\'', '"'])) {
            FILTERED.clone_into(text);
        } else if let Some(long) = &self.long
            && long.is_match(text.as_str())
        {
            *text = long.replace_all(text, &vec![FILTERED; long.patterns_len()]);
        }
    }

    /// Whether that is one.
    pub fn are(&self, text: &str) -> bool {
        let mut hidden = text.to_owned();
        self.hide(&mut hidden);
        hidden == FILTERED
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// The protected files of the app in `root`, and what may be a value in them.
pub fn protected(root: &Path, manifest: &Manifest) -> (Vec<PathBuf>, HashSet<String>) {
    let (mut found, mut values) = (Vec::new(), HashSet::new());
    let Ok(protected) = manifest.protected() else { return (found, values) };
    if manifest.protected_files.is_empty() {
        return (found, values);
    }
    for file in files(root) {
        let Ok(relative) = file.strip_prefix(root) else { continue };
        if found.len() < MOST_FILES && protected.holds(relative) {
            if let Ok(bytes) = read(&file) {
                values_in(&String::from_utf8_lossy(&bytes), &mut values);
            }
            found.push(file);
        }
    }
    (found, values)
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn add(values: &mut HashSet<String>, value: &str) {
    let value = value.trim().trim_matches(['\'', '"', ',', ';']);
    if value.len() >= SHORTEST && !["true", "false", "none", "null"].contains(&value.to_ascii_lowercase().as_str()) {
        values.insert(value.to_owned());
    }
}

/// What may be a value: what stands in quotes, what follows `=` or `:`, and long lines whole, as those of a key.
fn values_in(text: &str, values: &mut HashSet<String>) {
    let mut add = |value: &str| add(values, value);
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        for quote in ['\'', '"'] {
            line.split(quote).skip(1).step_by(2).for_each(&mut add);
        }
        if let Some((_, value)) = line.split_once(['=', ':']) {
            add(value);
        } else if !line.contains([' ', '(', '[', '{']) {
            add(line);
        }
        if line.len() >= 40 {
            add(line);
        }
    }
}

fn files(root: &Path) -> Vec<PathBuf> {
    let skip = ["venv", ".dae", ".git", ".hg", "permdir", "node_modules", "__pycache__"];
    let walk = ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .filter_entry(move |entry| !skip.contains(&entry.file_name().to_string_lossy().as_ref()))
        .build();
    let files = walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    files.map(ignore::DirEntry::into_path).take(20_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_out() {
        let secrets =
            Secrets::new(["hunter2", "hunter2hunter2", "4711", "true", "ab", " 'quoted!' "].map(str::to_owned));
        for (text, left) in [
            ("with hunter2hunter2 and hunter2.", "with [Filtered] and [Filtered]."),
            ("at 14711", "at 14711"),
            ("4711", "[Filtered]"),
            ("'4711'", "[Filtered]"),
            ("true ab", "true ab"),
            ("a quoted! b", "a [Filtered] b"),
            ("", ""),
        ] {
            let mut hidden = text.to_owned();
            secrets.hide(&mut hidden);
            assert_eq!(hidden, left);
        }
        assert!(secrets.are("4711") && secrets.are("hunter2") && !secrets.are("x hunter2"));
        assert!(Secrets::new([String::new()]).is_empty());
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }
}
