//! One command in the surroundings of a release: its code, its packages, its environment, and a `python` on its PATH that knows
//! them all. For what is run once: the release command and what `dae run` asks for.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::Server;
use crate::node::{Folder, Generation, Launch, contract};
use crate::problem::{Doing as _, Problem, Result};
use crate::supervisor::{Io, Spec};

/// A command about to be started, and the folder of the Python it may call, which must live as long.
pub struct Prepared {
    pub spec: Spec,
    pub folder: Folder,
}

impl Server {
    /// `words` are a Python file of the app's, a program of its packages, or any program there is, and arguments.
    pub(super) fn prepare(&self, generation: &Generation, words: &[String]) -> Result<Prepared> {
        let settings = self.settings();
        let folder = settings.run_dir(generation, "run")?;
        virtualenv(folder.path(), &generation.launch)
            .doing(|| format!("make a Python in `{}`", folder.path().display()))?;
        generation.launch.give(folder.path())?;
        let bin = folder.path().join("bin");
        let mut env = contract::environment(generation, settings.environment, &settings.inherited);
        let mut before = |name: &str, value: String, sign: &str| {
            let rest = env.iter().position(|(known, _)| known == name).map(|at| env.remove(at).1);
            let rest = rest.filter(|rest| !rest.is_empty()).map(|rest| format!("{sign}{rest}"));
            env.push((name.to_owned(), value + &rest.unwrap_or_default()));
        };
        before("PATH", bin.display().to_string(), ":");
        before("PYTHONPATH", generation.root.display().to_string(), ":");
        env.push(("VIRTUAL_ENV".into(), folder.path().display().to_string()));
        let Some((first, rest)) = words.split_first() else {
            return Err(Problem::new("run.nothing", "there is no command to run"));
        };
        let own = bin.join(first);
        let is_python = Path::new(first).extension().is_some_and(|end| end == "py");
        let (program, args) = if is_python {
            (bin.join("python"), words.to_vec())
        } else if !first.contains('/') && own.is_file() {
            (own, rest.to_vec())
        } else {
            (PathBuf::from(first), rest.to_vec())
        };
        let (dir, confine) = (generation.root.clone(), generation.launch.confine.clone());
        Ok(Prepared { spec: Spec { program, args, dir, env, io: Io::Pipe, confine }, folder })
    }
}

/// A virtualenv of links: Python's own way to say which packages a `python` has.
fn virtualenv(folder: &Path, launch: &Launch) -> io::Result<()> {
    let python = launch.python.canonicalize()?;
    let home = python.parent().unwrap_or(Path::new("/"));
    let bin = folder.join("bin");
    fs::create_dir(&bin)?;
    fs::write(folder.join("pyvenv.cfg"), format!("home = {}\ninclude-system-site-packages = false\n", home.display()))?;
    for name in ["python", "python3"] {
        symlink(&python, bin.join(name))?;
    }
    // Which version it is, Python alone knows: it looks into the one that is its own.
    let minor = python.file_name().and_then(|name| name.to_str()?.strip_prefix("python3.")?.parse::<u16>().ok());
    let minors = minor.map_or(10..=20, |minor| minor..=minor);
    let mut lines = String::new();
    if let Some(site) = &launch.site {
        // Not a plain line: what `.pth` files in there say counts too.
        lines = format!("import site; site.addsitedir({:?})\n", site.display().to_string());
    }
    lines.extend([launch.runtime.to_string_lossy().as_ref(), "\n"]);
    for minor in minors {
        let packages = folder.join(format!("lib/python3.{minor}/site-packages"));
        fs::create_dir_all(&packages)?;
        fs::write(packages.join("dae.pth"), &lines)?;
    }
    for (name, target) in launch.site.iter().flat_map(|site| scripts(site)) {
        let (module, object) = target;
        let text = format!(
            "#!{}/python\nimport sys\nfrom {module} import {}\nsys.exit({object}())\n",
            bin.display(),
            object.split('.').next().unwrap_or_default(),
        );
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(bin.join(name));
        match file {
            Ok(mut file) => io::Write::write_all(&mut file, text.as_bytes())?,
            // Two packages with a program of the same name: the first has it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The programs that packages bring: module and object, by name. An image holds no `bin`, which would name its maker's folders.
fn scripts(site: &Path) -> BTreeMap<String, (String, String)> {
    let infos = fs::read_dir(site).into_iter().flatten().flatten();
    let infos = infos.filter(|entry| entry.file_name().to_string_lossy().ends_with(".dist-info"));
    let texts = infos.filter_map(|info| fs::read_to_string(info.path().join("entry_points.txt")).ok());
    texts.flat_map(|text| console_scripts(&text)).collect()
}

/// See the entry points specification of PyPA.
fn console_scripts(text: &str) -> Vec<(String, (String, String))> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[console_scripts]";
        } else if inside && let Some((name, target)) = line.split_once('=') {
            let target = target.split('[').next().unwrap_or_default().trim();
            let Some((module, object)) = target.split_once(':') else { continue };
            let dotted = |text: &str| {
                text.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
            };
            let (name, module, object) = (name.trim(), module.trim(), object.trim());
            let plain = !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && !name.starts_with('.');
            if plain && dotted(module) && dotted(object) {
                found.push((name.to_owned(), (module.to_owned(), object.to_owned())));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_packages() {
        let text = "[console_scripts]\nflask = flask.cli:main\nx=y:A.run [extra]\n../evil = a:b\nbad = a:b;c\nno = a\n\
                    [gui_scripts]\ng = a:b\n";
        let found = console_scripts(text);
        let names: Vec<_> = found.iter().map(|(name, (module, object))| format!("{name} {module} {object}")).collect();
        assert_eq!(names, ["flask flask.cli main", "x y A.run"]);
    }
}
