//! How an app's code is run on this machine, by `dae serve`, `dae run` and what is like them.

use std::path::PathBuf;

use crate::app::App;
use crate::node::{Generation, Launch, contract};
use crate::python;

/// `DAE_ENV` on a developer's machine. Exactly this: apps of the real DAE compare it.
pub const SDK: &str = "SDK";

/// A generation of the app as it is on disk. `edition` changes with the packages; `learned` is where it is kept what a warm
/// parent should import.
pub fn generation(
    app: &App,
    environment: &python::Environment,
    inherited: &[(String, String)],
    edition: u64,
    learned: Option<PathBuf>,
) -> Generation {
    let bin = app.root.join("venv/bin");
    let path = inherited.iter().find(|(name, _)| name == "PATH").map_or("/usr/bin:/bin", |(_, value)| value.as_str());
    Generation {
        app: app.name.clone(),
        manifest: app.manifest.clone(),
        root: app.root.clone(),
        launch: Launch {
            python: environment.python.clone(),
            site: None,
            runtime: environment.runtime.clone(),
            edition,
        },
        release: None,
        brought_by: None,
        learned,
        // What an activated virtualenv sets.
        env: vec![
            ("VIRTUAL_ENV".into(), app.root.join("venv").to_string_lossy().into_owned()),
            ("PATH".into(), format!("{}:{path}", bin.display())),
        ],
    }
}

/// The environment of a command that runs like the app's own processes: the contract, and, for any Python in it, the app's
/// code and the runtime set on the path.
pub fn environment(
    app: &App,
    environment: &python::Environment,
    inherited: &[(String, String)],
) -> Vec<(String, String)> {
    let generation = generation(app, environment, inherited, 0, None);
    let mut env = contract::environment(&generation, SDK, inherited);
    let before = env.iter().position(|(name, _)| name == "PYTHONPATH").map(|at| env.swap_remove(at).1);
    let finder = environment.runtime.join("dae/path").to_string_lossy().into_owned();
    let path = before.map_or_else(|| finder.clone(), |before| format!("{finder}:{before}"));
    env.push(("PYTHONPATH".into(), path));
    env.push(("DAE_RUNTIME".into(), environment.runtime.to_string_lossy().into_owned()));
    env
}
