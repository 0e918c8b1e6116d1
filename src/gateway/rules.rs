//! What of an upstream is answered from files, and what goes to its process: first match wins, as app.yaml's handlers say.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use regex::{Captures, Regex};

#[derive(Debug)]
pub struct Rule {
    /// Matches a whole path.
    pub url: Regex,
    pub by: By,
}

#[derive(Debug)]
pub enum By {
    Process,
    Files(Arc<Files>),
}

/// Which files a rule may send.
#[derive(Debug)]
pub struct Files {
    /// Absolute and without links.
    pub root: PathBuf,
    /// Where what is asked for below `permdir` lies.
    pub permdir: PathBuf,
    /// A path below the root.
    pub path: Vec<Piece>,
    pub withheld: Withheld,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// What this group of `url` matched.
    Group(usize),
}

/// Says of a path below the root whether it is kept from everybody.
pub struct Withheld(pub Box<dyn Fn(&Path) -> bool + Send + Sync>);

impl std::fmt::Debug for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Withheld")
    }
}

/// What the rules say of a path.
#[derive(Debug)]
pub enum Found {
    Process,
    /// The file at this path below the root, if there is one that may be sent.
    File(Arc<Files>, String),
    Nothing,
}

/// By whom `path` is answered; without any rule, the process answers everything.
pub fn find(rules: &[Rule], path: &str) -> Found {
    if rules.is_empty() {
        return Found::Process;
    }
    let path = decode(path);
    for rule in rules {
        let Some(groups) = rule.url.captures(&path) else { continue };
        return match &rule.by {
            By::Process => Found::Process,
            By::Files(files) => Found::File(files.clone(), files.fill(&groups)),
        };
    }
    Found::Nothing
}

impl Files {
    fn fill(&self, groups: &Captures<'_>) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Group(number) => groups.get(*number).map_or_else(String::new, |group| group.as_str().to_owned()),
        };
        self.path.iter().map(piece).collect()
    }

    /// The file at `relative` with links followed, if it may be sent: it stays below the root or the folder for permanent
    /// files, and neither its name nor what the name stands for is hidden or withheld.
    pub fn resolve(&self, relative: &str) -> Option<PathBuf> {
        let asked = Path::new(relative);
        if !is_plain(asked) || (self.withheld.0)(asked) {
            return None;
        }
        let (path, below) = if let Ok(permanent) = asked.strip_prefix("permdir") {
            let permdir = self.permdir.canonicalize().ok()?;
            let path = permdir.join(permanent).canonicalize().ok()?;
            let below = Path::new("permdir").join(path.strip_prefix(permdir).ok()?);
            (path, below)
        } else {
            let path = self.root.join(asked).canonicalize().ok()?;
            let below = path.strip_prefix(&self.root).ok()?.to_owned();
            (path, below)
        };
        (is_plain(&below) && !(self.withheld.0)(&below) && path.is_file()).then_some(path)
    }
}

/// Goes down only, and through nothing hidden; `.well-known` is meant to be seen (RFC 8615).
fn is_plain(relative: &Path) -> bool {
    let plain = |part: Component<'_>| match part {
        Component::Normal(name) => name == ".well-known" || !name.as_encoded_bytes().starts_with(b"."),
        Component::CurDir => true,
        _ => false,
    };
    relative.components().all(plain) && !relative.as_os_str().as_encoded_bytes().contains(&0)
}

/// Percent-decoded, as the workers read it: what is no UTF-8 becomes U+FFFD.
fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|hex| bytes[at] == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let hex = digits.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        decoded.push(hex.unwrap_or(bytes[at]));
        at += if hex.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn rule(root: &Path, url: &str, path: &[Piece]) -> Rule {
        let withheld = Withheld(Box::new(|path| path.ends_with("key") || path == Path::new("app.yaml")));
        let files = Files { root: root.to_owned(), permdir: root.join("permdir"), path: path.to_vec(), withheld };
        Rule { url: Regex::new(&format!(r"\A(?:{url})\z")).unwrap(), by: By::Files(Arc::new(files)) }
    }

    pub fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    proptest::proptest! {
        #[test]
        fn no_path_leads_out_or_to_what_is_hidden(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                "/", "..", "%2e%2e", "%2F", ".", "%2E", "static", "x.css", "key", "%6bey", ".git", "%00", "%", "%zz", "app.yaml",
                "permdir", "upload", "\\", "%c0%ae", "\u{4f60}", "out", "//", "?",
            ]), 0..12),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap().join("app");
            for name in ["static/.git", "permdir"] {
                std::fs::create_dir_all(root.join(name)).unwrap();
            }
            for name in ["static/x.css", "static/key", "static/.git/x.css", "app.yaml", "permdir/upload", "../key", "../x.css"] {
                std::fs::write(root.join(name), "").unwrap();
            }
            std::os::unix::fs::symlink("../..", root.join("static/out")).unwrap();
            let rules = [
                rule(&root, "/static/(.*)", &[text("static/"), Piece::Group(1)]),
                rule(&root, "/(.*)", &[Piece::Group(1)]),
            ];
            if let Found::File(files, relative) = find(&rules, &format!("/{}", parts.concat()))
                && let Some(path) = files.resolve(&relative)
            {
                let below = path.strip_prefix(&root).expect("a file of the folder");
                assert!(is_plain(below) && !below.ends_with("key") && below != Path::new("app.yaml"), "{}", path.display());
            }
        }
    }

    #[test]
    fn only_files_of_the_folder_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["static", "static/a b", "secret", "static/.git", ".well-known"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        for name in [
            "static/x.css",
            "static/a b/y.js",
            "secret/key",
            "app.py",
            "app.yaml",
            "static/.env",
            "static/.git/config",
            ".well-known/acme",
            "static/你好.txt",
        ] {
            std::fs::write(root.join(name), "").unwrap();
        }
        std::fs::write(outside.path().join("upload"), "").unwrap();
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        link(Path::new("/etc/hostname"), "static/out");
        link(Path::new("/etc"), "static/etc");
        link(&root.join("secret/key"), "static/k");
        link(&root.join("static/.env"), "static/env");
        link(&root.join("app.py"), "static/in");
        link(outside.path(), "permdir");
        let group = Piece::Group(1);
        let rules = [
            rule(&root, "/static/(.*)", &[text("static/"), group.clone()]),
            rule(&root, "/i/(.*)", &[text("permdir/"), group.clone()]),
            rule(&root, "/favicon.ico", &[text("static/x.css")]),
            rule(&root, "/all/(?s:(.*))", &[group]),
            Rule { url: Regex::new(r"\A(?:/(never|p/.*)?)\z").unwrap(), by: By::Process },
            rule(&root, "/never", &[text("app.py")]),
        ];
        let found = |path: &str| match find(&rules, path) {
            Found::Process => "process".to_owned(),
            Found::Nothing => "nothing".to_owned(),
            Found::File(files, path) => {
                files.resolve(&path).map_or_else(|| "no file".into(), |path| path.display().to_string())
            }
        };
        let file = |path: &str| root.join(path).display().to_string();
        for (path, expected) in [
            ("/static/x.css", file("static/x.css")),
            ("/static/a%20b/y.js", file("static/a b/y.js")),
            ("/static/%E4%BD%A0%E5%A5%BD.txt", file("static/你好.txt")),
            ("/static/in", file("app.py")),
            ("/static//x.css", file("static/x.css")),
            ("/favicon.ico", file("static/x.css")),
            ("/all/.well-known/acme", file(".well-known/acme")),
            ("/all/app.py", file("app.py")),
            ("/i/upload", outside.path().canonicalize().unwrap().join("upload").display().to_string()),
            ("/", "process".into()),
            ("/never", "process".into()),
            ("/p/%ff", "process".into()),
            ("/staticx", "nothing".into()),
        ] {
            assert_eq!(found(path), expected, "{path}");
        }
        for refused in [
            "../app.py",
            "%2e%2e/app.py",
            "..%2fsecret/key",
            "..%2Fapp.py",
            "/etc/passwd",
            "%2fetc/passwd",
            "out",
            "etc/hostname",
            ".env",
            "env",
            ".git/config",
            "k",
            "",
            ".",
            "..",
            "a%20b",
            "x.css/",
            "x.css%00",
            "x.css%00.png",
            "nothing",
            "%ff",
            "a%20b/../x.css",
            "..%5capp.py",
            "%252e%252e/app.py",
            "..;/app.py",
            "....//app.py",
            "%c0%ae%c0%ae/app.py",
        ] {
            assert_eq!(found(&format!("/static/{refused}")), "no file", "{refused}");
        }
        for refused in
            ["app.yaml", "./app.yaml", "secret/key", "static/.env", "/etc/passwd", "%0aapp.py", "permdir/../app.py"]
        {
            assert_eq!(found(&format!("/all/{refused}")), "no file", "{refused}");
        }
    }
}
