//! When the app's code was last changed.

use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;

/// The newest change of a file below `root` that belongs to the app. `None` where there is no file.
pub fn last_edit(root: &Path) -> Option<Timestamp> {
    let skip = ["venv", "permdir", "node_modules", "__pycache__"];
    // Hidden folders are passed by: `.dae`, `.git`.
    let walk = ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(true)
        .filter_entry(move |entry| !skip.contains(&entry.file_name().to_string_lossy().as_ref()))
        .build();
    let files = walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    let changed = files.filter_map(|entry| entry.metadata().ok()?.modified().ok());
    changed.max().and_then(|newest: SystemTime| Timestamp::try_from(newest).ok())
}
