//! What is derived from the definition of the command line and kept in the repository: completions and man pages.
//! `DAE_UPDATE=1 cargo test --test it derived` writes them anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::harness::Place;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares, or writes when asked to. Every stale file is named at once.
fn same(folder: &str, derived: Vec<(String, String)>) {
    let folder = repository().join(folder);
    if std::env::var_os("DAE_UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in derived {
            std::fs::write(folder.join(name), text).unwrap();
        }
        return;
    }
    let kept: BTreeSet<PathBuf> = std::fs::read_dir(&folder).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    let wanted: BTreeSet<PathBuf> = derived.iter().map(|(name, _)| folder.join(name)).collect();
    let mut stale: BTreeSet<&PathBuf> = kept.symmetric_difference(&wanted).collect();
    for (name, text) in &derived {
        let path = wanted.get(&folder.join(name)).unwrap();
        if std::fs::read_to_string(path).is_ok_and(|kept| kept != *text) {
            stale.insert(path);
        }
    }
    assert!(stale.is_empty(), "stale: {stale:#?}\nwrite them anew with `DAE_UPDATE=1 cargo test --test it derived`");
}

#[test]
fn completions_are_what_the_binary_prints() {
    let place = Place::new();
    let script = |shell: &str| place.dae(["completions", shell]).ok().stdout;
    same(
        "completions",
        [("dae.bash", "bash"), ("_dae", "zsh"), ("dae.fish", "fish")]
            .map(|(name, shell)| (name.to_owned(), script(shell)))
            .to_vec(),
    );
}

#[test]
fn man_pages_are_what_the_binary_prints() {
    let place = Place::new();
    let page = |name: &str| place.dae(std::iter::once("man").chain(name.split('-').skip(1))).ok().stdout;
    let names = dae::commands::man::pages().unwrap().into_iter().map(|(name, _)| name);
    same("man", names.map(|name| (format!("{name}.1"), page(&name))).collect());
}
