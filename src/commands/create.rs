//! `dae create`.

use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::interrupt::Interrupt;
use super::{Context, Outcome};
use crate::app::{AppName, NewFolder, Scaffold, Template, Versioned, first_commit};
use crate::problem::{Problem, Result};
use crate::python::{self, Asked, Project};
use crate::term::{Line, Paint, Text, Tone, ask, choose};

/// Make a new app: app.yaml, app.py, pip-req.txt, a virtualenv and a first commit
///
/// It appears whole or not at all: after a failure or Ctrl-C nothing is left behind.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The app's name: a lowercase letter, then up to 15 of `a-z`, `0-9` and `_`
    pub name: Option<String>,
    /// What its code begins with [default: asked for, or blank]
    #[arg(short, long, value_enum)]
    pub template: Option<Template>,
    /// The folder to make [default: NAME]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Make no git repository
    #[arg(long)]
    pub no_git: bool,
    /// Make no virtualenv; the packages are neither installed nor pinned
    #[arg(long)]
    pub no_venv: bool,
}

#[derive(Debug, Serialize)]
struct Created {
    app: AppName,
    dir: PathBuf,
    template: &'static str,
    url: String,
    /// What to type now.
    next: Vec<String>,
}

impl Text for Created {
    fn text(&self, paint: Paint) -> String {
        let head = format!("{} `{}` in {}", paint.good("Created"), self.app, self.dir.display());
        let next = self.next.iter().map(|command| format!("\n  {}", paint.key(command)));
        format!("{head}\n{}", next.collect::<String>())
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let interrupt = Interrupt::watch()?;
    let name = name(&args, context)?;
    let template = match args.template {
        Some(template) => template,
        None if context.terminal.interactive && !context.yes => {
            let choices = Template::ALL.map(Template::as_str);
            Template::ALL[choose(&context.terminal, "What does its code begin with?", &choices)?]
        }
        None => Template::Blank,
    };
    let dir = plain(&context.cwd.join(args.dir.as_deref().unwrap_or(Path::new(name.as_str()))));

    interrupt.hold()?;
    let mut folder = NewFolder::claim(&dir).map_err(|problem| in_the_way(problem, &dir, &name, template))?;
    let made = make(&mut folder, &Scaffold { name: name.clone(), template }, &args, context, &interrupt);
    // A step that was cut short has a problem of its own, which is not the news.
    interrupt.check()?;
    made?;
    folder.keep();

    let mut next: Vec<_> = cd(&dir, context).into_iter().collect();
    next.push("dae serve".to_owned());
    let url = format!("http://{}.localhost:8080", name.host());
    Ok(Box::new(Created { app: name, dir, template: template.as_str(), url, next }))
}

fn make(
    folder: &mut NewFolder,
    scaffold: &Scaffold,
    args: &Args,
    context: &Context,
    interrupt: &Interrupt,
) -> Result<()> {
    folder.fill(|stage| scaffold.write(stage))?;
    if !args.no_venv {
        install(folder.path(), scaffold, context)?;
        interrupt.check()?;
    }
    if !args.no_git {
        let message = format!("{}: made by dae create from the {} template", scaffold.name, scaffold.template.as_str());
        match first_commit(folder.path(), &message)? {
            Versioned::Committed => context.say("Committed", "the first version, in a git repository of its own"),
            Versioned::Inside(outer) => {
                let text = format!("git: `{}` is a repository already", outer.display());
                context.terminal.line(&Line::new(Tone::Plain, "Skipped", text));
            }
        }
    }
    Ok(())
}

/// Makes the virtualenv with what the template imports, pinned, and what `dae serve` needs beside it.
fn install(root: &Path, scaffold: &Scaffold, context: &Context) -> Result<()> {
    let tell = |event: python::Event| context.terminal.tell(&event);
    let packages = scaffold.template.packages().iter();
    let asked = packages.map(|name| Asked::parse(name)).collect::<Result<Vec<_>>>()?;
    let project = Project::new(root, "python", &context.dirs.cache, &tell)?;
    let prepared = if asked.is_empty() { Ok(()) } else { project.install(&asked).map(drop) };
    let Err(problem) = prepared.and_then(|()| project.prepare().map(drop)) else { return Ok(()) };
    if problem.code != "installer.network" {
        return Err(problem);
    }
    if scaffold.template.packages().is_empty() {
        // Its own side is whole: what is missing is dae's, and is fetched when it is first needed.
        context.warn(&problem);
        context.terminal.line(&Line::warning("`dae serve` will fetch what it needs once there is a network"));
        return Ok(());
    }
    let again = command(scaffold.name.as_str(), Some(scaffold.template), None);
    Err(problem.try_running(format!("{again} --no-venv")).hint("which installs nothing; `dae sync` does so later"))
}

fn name(args: &Args, context: &Context) -> Result<AppName> {
    match &args.name {
        Some(name) => AppName::parse(name).map_err(|problem| {
            let problem = problem.exit(2);
            match AppName::nearest(name) {
                Some(near) => problem.try_running(command(near.as_str(), args.template, None)),
                None => problem.hint("a lowercase letter, then up to 15 of `a-z`, `0-9` and `_`, as in `my_blog`"),
            }
        }),
        None if context.terminal.interactive => {
            let check = |text: &str| AppName::parse(text).map(drop).map_err(|problem| problem.message);
            AppName::parse(&ask(&context.terminal, "What is the app called?", None, check)?)
        }
        None => Err(Problem::new("create.no-name", "a new app needs a name")
            .try_running(command("NAME", args.template, None))
            .exit(2)),
    }
}

fn in_the_way(problem: Problem, dir: &Path, name: &AppName, template: Template) -> Problem {
    if problem.code != "create.exists" {
        return problem;
    }
    let problem = problem.try_running(command(name.as_str(), Some(template), Some("OTHER_FOLDER")));
    if dir.join("app.yaml").is_file() {
        return problem.hint(format!("it is an app already: `dae -C {} serve` runs it", quoted(dir)));
    }
    problem
}

/// The command line as it is typed.
fn command(name: &str, template: Option<Template>, dir: Option<&str>) -> String {
    let template = template.filter(|template| *template != Template::Blank);
    let template = template.map(|template| format!(" --template {}", template.as_str())).unwrap_or_default();
    let dir = dir.map(|dir| format!(" --dir {dir}")).unwrap_or_default();
    format!("dae create {name}{template}{dir}")
}

/// The path without `.` and with `x/..` left as it is, which a link may need.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

/// How to get there; `None` when that is where one is.
fn cd(dir: &Path, context: &Context) -> Option<String> {
    let shell = std::env::current_dir().unwrap_or_else(|_| context.cwd.clone());
    let near = dir.strip_prefix(&shell).unwrap_or(dir);
    (near != Path::new("")).then(|| format!("cd {}", quoted(near)))
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let safe = |c: char| c.is_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(safe) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
