//! A distribution that was installed editable: its code lies in a folder of its own, to which site-packages only points.
//! A remote has no such folder, so the code is packed as if it had been installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::item::Found;
use super::release::SITE_DIR;
use crate::problem::{Doing as _, Problem, Result};

/// The folder an editable installation points to, from what the installer noted in its `*.dist-info`.
pub fn location(dist_info: &Path) -> Option<String> {
    let text = fs::read(dist_info.join("direct_url.json")).ok()?;
    let url: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let editable = url.pointer("/dir_info/editable")?.as_bool()?;
    let place = url.get("url")?.as_str()?;
    editable.then(|| place.trim_start_matches("file://").to_owned())
}

/// The code of a distribution of which `listed` is installed: `*.dist-info` stays, what points elsewhere gives way to what it
/// points to.
pub fn files(site: &Path, name: &str, dist_info: &str, listed: Vec<Found>) -> Result<Vec<Found>> {
    let (pointers, kept): (Vec<Found>, Vec<Found>) = listed.into_iter().partition(is_pointer);
    let mut modules = BTreeMap::new();
    for pointer in &pointers {
        let text = fs::read_to_string(&pointer.from).doing(|| format!("read `{}`", pointer.from.display()))?;
        modules.extend(mapping(&text));
        for folder in text.lines().filter(|line| line.starts_with('/')).map(Path::new) {
            let names = top_level(&site.join(dist_info), name);
            modules.extend(names.into_iter().filter_map(|module| find(folder, &module).map(|path| (module, path))));
        }
    }
    if modules.is_empty() {
        let place = location(&site.join(dist_info)).unwrap_or_default();
        return Err(Problem::new("package.editable", format!("`{name}` is installed editable, from `{place}`"))
            .because("which of the files there belong to it could not be found out")
            .hint("install it without `-e`"));
    }
    let mut found: BTreeMap<String, Found> = kept.into_iter().map(|file| (file.path.clone(), file)).collect();
    for (module, path) in modules {
        let into = format!("{SITE_DIR}/{}", module.replace('.', "/"));
        take(&path, &into, &mut found)?;
    }
    Ok(found.into_values().collect())
}

/// What an editable distribution puts into site-packages in place of its code: `__editable__.web-1.pth`,
/// `__editable___web_1_finder.py`, `web.pth`.
fn is_pointer(file: &Found) -> bool {
    let name = file.path.strip_prefix(SITE_DIR).unwrap_or(&file.path).trim_start_matches('/');
    let path_file = Path::new(name).extension().is_some_and(|end| end == "pth");
    !name.contains('/') && (path_file || name.starts_with("__editable__"))
}

/// The line setuptools writes into its finder: `MAPPING: dict[str, str] = {'web': '/src/web'}`.
fn mapping(text: &str) -> Vec<(String, PathBuf)> {
    let line = text.lines().find_map(|line| line.strip_prefix("MAPPING")?.split_once('='));
    let Some((_, dict)) = line else { return Vec::new() };
    // Python writes these texts as JSON does, but for the quotes.
    let read: BTreeMap<String, PathBuf> = serde_json::from_str(&dict.trim().replace('\'', "\"")).unwrap_or_default();
    read.into_iter().collect()
}

/// The modules a distribution consists of: as it says, or one of its own name.
fn top_level(dist_info: &Path, name: &str) -> Vec<String> {
    match fs::read_to_string(dist_info.join("top_level.txt")) {
        Ok(text) => text.split_whitespace().map(str::to_owned).collect(),
        Err(_) => vec![name.to_lowercase().replace(['-', '.'], "_")],
    }
}

/// A package or module below a folder.
fn find(folder: &Path, module: &str) -> Option<PathBuf> {
    let package = folder.join(module);
    let file = folder.join(format!("{module}.py"));
    if package.is_dir() { Some(package) } else { Some(file).filter(|file| file.is_file()) }
}

fn take(path: &Path, into: &str, found: &mut BTreeMap<String, Found>) -> Result<()> {
    let read =
        |error| Problem::new("package.read", format!("could not look through `{}`", path.display())).because(error);
    for entry in ignore::WalkBuilder::new(path).standard_filters(false).build() {
        let entry = entry.map_err(read)?;
        let from = entry.path();
        let below = from.strip_prefix(path).ok().and_then(Path::to_str).unwrap_or_default();
        if !entry.file_type().is_some_and(|kind| kind.is_file()) || super::dists::is_bytecode(&from.to_string_lossy()) {
            continue;
        }
        // A module that is one file: `web` stands for `/src/web.py`.
        let end = from.extension().and_then(|end| end.to_str()).unwrap_or_default();
        let path = if below.is_empty() { format!("{into}.{end}") } else { format!("{into}/{below}") };
        let meta = entry.metadata().map_err(read)?;
        found.insert(path.clone(), Found { path, from: from.to_owned(), meta });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_setuptools_writes_is_read() {
        let text = "import sys\nMAPPING: dict[str, str] = {'web': '/s/web', 'a.b': '/s/x/b.py'}\nNAMESPACES = {}\n";
        assert_eq!(mapping(text), [("a.b".into(), "/s/x/b.py".into()), ("web".into(), PathBuf::from("/s/web"))]);
        assert_eq!(mapping("MAPPING = {}"), []);
        assert_eq!(mapping("import site"), []);
    }
}
