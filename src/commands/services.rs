//! What the commands share that need an app's services: those of the `dae serve` that runs, or their own for the moment.

use std::path::{Path, PathBuf};

use super::{Context, foreground};
use crate::app::{App, DevSettings, StateOf};
use crate::dev_server::local::provided_env;
use crate::problem::{Doing as _, Problem, Result};
use crate::services::state::{self, States};
use crate::services::{self, Disk, Machine, Provided, Shared, Space, Tell, mysql};
use crate::term::{self, Line, Progress, Shown, confirm};

/// The services of an app, for as long as a command runs. Where they may start processes, the command runs below a
/// guardian: see [`foreground::guard`].
pub struct Services {
    runtime: tokio::runtime::Runtime,
    shared: Shared,
    /// Their sockets; gone with them.
    _run: Option<tempfile::TempDir>,
}

/// The space of the app as its developer knows it; its data outlives everything.
pub fn space(context: &Context, app: &App, run: &Path, tell: Tell) -> Result<Space> {
    let (data, branchs) = data(app)?;
    if branchs.is_some() && !data.exists() {
        // A branch begins with what the app has; nobody works on that, for this process hosts its services.
        States::of(&app.root.join(".dae/data"), Some(app.root.join("permdir")))
            .copy_to(&States::of(&data, branchs.clone()))?;
    }
    let space = Space::new(app.name.clone(), data, run.to_owned(), tell)?;
    Ok(space.on(machine(context, app, branchs)?))
}

/// Where the services of an app keep what is theirs, and the folder for permanent files where it is a branch's own.
pub fn data(app: &App) -> Result<(PathBuf, Option<PathBuf>)> {
    let own = app.root.join(".dae/data");
    let (settings, _) = DevSettings::read(&app.root, "dev.yaml")?;
    match branch(&app.root).filter(|_| settings.state == StateOf::Branch) {
        Some(branch) => {
            let folder = app.root.join(".dae/branches").join(branch);
            Ok((folder.join("data"), Some(folder.join("permdir"))))
        }
        None => Ok((own, None)),
    }
}

/// The branch that is checked out, as the name of a folder; none for the main one, and where there is no git.
fn branch(root: &Path) -> Option<String> {
    let head = git2::Repository::discover(root).ok()?;
    // One without a commit has a branch too.
    let name = head.find_reference("HEAD").ok()?.symbolic_target().ok()??.strip_prefix("refs/heads/")?.to_owned();
    let plain = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' };
    (!["main", "master"].contains(&name.as_str())).then(|| name.chars().map(plain).collect())
}

/// A space with nothing in it, gone with `folder`.
pub fn fresh_space(context: &Context, app: &App, folder: &Path, run: &Path, tell: Tell) -> Result<Space> {
    let space = Space::new(app.name.clone(), folder.join("data"), run.to_owned(), tell)?;
    Ok(space.on(machine(context, app, Some(folder.join("permdir")))?))
}

/// What the services of an app may use of this machine.
fn machine(context: &Context, app: &App, permdir: Option<PathBuf>) -> Result<Machine> {
    let path = context.environment.iter().find(|(name, _)| name == "PATH");
    let path = path.map(|(_, path)| path.clone()).unwrap_or_default();
    let (code, cache) = (Some(app.root.clone()), context.dirs.cache.clone());
    let machine = Machine { code, permdir, disk: Disk::Hasty, cache, path, ..Machine::default() };
    have_database(context, app, &machine)?;
    Ok(machine)
}

/// An app that uses mysql finds a server here, or one is fetched, or it is said how to get one.
fn have_database(context: &Context, app: &App, machine: &Machine) -> Result<()> {
    let Some(why) = mysql::uses(&app.root) else { return Ok(()) };
    let elsewhere = DevSettings::read(&app.root, "dev.yaml").is_ok_and(|(settings, _)| settings.replaces("mysql"));
    if elsewhere || mysql::Server::find(&machine.path, &machine.cache).is_some() {
        return Ok(());
    }
    let problem = mysql::none().because(format!("the app uses mysql: {why}"));
    if !mysql::can_fetch() {
        context.terminal.tell(&services::Event::ServiceFailed { service: "mysql".into(), problem });
        return Ok(());
    }
    let question = "This app uses mysql, and there is no server here. Fetch MariaDB (7 MB, no root) into your cache?";
    if context.yes || context.terminal.interactive && confirm(&context.terminal, question, true)? {
        context.terminal.tell(&Fetching);
        let server = mysql::fetch(&machine.cache)?;
        context.say("fetched", format!("MariaDB {}", server.version));
        return Ok(());
    }
    let problem = problem.hint("or have it fetched without root: set `DAE_YES=1` and start again");
    context.terminal.tell(&services::Event::ServiceFailed { service: "mysql".into(), problem });
    Ok(())
}

struct Fetching;

impl term::Event for Fetching {
    fn show(&self) -> Shown<'_> {
        Shown::Progress(Progress::spinner("fetching", "MariaDB from the system's packages"))
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({"event": "service_fetching", "service": "mysql"})
    }
}

/// A folder for the sockets of services.
pub fn run_dir(context: &Context) -> Result<tempfile::TempDir> {
    context.dirs.make_run()?;
    let run = &context.dirs.run;
    tempfile::Builder::new().prefix("app-").tempdir_in(run).doing(|| format!("make a folder in `{}`", run.display()))
}

/// Events of services go to the terminal.
pub fn tell(context: &Context) -> Tell {
    let terminal = context.terminal.clone();
    Tell::new(move |event| terminal.tell(&event))
}

impl Services {
    /// Joins whoever hosts them, or hosts them.
    pub fn open(context: &Context, app: &App) -> Result<Self> {
        let run = run_dir(context)?;
        Self::join(&app.root, run, |run| space(context, app, run, tell(context)))
    }

    /// Joins whoever hosts them, where there is somebody.
    pub fn running(app: &App) -> Result<Option<Self>> {
        let runtime = foreground::runtime()?;
        let shared = runtime.block_on(Shared::find(&app.root))?;
        Ok(shared.map(|shared| Self { runtime, shared, _run: None }))
    }

    /// New ones that nobody shares, whose data is gone with `folder`.
    pub fn throw_away(context: &Context, app: &App, folder: &Path) -> Result<Self> {
        let run = run_dir(context)?;
        Self::join(folder, run, |run| fresh_space(context, app, folder, run, tell(context)))
    }

    fn join(root: &Path, run: tempfile::TempDir, space: impl FnOnce(&Path) -> Result<Space>) -> Result<Self> {
        let runtime = foreground::runtime()?;
        let shared = runtime.block_on(Shared::join(root, || space(run.path())))?;
        Ok(Self { runtime, shared, _run: Some(run) })
    }

    /// Joins whoever hosts them, or sees to it that nobody does.
    pub fn idle(app: &App) -> Result<Self> {
        let runtime = foreground::runtime()?;
        let shared = runtime.block_on(Shared::join_or_keep_out(&app.root))?;
        Ok(Self { runtime, shared, _run: None })
    }

    /// Where the process that hosts them takes orders; none: nobody does.
    pub fn state_socket(&self) -> Option<&str> {
        let all = self.provided().iter().flat_map(|provided| &provided.env);
        all.into_iter().find(|(name, _)| name == state::SOCKET).map(|(_, path)| path.as_str())
    }

    pub fn provided(&self) -> &[Provided] {
        &self.shared.provided
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// One variable of the environment contract, as the app's own processes have it: what dev.yaml says counts first.
    pub fn variable(&self, app: &App, name: &str) -> Result<String> {
        let (settings, _) = DevSettings::read(&app.root, "dev.yaml")?;
        let found = provided_env(self.provided(), &settings, &app.root).into_iter().rfind(|(known, _)| known == name);
        found.map(|(_, value)| value).ok_or_else(|| Problem::new("services.none", format!("no service sets `{name}`")))
    }

    /// Ends what this command hosts, once nobody else uses it.
    pub fn end(self, context: &Context) {
        let Self { runtime, shared, _run } = self;
        runtime.block_on(async {
            if shared.is_used() {
                let text = "until the other dae process of this app that uses its services has ended";
                context.terminal.line(&Line::new(crate::term::Tone::Plain, "waiting", text));
                shared.unused().await;
            }
            shared.end().await;
        });
    }
}
