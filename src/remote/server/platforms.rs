//! The services of a node's apps: each app has its own, from its first release on for as long as the node runs.

use std::collections::HashMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use super::backends::Backends;
use crate::app::{AppName, Secrets};
use crate::problem::{Doing as _, Result};
use crate::services::{Event, Known, Machine, NewError, Platform, Space, Tell};
use crate::supervisor::Owner;

pub(super) struct Platforms {
    /// An app's data is in `APP/data` below it.
    apps: PathBuf,
    run: PathBuf,
    running: Mutex<HashMap<AppName, Platform>>,
    known: std::sync::Mutex<HashMap<AppName, Known>>,
    backends: Arc<Backends>,
    /// Hears of errors.
    errors: mpsc::UnboundedSender<(AppName, NewError)>,
}

impl Platforms {
    pub fn new(
        apps: PathBuf,
        run: PathBuf,
        backends: Arc<Backends>,
        errors: mpsc::UnboundedSender<(AppName, NewError)>,
    ) -> Self {
        Self { apps, run, running: Mutex::default(), known: std::sync::Mutex::default(), backends, errors }
    }

    fn known(&self, app: &AppName) -> Known {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.entry(app.clone()).or_default().clone()
    }

    /// Where the services of `app` keep what is theirs.
    pub fn data(&self, app: &AppName) -> PathBuf {
        self.apps.join(app.as_str()).join("data")
    }

    /// What the processes of `app`, whose owner is `owner`, are told of its services; they are started where they do not run yet.
    /// `code` is the folder of the release that wants them. Real servers come in their place.
    /// `config` is not kept of what goes wrong.
    pub async fn env(
        &self,
        app: &AppName,
        code: &Path,
        owner: Owner,
        config: Secrets,
    ) -> Result<Vec<(String, String)>> {
        let own = self.own(app, code, owner, config).await?;
        let (backends, app, data, code) = (self.backends.clone(), app.clone(), self.data(app), code.to_owned());
        super::blocking(move || backends.replace(own, &app, &data, &code)).await
    }

    async fn own(&self, app: &AppName, code: &Path, owner: Owner, config: Secrets) -> Result<Vec<(String, String)>> {
        let mut running = self.running.lock().await;
        let known = self.known(app);
        known.set(config);
        if !running.contains_key(app) {
            let (own, run) = (self.apps.join(app.as_str()), self.run.join(format!("{app}-services")));
            let (data, permdir) = (self.data(app), Some(own.join("permdir")));
            let (cache, code) = (self.apps.join(".cache"), Some(code.to_owned()));
            let other_database = self.backends.has("mysql");
            let machine = Machine { code, permdir, other_database, cache, config: known, ..Machine::default() };
            let (errors, of) = (self.errors.clone(), app.clone());
            let tell = Tell::new(move |event| {
                if let Event::Error(error) = event {
                    // Nobody listens any more when the node goes down.
                    let _ = errors.send((of.clone(), error));
                }
            });
            let mut space = Space::new(app.clone(), data, run, tell)?.on(machine);
            space.owner = Some(owner);
            if let Owner::User(user) = owner {
                let given = std::os::unix::fs::chown(&space.run, None, Some(user));
                let open = || std::fs::set_permissions(&space.run, Permissions::from_mode(0o710));
                given.and_then(|()| open()).doing(|| format!("open `{}` to the app", space.run.display()))?;
            }
            running.insert(app.clone(), Platform::start(&space).await?);
        }
        let provided = running.get(app).map(Platform::provided).unwrap_or_default();
        Ok(provided.into_iter().flat_map(|service| service.env).collect())
    }

    /// What those of the node's own tell that run.
    pub async fn told(&self, app: &AppName) -> Vec<(String, String)> {
        let provided = self.running.lock().await.get(app).map(Platform::provided).unwrap_or_default();
        provided.into_iter().flat_map(|service| service.env).collect()
    }

    /// Ends all of them, once the apps have ended.
    pub async fn stop(&self) {
        let all: Vec<Platform> = self.running.lock().await.drain().map(|(_, platform)| platform).collect();
        futures_util::future::join_all(all.into_iter().map(Platform::stop)).await;
    }
}
