//! Where the environment enters, once: the terminal, the working folder, the XDG folders, the variables dae reads.

use std::path::PathBuf;
use std::sync::Arc;

use etcetera::BaseStrategy as _;

use crate::app::{self, App};
use crate::problem::{Doing as _, Problem, Result};
use crate::term::{ColorWhen, Format, Line, Report, Terminal, Tone, Verbosity};

/// What a command returns.
pub type Outcome = Result<Box<dyn Report>>;

pub struct Context {
    pub terminal: Arc<Terminal>,
    /// Absolute; `-C` has been applied.
    pub cwd: PathBuf,
    pub dirs: Dirs,
    /// `DAE_TOKEN`: a remote's token.
    pub token: Option<String>,
    /// `DAE_REMOTE`: which remote, where no `--remote` says.
    pub remote: Option<String>,
    /// The whole environment, for processes that inherit it.
    pub environment: Vec<(String, String)>,
    /// `DAE_YES`: every question is answered with yes.
    pub yes: bool,
}

/// A user's own folders, by the XDG rules on every system.
#[derive(Debug, Clone)]
pub struct Dirs {
    /// Settings: remotes, credentials.
    pub config: PathBuf,
    /// What can be fetched or made again: uv, the runtime set.
    pub cache: PathBuf,
    /// Sockets; short, because a socket's path may have 107 bytes at most.
    pub run: PathBuf,
}

impl Context {
    /// On a problem the terminal comes back too, so that it can be told.
    pub fn new(
        format: Format,
        verbosity: Verbosity,
        color: Option<ColorWhen>,
        directory: Option<PathBuf>,
    ) -> Result<Self, (Arc<Terminal>, Problem)> {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let color = color.unwrap_or_default();
        let terminal = Arc::new(Terminal::new(format, verbosity, color, set("NO_COLOR"), set("CI")));
        let found = || -> Result<(PathBuf, Dirs)> {
            let mut cwd = std::env::current_dir().doing(|| "find the working folder")?;
            if let Some(directory) = directory {
                let wanted = cwd.join(&directory);
                cwd = wanted.canonicalize().doing(|| format!("go to `{}`", directory.display()))?;
            }
            Ok((cwd, Dirs::find()?))
        };
        let (cwd, dirs) = found().map_err(|problem| (terminal.clone(), problem))?;
        Ok(Self {
            terminal,
            cwd,
            dirs,
            token: text("DAE_TOKEN"),
            remote: text("DAE_REMOTE"),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            yes: set("DAE_YES"),
        })
    }

    /// The app of the working folder; what its app.yaml warns of is told.
    pub fn app(&self) -> Result<App> {
        self.app_in(&app::find(&self.cwd)?)
    }

    pub fn app_in(&self, root: &std::path::Path) -> Result<App> {
        let (app, warnings) = App::read(root)?;
        for warning in warnings {
            let place = warning.place.as_ref().map(|at| format!("{}:{}: ", at.file.display(), at.line));
            let hints = warning.hints.iter().map(|hint| match hint {
                crate::problem::Hint::Run(text) | crate::problem::Hint::Say(text) => format!("; {text}"),
            });
            let text = format!("{}{}{}", place.unwrap_or_default(), warning.message, hints.collect::<String>());
            self.terminal.line(&Line::warning(text));
        }
        Ok(app)
    }

    /// A line of the story: a verb and what it was done to.
    pub fn say(&self, verb: &str, text: impl Into<String>) {
        self.terminal.line(&Line::new(Tone::Good, verb, text));
    }

    /// A problem that does not end the command.
    pub fn warn(&self, problem: &Problem) {
        self.terminal.line(&Line::warning(problem.to_string()));
    }
}

impl Dirs {
    fn find() -> Result<Self> {
        let base = etcetera::choose_base_strategy().map_err(|error| {
            Problem::new("env.home", "there is no home folder to keep settings in").because(error).hint("set `HOME`")
        })?;
        // Others can write to the fallback's parent: so it is made with mode 0700, and its owner is checked before use.
        let run = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()).map_or_else(
            || std::env::temp_dir().join(format!("dae-{}", nix::unistd::getuid())),
            |dir| PathBuf::from(dir).join("dae"),
        );
        Ok(Self { config: base.config_dir().join("dae"), cache: base.cache_dir().join("dae"), run })
    }

    /// The folder for sockets, there and nobody else's.
    pub fn make_run(&self) -> Result<()> {
        use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
        let run = &self.run;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(run)
            .doing(|| format!("make the folder `{}`", run.display()))?;
        let meta = std::fs::symlink_metadata(run).doing(|| format!("look at `{}`", run.display()))?;
        if !meta.is_dir() || meta.uid() != nix::unistd::getuid().as_raw() {
            return Err(Problem::new("env.run-dir", format!("`{}` belongs to somebody else", run.display()))
                .hint("set `XDG_RUNTIME_DIR` to a folder of your own"));
        }
        Ok(())
    }
}
