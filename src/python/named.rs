//! The files that a pip-req.txt names with `-r` and `-c`, and those that these name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::pins::{Names, Pins};

/// Each once, in the order they are named; one that is not there is left to the installer's complaint.
pub fn files(root: &Path, pins: &Pins) -> Vec<(Names, Pins)> {
    let mut found = Vec::new();
    follow(root, pins, &mut BTreeSet::new(), &mut found);
    found
}

fn follow(folder: &Path, pins: &Pins, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<(Names, Pins)>) {
    for (kind, name) in pins.named() {
        let Ok(path) = folder.join(name).canonicalize() else { continue };
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if seen.insert(path.clone()) {
            let named = Pins::parse_file(Path::new(name), &text);
            found.push((kind, named.clone()));
            follow(path.parent().unwrap_or(folder), &named, seen, found);
        }
    }
}
