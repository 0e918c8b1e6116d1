//! How an app's code is run on this machine, by `dae serve`, `dae run` and what is like them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::app::{App, DevSettings};
use crate::gateway::Limits;
use crate::node::{Edition, Generation, Launch, contract};
use crate::python;
use crate::services::Provided;

/// `DAE_ENV` on a developer's machine. Exactly this: apps of the real DAE compare it.
pub const SDK: &str = "SDK";

/// An app on this machine, and all that its processes depend on.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    pub app: &'a App,
    pub python: &'a python::Environment,
    /// dev.yaml, or test.yaml for tests.
    pub settings: &'a DevSettings,
    /// What the services on this machine provide.
    pub services: &'a [Provided],
    /// What dae itself was started with.
    pub inherited: &'a [(String, String)],
}

/// What an app's processes are told of its services: of those here, and of those that `settings` name in their place. `root` is
/// the app's folder.
pub fn provided_env(services: &[Provided], settings: &DevSettings, root: &Path) -> Vec<(String, String)> {
    let here = services.iter().filter(|provided| !settings.replaces(&provided.service));
    here.flat_map(|provided| provided.env.iter().cloned()).chain(settings.environment(root)).collect()
}

impl Local<'_> {
    /// A generation of the app as it is on disk. `edition` changes with the packages; `learned` is where it is kept what a
    /// warm parent should import.
    pub fn generation(&self, edition: Edition, learned: Option<PathBuf>) -> Generation {
        let Self { app, python, settings, services, inherited } = self;
        let path =
            inherited.iter().find(|(name, _)| name == "PATH").map_or("/usr/bin:/bin", |(_, value)| value.as_str());
        // What an activated virtualenv sets.
        let mut env = vec![
            ("VIRTUAL_ENV".into(), app.root.join("venv").to_string_lossy().into_owned()),
            ("PATH".into(), format!("{}:{path}", app.root.join("venv/bin").display())),
        ];
        env.extend(provided_env(services, settings, &app.root));
        Generation {
            app: app.name.clone(),
            manifest: app.manifest.clone(),
            root: app.root.clone(),
            launch: Launch {
                python: python.python.clone(),
                site: None,
                runtime: python.runtime.clone(),
                edition,
                confine: None,
            },
            release: None,
            brought_by: None,
            secrets: Arc::default(),
            learned,
            env,
            limits: Limits::default(),
        }
    }

    /// The environment of a command that runs like the app's own processes: the contract, and, for any Python in it, the
    /// app's code and the runtime set on the path.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut env = contract::environment(&self.generation(Edition::default(), None), SDK, self.inherited);
        let before = env.iter().position(|(name, _)| name == "PYTHONPATH").map(|at| env.swap_remove(at).1);
        let finder = self.python.runtime.join("dae/path").to_string_lossy().into_owned();
        let path = before.map_or_else(|| finder.clone(), |before| format!("{finder}:{before}"));
        env.push(("PYTHONPATH".into(), path));
        env.push(("DAE_RUNTIME".into(), self.python.runtime.to_string_lossy().into_owned()));
        env
    }
}
