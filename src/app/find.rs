//! Which app a folder belongs to.

use std::path::{Path, PathBuf};

use crate::problem::{Problem, Result};

/// The nearest folder at or above `from` that holds an app.yaml.
pub fn find(from: &Path) -> Result<PathBuf> {
    from.ancestors().find(|folder| folder.join("app.yaml").is_file()).map(Path::to_owned).ok_or_else(|| {
        Problem::new("app.not-found", "no app.yaml here or in any folder above")
            .because(format!("looked from `{}` up to `/`", from.display()))
            .try_running("dae create NAME")
            .hint("or go into an app's folder first, or name it: `dae -C FOLDER ...`")
    })
}
