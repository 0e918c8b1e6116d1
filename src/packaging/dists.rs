//! The distributions of a site-packages folder, by their own lists of files (`*.dist-info/RECORD`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path};

use base64::Engine as _;

use super::editable;
use super::item::{Content, Found, Item, Sums};
use super::release::{RUNTIME_DIR, SITE_DIR};
use crate::problem::{Doing as _, Problem, Result};

/// One distribution and its files, sorted by path.
#[derive(Debug)]
pub struct Dist {
    pub name: String,
    pub version: String,
    pub items: Vec<Item>,
}

/// The tools that install; an app needs none of them to run.
const INSTALLERS: &[&str] = &["pip", "setuptools", "wheel", "uv", "virtualenv"];
/// Differ from machine to machine and say nothing about the code.
const PERSONAL: &[&str] = &["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json", "RECORD"];
/// In site-packages without a distribution, and not missed.
const UNOWNED: &[&str] =
    &["__pycache__", "_virtualenv.py", "_virtualenv.pth", "distutils-precedence.pth", "pkg_resources", "README.txt"];

/// What site-packages holds.
#[derive(Debug)]
pub struct Site {
    pub dists: Vec<Dist>,
    pub warnings: Vec<Problem>,
}

/// Reads the distributions in `site`, all that cannot be packed told at once.
pub fn site(site: &Path, sums: &mut Sums) -> Result<Site> {
    let mut dists = Vec::new();
    let mut problems = Vec::new();
    let mut owned: Vec<String> = UNOWNED.iter().map(|name| (*name).to_owned()).collect();
    let mut names = names(site)?;
    names.sort();
    for folder in names.iter().filter(|name| name.ends_with(".dist-info")) {
        let (name, version) = folder.trim_end_matches(".dist-info").split_once('-').unwrap_or((folder, ""));
        owned.push(folder.clone());
        match files(site, folder, name, &mut owned) {
            Ok(files) => {
                if !INSTALLERS.contains(&name.to_lowercase().as_str()) {
                    dists.push((name, version, files));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if let Some(problem) = Problem::all(problems) {
        return Err(problem.exit(3));
    }
    owned.sort();
    let unowned = |name: &&String| owned.binary_search(name).is_err() && !is_bytecode(name);
    let warnings = names.iter().filter(unowned).map(|name| {
        Problem::new("package.unowned", format!("`{name}` in the virtualenv belongs to no package and is not packed"))
    });
    let warnings = warnings.collect();
    let mut read = Vec::new();
    for (name, version, files) in dists {
        let mut items = sums.items(files)?;
        items.push(record(&format!("{SITE_DIR}/{name}-{version}.dist-info/RECORD"), &items));
        items.sort_by(|a, b| a.path.cmp(&b.path));
        read.push(Dist { name: name.to_owned(), version: version.to_owned(), items });
    }
    Ok(Site { dists: read, warnings })
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let doing = || format!("look through `{}`", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).doing(doing)? {
        names.extend(entry.doing(doing)?.file_name().into_string());
    }
    Ok(names)
}

pub(super) fn is_bytecode(path: &str) -> bool {
    path.split('/').any(|part| part == "__pycache__") || Path::new(path).extension().is_some_and(|end| end == "pyc")
}

/// The files a distribution put into `site`; what of it lies at the top is `owned` now. Scripts lie elsewhere and name this
/// machine's interpreter: not packed.
fn files(site: &Path, folder: &str, name: &str, owned: &mut Vec<String>) -> Result<Vec<Found>> {
    let path = site.join(folder).join("RECORD");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Problem::new("package.record", format!("`{name}` has no list of its files"))
                .because(format!("there is no `{}`", path.display()))
                .try_running(format!("dae install {name}")));
        }
        text => text.doing(|| format!("read `{}`", path.display()))?,
    };
    let mut files = BTreeMap::new();
    for line in text.lines() {
        let file = first_field(line);
        let inside = Path::new(&file).components().all(|part| matches!(part, Component::Normal(_)));
        let personal = file.strip_prefix(folder).is_some_and(|rest| PERSONAL.contains(&&rest[1.min(rest.len())..]));
        if file.is_empty() || !inside || personal || is_bytecode(&file) {
            continue;
        }
        owned.extend(file.split('/').next().map(str::to_owned));
        let from = site.join(&file);
        match fs::metadata(&from) {
            Ok(meta) if meta.is_file() => {
                let path = format!("{SITE_DIR}/{file}");
                files.insert(path.clone(), Found { path, from, meta });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Problem::new("package.missing", format!("`{name}` has lost its file `{file}`"))
                    .hint(format!("install it again: `dae uninstall {name}`, then `dae install {name}`")));
            }
            Err(error) => return Err(error).doing(|| format!("look at `{}`", from.display())),
        }
    }
    let files: Vec<Found> = files.into_values().collect();
    if editable::location(&site.join(folder)).is_some() {
        editable::files(site, name, folder, files)
    } else {
        Ok(files)
    }
}

/// The first field of a line of CSV.
fn first_field(line: &str) -> String {
    let Some(quoted) = line.strip_prefix('"') else {
        return line.split(',').next().unwrap_or_default().to_owned();
    };
    let mut field = String::new();
    let mut chars = quoted.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => break,
            c => field.push(c),
        }
    }
    field
}

/// A list of the files that are packed, in place of one that names this machine's scripts.
fn record(path: &str, items: &[Item]) -> Item {
    use std::fmt::Write as _;
    let mut text = String::new();
    for item in items {
        let Content::File { digest, size, .. } = &item.content else { continue };
        let file = item.path.strip_prefix(SITE_DIR).unwrap_or(&item.path).trim_start_matches('/');
        let quoted = if file.contains([',', '"']) { format!("\"{}\"", file.replace('"', "\"\"")) } else { file.into() };
        let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.bytes());
        let _ = writeln!(text, "{quoted},sha256={hash},{size}");
    }
    let own = path.strip_prefix(SITE_DIR).unwrap_or(path).trim_start_matches('/');
    let _ = writeln!(text, "{own},,");
    Item { path: path.to_owned(), executable: false, content: Content::Bytes(text.into_bytes()) }
}

/// The runtime set: dae's own package, and those of others. Everything in its folder but scripts, bytecode and lists that
/// differ from machine to machine.
pub fn runtime(folder: &Path, sums: &mut Sums) -> Result<(Vec<Item>, Vec<Item>)> {
    let mut found = Vec::new();
    for entry in ignore::WalkBuilder::new(folder).standard_filters(false).follow_links(true).build() {
        let read = |error| Problem::new("package.runtime", "could not look through the runtime set").because(error);
        let entry = entry.map_err(read)?;
        let Some(file) = entry.path().strip_prefix(folder).ok().and_then(Path::to_str) else { continue };
        let meta = entry.metadata().map_err(read)?;
        let name = entry.file_name().to_str().unwrap_or_default();
        let listed = file.contains(".dist-info/") && PERSONAL.contains(&name);
        let hidden_at_top = entry.depth() == 1 && name.starts_with('.');
        if meta.is_file() && !listed && !hidden_at_top && !file.starts_with("bin/") && !is_bytecode(file) {
            found.push(Found { path: format!("{RUNTIME_DIR}/{file}"), from: entry.path().to_owned(), meta });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let own = format!("{RUNTIME_DIR}/dae/");
    Ok(sums.items(found)?.into_iter().partition(|item| item.path.starts_with(&own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    fn read(dir: &tempfile::TempDir) -> Result<Site> {
        site(dir.path(), &mut Sums::open(dir.path().join("sums")))
    }

    #[test]
    fn a_distribution_is_what_its_record_says_and_nothing_of_this_machine() {
        let dir = folder(&[
            ("flask/__init__.py", "x = 1\n"),
            ("flask/__pycache__/__init__.cpython-311.pyc", ""),
            ("flask/odd, name.txt", ""),
            ("flask-3.1.dist-info/METADATA", "Name: flask\n"),
            ("flask-3.1.dist-info/INSTALLER", "uv"),
            (
                "flask-3.1.dist-info/RECORD",
                "../../../bin/flask,sha256=abc,210\nflask/__init__.py,,\n\"flask/odd, name.txt\",,\n\
                 flask/__pycache__/__init__.cpython-311.pyc,,\nflask-3.1.dist-info/METADATA,,\n\
                 flask-3.1.dist-info/INSTALLER,,\nflask-3.1.dist-info/RECORD,,\n",
            ),
            ("pip/__init__.py", ""),
            ("pip-24.dist-info/RECORD", "pip/__init__.py,,\n"),
            ("mine.py", ""),
        ]);
        let site = read(&dir).unwrap();
        let names: Vec<_> = site.dists.iter().map(|dist| format!("{}=={}", dist.name, dist.version)).collect();
        assert_eq!(names, ["flask==3.1"]);
        let record = site.dists[0].items.iter().find_map(|item| match &item.content {
            Content::Bytes(bytes) => Some(String::from_utf8(bytes.clone()).unwrap()),
            _ => None,
        });
        insta::assert_snapshot!(record.unwrap(), @r#"
        flask-3.1.dist-info/METADATA,sha256=X3dInfFkN7ZMWtE_831QeV0x91DURUVxZaERfrAi0V4,12
        flask/__init__.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6
        "flask/odd, name.txt",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0
        flask-3.1.dist-info/RECORD,,
        "#);
        assert_eq!(site.warnings.len(), 1, "{:?}", site.warnings);
        assert!(site.warnings[0].message.contains("`mine.py`"));
    }

    #[test]
    fn what_is_installed_editable_is_packed_as_if_it_were_not() {
        let source = folder(&[
            ("flat/web/__init__.py", ""),
            ("flat/web/__pycache__/x.pyc", ""),
            ("flat/tests/t.py", ""),
            ("src/one_file.py", ""),
            ("src/setup.py", ""),
        ]);
        let place = source.path().display();
        let [finder, pth] =
            [format!("MAPPING: dict[str, str] = {{'web': '{place}/flat/web'}}\n"), format!("{place}/src\n")];
        let url = r#"{"url": "file:///src/a", "dir_info": {"editable": true}}"#;
        let dir = folder(&[
            ("__editable___web_1_finder.py", &finder),
            ("__editable__.web-1.pth", "import __editable___web_1_finder"),
            ("web-1.dist-info/METADATA", ""),
            ("web-1.dist-info/direct_url.json", url),
            (
                "web-1.dist-info/RECORD",
                "__editable___web_1_finder.py,,\n__editable__.web-1.pth,,\nweb-1.dist-info/METADATA,,\n",
            ),
            ("__editable__.one-2.pth", &pth),
            ("one-2.dist-info/top_level.txt", "one_file\n"),
            ("one-2.dist-info/direct_url.json", url),
            ("one-2.dist-info/RECORD", "__editable__.one-2.pth,,\none-2.dist-info/top_level.txt,,\n"),
        ]);
        let site = read(&dir).unwrap();
        let paths: Vec<_> =
            site.dists.iter().flat_map(|dist| &dist.items).map(|item| item.path.trim_start_matches(SITE_DIR)).collect();
        assert_eq!(
            paths.join(" "),
            "/one-2.dist-info/RECORD /one-2.dist-info/top_level.txt /one_file.py \
             /web-1.dist-info/METADATA /web-1.dist-info/RECORD /web/__init__.py"
        );
        assert_eq!(site.warnings, []);
    }

    #[test]
    fn what_a_remote_could_not_run_is_refused_at_once() {
        let dir = folder(&[
            ("a-1.dist-info/RECORD", ""),
            ("a-1.dist-info/direct_url.json", r#"{"url": "file:///src/a", "dir_info": {"editable": true}}"#),
            ("b-1.dist-info/METADATA", ""),
            ("c-1.dist-info/RECORD", "c.py,,\n"),
            ("d-1.dist-info/RECORD", ""),
            ("d-1.dist-info/direct_url.json", r#"{"url": "file:///src/d", "dir_info": {}}"#),
        ]);
        let problem = read(&dir).unwrap_err();
        let codes: Vec<_> = std::iter::once(&problem).chain(&problem.others).map(|p| p.code.as_ref()).collect();
        assert_eq!(codes, ["package.editable", "package.record", "package.missing"]);
    }
}
