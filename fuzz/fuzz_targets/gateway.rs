//! The gateway's own reading of a request's path: whatever is asked for, a file that is sent lies in the app's folder, and is neither
//! hidden nor withheld.
#![no_main]

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock};

use dae::gateway::{By, Files, Found, Piece, Rule, Withheld, find};
use libfuzzer_sys::fuzz_target;
use regex::Regex;

struct App {
    _folder: tempfile::TempDir,
    root: PathBuf,
    rules: Vec<Rule>,
}

static APP: LazyLock<App> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("app");
    for name in ["static/.git", "permdir"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["static/a.css", "static/key", "static/.git/a", "app.yaml", "permdir/b", "../key", "../a"] {
        std::fs::write(root.join(name), "").unwrap();
    }
    std::os::unix::fs::symlink("../..", root.join("static/out")).unwrap();
    let rule = |url: &str, path: Vec<Piece>| {
        let withheld = Withheld(Box::new(|path| path.ends_with("key") || path == Path::new("app.yaml")));
        let files = Files { root: root.clone(), permdir: root.join("permdir"), path, withheld };
        Rule { url: Regex::new(&format!(r"\A(?:{url})\z")).unwrap(), by: By::Files(Arc::new(files)) }
    };
    let rules = vec![
        rule("/static/(.*)", vec![Piece::Text("static/".into()), Piece::Group(1)]),
        rule("/(.*)", vec![Piece::Group(1)]),
    ];
    App { _folder: folder, root, rules }
});

fuzz_target!(|path: &str| {
    let App { root, rules, .. } = &*APP;
    let Found::File(files, relative) = find(rules, path) else { return };
    let Some(file) = files.resolve(&relative) else { return };
    let below = file.strip_prefix(root).expect("a file of the folder");
    let hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    assert!(!below.components().any(hidden) && !below.ends_with("key") && below != Path::new("app.yaml"));
});
