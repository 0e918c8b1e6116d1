//! Interpreters on this machine: which one an app's `runtime` means, and what is true of it. Knows no virtualenvs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::known;
use crate::problem::{Problem, Result};

/// The oldest Python an app can be run with: the runtime set asks for it.
const OLDEST: Version = Version { major: 3, minor: 10, micro: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    pub major: u16,
    pub minor: u16,
    pub micro: u16,
}

/// A real interpreter, behind shims and virtualenvs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `sys.executable` of the installation, never of a virtualenv.
    pub path: PathBuf,
    pub version: Version,
    /// What compiled packages are built for: `cpython-311-x86_64-linux-gnu`.
    pub abi: String,
}

/// What an app.yaml's `runtime` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    minor: Option<(u16, u16)>,
}

impl Version {
    /// `3.11`: what decides whether packages fit.
    pub fn minor(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

impl Wanted {
    /// Reads `python`, `python3` or `python3.12`.
    pub fn parse(runtime: &str) -> Result<Self> {
        let unknown = || {
            Problem::new("python.runtime", format!("`runtime: {runtime}` in app.yaml is no Python"))
                .hint("write `runtime: python`, or name a version: `runtime: python3.12`")
        };
        let rest = runtime.strip_prefix("python").ok_or_else(unknown)?;
        if matches!(rest, "" | "3") {
            return Ok(Self { minor: None });
        }
        let (major, minor) = rest.split_once('.').ok_or_else(unknown)?;
        let number = |text: &str| text.parse::<u16>().map_err(|_| unknown());
        let minor = (number(major)?, number(minor)?);
        if minor < (OLDEST.major, OLDEST.minor) {
            return Err(Problem::new("python.too-old", format!("`runtime: {runtime}` in app.yaml is too old"))
                .because(format!("dae runs apps with Python {} and newer", OLDEST.minor()))
                .hint("write `runtime: python`"));
        }
        Ok(Self { minor: Some(minor) })
    }

    pub fn takes(self, version: Version) -> bool {
        version >= OLDEST && self.minor.is_none_or(|wanted| wanted == (version.major, version.minor))
    }

    /// Names to look for on PATH, best first.
    fn names(self) -> Vec<String> {
        match self.minor {
            Some((major, minor)) => vec![format!("python{major}.{minor}"), "python3".into(), "python".into()],
            None => vec!["python3".into(), "python".into()],
        }
    }
}

impl Interpreter {
    /// The interpreter that app.yaml's `runtime` means in the working folder; see [`Self::find_for`].
    pub fn find(runtime: &str) -> Result<Self> {
        Self::find_for(runtime, Path::new("."))
    }

    /// The interpreter that app.yaml's `runtime` means in an app's folder, whose `.python-version` a shim minds: the first
    /// on PATH that fits, else one that PATH's version manager has installed.
    pub fn find_for(runtime: &str, root: &Path) -> Result<Self> {
        Self::find_on_path(runtime, &|file| Self::probe_in(file, root))
    }

    /// The same, where who was asked before is not asked again.
    pub fn find_known(runtime: &str, root: &Path, cache: &Path) -> Result<Self> {
        Self::find_on_path(runtime, &|file| known::probe(file, root, cache, Self::probe_in))
    }

    fn find_on_path(runtime: &str, probe: &dyn Fn(&Path) -> Option<Self>) -> Result<Self> {
        let wanted = Wanted::parse(runtime)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::find_in(wanted, probe, &std::env::split_paths(&path).collect::<Vec<_>>())
    }

    fn find_in(wanted: Wanted, probe: &dyn Fn(&Path) -> Option<Self>, folders: &[PathBuf]) -> Result<Self> {
        let mut seen = Vec::new();
        let named = wanted
            .names()
            .into_iter()
            .flat_map(|name| folders.iter().map(move |folder| folder.join(&name)).collect::<Vec<_>>())
            .filter(|file| is_program(file));
        for file in named {
            match probe(&file) {
                Some(found) if wanted.takes(found.version) => return Ok(found),
                Some(other) => seen.push(other),
                None => {}
            }
        }
        let all = Self::installed_in(folders);
        if let Some(found) = all.iter().rev().find(|found| wanted.takes(found.version)) {
            return Ok(found.clone());
        }
        Err(nothing_fits(wanted, &seen, &all))
    }

    /// Every distinct CPython of 3.10 or newer that PATH, or a version manager on PATH, has; oldest first.
    pub fn installed() -> Vec<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::installed_in(&std::env::split_paths(&path).collect::<Vec<_>>())
    }

    fn installed_in(folders: &[PathBuf]) -> Vec<Self> {
        let mut files = BTreeMap::new();
        for folder in folders.iter().flat_map(|folder| behind_shims(folder)) {
            let Ok(entries) = folder.read_dir() else { continue };
            for file in entries.flatten().map(|entry| entry.path()) {
                let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let version = name.strip_prefix("python3");
                let named = version.is_some_and(|rest| {
                    rest.is_empty()
                        || rest.strip_prefix('.').is_some_and(|n| n.parse::<u16>().is_ok_and(|n| n >= OLDEST.minor))
                });
                if named && is_program(&file) {
                    let real = file.canonicalize().unwrap_or_else(|_| file.clone());
                    files.entry(real).or_insert(file);
                }
            }
        }
        let mut found: Vec<Self> = std::thread::scope(|scope| {
            let probes: Vec<_> = files.values().map(|file| scope.spawn(|| Self::probe(file))).collect();
            probes.into_iter().filter_map(|probe| probe.join().ok().flatten()).collect()
        });
        found.retain(|interpreter| interpreter.version >= OLDEST && interpreter.abi.starts_with("cpython"));
        found.sort_by(|a, b| (a.version, &a.path).cmp(&(b.version, &b.path)));
        found.dedup_by(|a, b| a.path == b.path);
        found
    }

    /// Asks `program` what it is; `None` when it is no Python that runs.
    pub fn probe(program: &Path) -> Option<Self> {
        Self::probe_in(program, Path::new("/"))
    }

    fn probe_in(program: &Path, folder: &Path) -> Option<Self> {
        // Understood by Python 2 as well, so that an old one is named rather than passed over.
        const QUESTION: &str = "import sys; \
            sys.path = [path for path in sys.path if path]; \
            import sysconfig; v = sys.version_info; \
            print('%d %d %d' % v[:3]); \
            print(getattr(sys, '_base_executable', None) or sys.executable); \
            print(sysconfig.get_config_var('SOABI') or '')";
        let output = Command::new(program)
            .args(["-E", "-s", "-S", "-c", QUESTION])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let said = String::from_utf8(output.stdout).ok()?;
        let mut lines = said.lines();
        let mut numbers = lines.next()?.split(' ').map(|number| number.parse().ok());
        let version = Version { major: numbers.next()??, minor: numbers.next()??, micro: numbers.next()?? };
        let path = PathBuf::from(lines.next()?);
        Some(Self { path, version, abi: lines.next().unwrap_or_default().to_owned() })
    }
}

/// A folder of pyenv's shims stands for the `bin` folders of what it has installed.
fn behind_shims(folder: &Path) -> Vec<PathBuf> {
    let versions = folder.parent().map(|root| root.join("versions"));
    match versions.filter(|_| folder.ends_with("shims")).and_then(|versions| versions.read_dir().ok()) {
        Some(entries) => entries.flatten().map(|entry| entry.path().join("bin")).collect(),
        None => vec![folder.to_owned()],
    }
}

pub(super) fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn nothing_fits(wanted: Wanted, seen: &[Interpreter], all: &[Interpreter]) -> Problem {
    let name = wanted.minor.map_or_else(
        || format!("Python {} or newer", OLDEST.minor()),
        |(major, minor)| format!("Python {major}.{minor}"),
    );
    let mut there: Vec<String> =
        all.iter().chain(seen).map(|found| format!("{} at `{}`", found.version, found.path.display())).collect();
    there.sort();
    there.dedup();
    let mut problem = Problem::new("python.not-found", format!("there is no {name} here"));
    problem = if there.is_empty() {
        problem.because("no `python3` and no `python` on PATH runs")
    } else {
        problem.because(format!("found {}", there.join(", ")))
    };
    match (wanted.minor, all.last()) {
        (Some(_), Some(other)) => problem.hint(format!(
            "install it, or write `runtime: python{}` in app.yaml for the one that is here",
            other.version.minor()
        )),
        _ => problem.hint("install it with the system's packages (`apt install python3 python3-venv`), pyenv or uv"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Paint, draw};

    #[test]
    fn what_a_runtime_means() {
        let version = |minor| Version { major: 3, minor, micro: 1 };
        for (runtime, takes) in [
            ("python", [false, true, true]),
            ("python3", [false, true, true]),
            ("python3.10", [false, true, false]),
            ("python3.12", [false, false, true]),
        ] {
            let wanted = Wanted::parse(runtime).unwrap();
            assert_eq!([9, 10, 12].map(|minor| wanted.takes(version(minor))), takes, "{runtime}");
        }
        for bad in ["", "ruby", "python2.7", "python3.9", "python3.x", "python-3"] {
            assert!(Wanted::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_shim_leads_to_the_real_interpreter() {
        use std::os::unix::fs::PermissionsExt as _;
        let real = Interpreter::find("python").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let shim = dir.path().join("python3");
        std::fs::write(&shim, format!("#!/bin/sh\nexec '{}' \"$@\"\n", real.path.display())).unwrap();
        std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
        let found =
            Interpreter::find_in(Wanted::parse("python").unwrap(), &Interpreter::probe, &[dir.path().to_owned()])
                .unwrap();
        assert_eq!(found, real);
        assert!(Interpreter::installed().contains(&real));
    }

    #[test]
    fn nothing_that_fits_is_said_with_what_is_there() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("python3");
        std::fs::write(&old, "#!/bin/sh\nprintf '3 7 16\\n/opt/python3.7\\ncpython-37m\\n'\n").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
        let said = |runtime, folders: &[PathBuf]| {
            let problem =
                Interpreter::find_in(Wanted::parse(runtime).unwrap(), &Interpreter::probe, folders).unwrap_err();
            draw(&problem, Paint { color: false })
        };
        insta::assert_snapshot!(said("python", &[dir.path().to_owned()]), @"
        error: there is no Python 3.10 or newer here
          because: found 3.7.16 at `/opt/python3.7`

        hint: install it with the system's packages (`apt install python3 python3-venv`), pyenv or uv
        ");
        insta::assert_snapshot!(said("python3.12", &[]), @"
        error: there is no Python 3.12 here
          because: no `python3` and no `python` on PATH runs

        hint: install it with the system's packages (`apt install python3 python3-venv`), pyenv or uv
        ");
    }
}
