//! Which files of an app nobody may see: what `protected_files` names, in the patterns of `.gitignore`.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The patterns, ready to be asked.
#[derive(Debug, Clone)]
pub struct Protected(Gitignore);

impl Protected {
    /// `Err` is the first that is no pattern, and why.
    pub fn new(patterns: &[String]) -> Result<Self, (&str, String)> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            builder.add_line(None, pattern).map_err(|error| (pattern.as_str(), error.to_string()))?;
        }
        builder.build().map(Self).map_err(|error| ("", error.to_string()))
    }

    /// Whether the file at `relative`, a path below the app's folder, holds a secret: it, or a folder above it, is named.
    pub fn holds(&self, relative: &Path) -> bool {
        !relative.has_root() && self.0.matched_path_or_any_parents(relative, false).is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_a_folder_above_it() {
        let patterns = ["local_config.py", "secrets/*", "/top.key", "*.pem"].map(str::to_owned);
        let protected = Protected::new(&patterns).unwrap();
        for (path, held) in [
            ("local_config.py", true),
            ("a/local_config.py", true),
            ("secrets/a", true),
            ("secrets/a/b", true),
            ("top.key", true),
            ("a/top.key", false),
            ("static/x.pem", true),
            ("app.py", false),
            ("/etc/x.pem", false),
        ] {
            assert_eq!(protected.holds(Path::new(path)), held, "{path}");
        }
        assert!(Protected::new(&["a{".to_owned()]).is_err());
    }
}
