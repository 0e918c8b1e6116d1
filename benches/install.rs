//! Installing and syncing against plain uv and plain pip, the same packages, warm and cold cache, in one run:
//! `cargo bench --bench install`. Medians of wall time; each round runs all three, so that a busy machine is busy for all.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints what it measured")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dae::python::{Installer, Interpreter};

const PACKAGES: &[&str] = &["flask==3.1.3", "requests==2.32.5"];
const APP: &str = "application: bench\nruntime: python\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

struct Bench {
    folder: tempfile::TempDir,
    /// uv's, pip's and dae's own, kept or thrown away before each step.
    cache: PathBuf,
    uv: PathBuf,
    python: PathBuf,
}

impl Bench {
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        command.env("UV_CACHE_DIR", self.cache.join("uv")).env("PIP_CACHE_DIR", self.cache.join("pip"));
        for name in ["VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "UV_PYTHON"] {
            command.env_remove(name);
        }
        command
    }

    fn timed(commands: Vec<Command>) -> Duration {
        let began = Instant::now();
        for mut command in commands {
            assert!(command.status().unwrap().success(), "{command:?}");
        }
        began.elapsed()
    }

    fn clear(&self, folder: &str) -> PathBuf {
        let folder = self.folder.path().join(folder);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A new virtualenv with the packages.
    fn install(&self, who: &str) -> Duration {
        let place = self.clear(who);
        let venv = place.join("venv");
        Self::timed(match who {
            "dae" => {
                std::fs::write(place.join("app.yaml"), APP).unwrap();
                let mut dae = self.dae(&place);
                dae.arg("install").args(PACKAGES);
                vec![dae]
            }
            "uv" => {
                let (mut make, mut install) = (self.command(&self.uv), self.command(&self.uv));
                make.args(["venv", "-q", "-p"]).arg(&self.python).arg(&venv);
                install.args(["pip", "install", "-q", "-p"]).arg(venv.join("bin/python")).args(PACKAGES);
                vec![make, install]
            }
            _ => {
                let (mut make, mut install) = (self.command(&self.python), self.command(venv.join("bin/pip")));
                make.args(["-m", "venv"]).arg(&venv);
                install.args(["install", "-q"]).args(PACKAGES);
                vec![make, install]
            }
        })
    }

    /// The same once more into what `install` left: nothing is to be done.
    fn sync(&self, who: &str) -> Duration {
        let place = self.folder.path().join(who);
        let python = place.join("venv/bin/python");
        let pins = self.folder.path().join("dae/pip-req.txt");
        Self::timed(vec![match who {
            "dae" => {
                let mut dae = self.dae(&place);
                dae.arg("sync");
                dae
            }
            "uv" => {
                let mut uv = self.command(&self.uv);
                uv.args(["pip", "install", "-q", "--exact", "-r"]).arg(&pins).arg("-p").arg(python);
                uv
            }
            _ => {
                let mut pip = self.command(place.join("venv/bin/pip"));
                pip.args(["install", "-q", "-r"]).arg(&pins);
                pip
            }
        }])
    }

    fn dae(&self, place: &Path) -> Command {
        let mut dae = self.command(env!("CARGO_BIN_EXE_dae"));
        dae.arg("-C").arg(place).env("XDG_CACHE_HOME", self.folder.path().join("xdg"));
        dae
    }
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let interpreter = Interpreter::find("python").unwrap();
    let Installer::Uv(uv) = Installer::find(&interpreter, &folder.path().join("xdg/dae"), &|_| ()) else {
        println!("no uv can be had here");
        return;
    };
    let cache = folder.path().join("cache");
    let bench = Bench { folder, cache, uv, python: interpreter.path };
    for (title, rounds, cold, step) in [
        ("install, cold cache", 3, true, Bench::install as fn(&Bench, &str) -> Duration),
        ("install, warm cache", 7, false, Bench::install),
        ("sync, nothing to do", 7, false, Bench::sync),
    ] {
        let mut took = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (who, took) in ["dae", "uv", "pip"].into_iter().zip(&mut took) {
                if cold {
                    let _ = std::fs::remove_dir_all(&bench.cache);
                }
                took.push(step(&bench, who));
            }
        }
        let [dae, uv, pip] = took.map(|mut all| {
            all.sort();
            all[all.len() / 2].as_secs_f64() * 1000.0
        });
        println!(
            "{title}: dae {dae:.0} ms, uv {uv:.0} ms, pip {pip:.0} ms; dae is {:.2} of uv ({:+.0} ms), {:.2} of pip",
            dae / uv,
            dae - uv,
            dae / pip
        );
    }
}
