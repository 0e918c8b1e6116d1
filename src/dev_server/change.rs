//! What a changed file calls for. A pure function of its path.

use std::path::Path;

/// In rising order of what it costs; of several changes the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nobody's business: data, caches, an editor's own files.
    Nothing,
    /// A file the browser fetches by itself.
    Asset,
    /// Code, templates, settings: the next generation.
    Code,
    /// pip-req.txt: bring the virtualenv in line, then the next generation.
    Pins,
    /// app.yaml: check it, then the next generation.
    Manifest,
}

const ASSETS: &[&str] =
    &["css", "js", "mjs", "map", "svg", "png", "jpg", "jpeg", "gif", "ico", "webp", "avif", "woff", "woff2", "ttf"];
const CODE: &[&str] = &[
    "py", "so", "ptl", "thrift", "html", "htm", "jinja", "jinja2", "j2", "mako", "tmpl", "tpl", "mustache", "yaml",
    "yml", "toml", "ini", "cfg", "po", "mo",
];
/// Folders that hold nobody's source. Apps write into `permdir`; `service_gen` is written by dae itself.
const SKIPPED: &[&str] = &["service_gen", "venv", "env", "permdir", "node_modules", "__pycache__"];

impl Change {
    /// `path` is relative to the app's root.
    pub fn of(path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let own = path.parent().is_some_and(|parent| parent.as_os_str().is_empty());
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match name {
            "app.yaml" if own => Self::Manifest,
            "pip-req.txt" if own => Self::Pins,
            // Editors' swap and lock files begin with `.` or `#`, their copies end in `~`.
            _ if name.starts_with(['.', '#']) || name.ends_with('~') => Self::Nothing,
            _ if ASSETS.contains(&extension) => Self::Asset,
            _ if CODE.contains(&extension) => Self::Code,
            _ => Self::Nothing,
        }
    }
}

/// Whether a folder of this name is looked into.
pub fn is_source_folder(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !name.starts_with('.') && !SKIPPED.contains(&name) && !path.join("pyvenv.cfg").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_for_what() {
        for (path, change) in [
            ("app.yaml", Change::Manifest),
            ("other/app.yaml", Change::Code),
            ("pip-req.txt", Change::Pins),
            ("dev.yaml", Change::Code),
            ("app.py", Change::Code),
            ("a/b/views.py", Change::Code),
            ("templates/index.html", Change::Code),
            ("static/x.css", Change::Asset),
            ("guestbook.db", Change::Nothing),
            ("data.json", Change::Nothing),
            (".app.py.swp", Change::Nothing),
            ("app.py~", Change::Nothing),
            (".#app.py", Change::Nothing),
            ("#app.py#", Change::Nothing),
            ("4913", Change::Nothing),
            ("app.pyc", Change::Nothing),
        ] {
            assert_eq!(Change::of(Path::new(path)), change, "{path}");
        }
    }
}
