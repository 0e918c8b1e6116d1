//! A folder that is there whole or not at all, made by whoever comes first.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::problem::{Doing as _, Result};

const ASIDE: &str = ".making-";
/// What an interrupted one left behind is certainly nobody's any more after this long.
const ABANDONED: Duration = Duration::from_hours(24);

/// Has `fill` make the folder's contents in a folder beside it, which then takes the place. Where two are at it at once,
/// the first one's is kept.
pub fn make(place: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let doing = || format!("make the folder `{}`", place.display());
    let parent = place.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).doing(doing)?;
    clear_abandoned(parent);
    let aside = tempfile::Builder::new().prefix(ASIDE).tempdir_in(parent).doing(doing)?;
    // tempdir's own folder is nobody else's to read; the one inside has a folder's usual permissions.
    let inner = aside.path().join("whole");
    std::fs::create_dir(&inner).doing(doing)?;
    fill(&inner)?;
    match std::fs::rename(&inner, place) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => Ok(()),
        other => other.doing(doing),
    }
}

fn clear_abandoned(parent: &Path) {
    let Ok(entries) = parent.read_dir() else { return };
    for entry in entries.flatten() {
        let old = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED));
        if old && entry.file_name().to_string_lossy().starts_with(ASIDE) {
            // Only room is lost when it cannot be removed.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn the_first_one_is_kept_and_a_failed_one_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("a/b");
        let fill = |text: &'static str| move |folder: &Path| std::fs::write(folder.join("f"), text).doing(|| "write");
        assert!(make(&place, |_| Err(Problem::new("x", "no"))).is_err());
        assert!(!place.exists());
        make(&place, fill("one")).unwrap();
        make(&place, fill("two")).unwrap();
        assert_eq!(std::fs::read_to_string(place.join("f")).unwrap(), "one");
        assert_eq!(dir.path().join("a").read_dir().unwrap().count(), 1);
    }
}
