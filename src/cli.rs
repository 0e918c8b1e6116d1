//! Global flags and the list of commands. This one definition feeds the help, the completions and the man pages.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::{self, Context, Outcome};
use crate::term::{ColorWhen, Format, Verbosity};

/// Create, install, serve and deploy Python web apps.
///
/// One binary is the dev server, every platform service and the deploy tool: no Docker, no account, nothing to install but
/// Python.
#[derive(Debug, Parser)]
#[command(name = "dae", version, propagate_version = false, max_term_width = 100)]
#[command(after_help = "A first session:
  dae create hello && cd hello
  dae serve                        http://hello.localhost:8080, live reload
  dae install flask                into the virtualenv, pinned into pip-req.txt
  dae remote add prod https://dae.example.com
  dae deploy")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Args)]
pub struct Global {
    /// Answer in JSON on stdout: events one a line, the answer or the problem last
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Act as if started in this folder
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = "Global options")]
    pub directory: Option<PathBuf>,
    /// Colour the output [default: auto]
    #[arg(long, value_name = "WHEN", global = true, hide_possible_values = false, help_heading = "Global options")]
    pub color: Option<ColorWhen>,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Create(commands::create::Args),
    Install(commands::install::Args),
    Uninstall(commands::uninstall::Args),
    Sync(commands::sync::Args),
    Freeze(commands::freeze::Args),
    Update(commands::update::Args),
    Outdated(commands::outdated::Args),
    Why(commands::why::Args),
    Tree(commands::tree::Args),
    Venv(commands::venv::Args),
    Check(commands::check::Args),
    Schema(commands::schema::Args),
    Cron(commands::cron::Args),
    Queue(commands::queue::Args),
    Db(commands::db::Args),
    Permdir(commands::permdir::Args),
    State(commands::state::Args),
    Bdb(commands::bdb::Args),
    Serve(commands::serve::Args),
    Service(commands::service::Args),
    Status(commands::status::Args),
    Stop(commands::stop::Args),
    Restart(commands::restart::Args),
    Run(commands::run::Args),
    Shell(commands::shell::Args),
    Test(commands::test::Args),
    Package(commands::package::Args),
    Plan(commands::plan::Args),
    Deploy(commands::deploy::Args),
    Releases(commands::releases::Args),
    Ps(commands::ps::Args),
    Rollback(commands::rollback::Args),
    Traffic(commands::traffic::Args),
    Logs(commands::logs::Args),
    Mail(commands::mail::Args),
    Errors(commands::errors::Args),
    Mc(commands::mc::Args),
    Config(commands::config::Args),
    Scale(commands::scale::Args),
    Domains(commands::domains::Args),
    Maintenance(commands::maintenance::Args),
    Open(commands::open::Args),
    Remote(commands::remote::Args),
    Node(commands::node::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
}

impl Command {
    fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Create(args) => commands::create::run(args, context),
            Self::Install(args) => commands::install::run(args, context),
            Self::Uninstall(args) => commands::uninstall::run(args, context),
            Self::Sync(args) => commands::sync::run(args, context),
            Self::Freeze(args) => commands::freeze::run(args, context),
            Self::Update(args) => commands::update::run(args, context),
            Self::Outdated(args) => commands::outdated::run(args, context),
            Self::Why(args) => commands::why::run(args, context),
            Self::Tree(args) => commands::tree::run(args, context),
            Self::Venv(args) => commands::venv::run(args, context),
            Self::Check(args) => commands::check::run(args, context),
            Self::Schema(args) => commands::schema::run(args, context),
            Self::Cron(args) => commands::cron::run(args, context),
            Self::Queue(args) => commands::queue::run(args, context),
            Self::Db(args) => commands::db::run(args, context),
            Self::Permdir(args) => commands::permdir::run(args, context),
            Self::State(args) => commands::state::run(args, context),
            Self::Bdb(args) => commands::bdb::run(args, context),
            Self::Serve(args) => commands::serve::run(args, context),
            Self::Service(args) => commands::service::run(args, context),
            Self::Status(args) => commands::status::run(args, context),
            Self::Stop(args) => commands::stop::run(args, context),
            Self::Restart(args) => commands::restart::run(args, context),
            Self::Run(args) => commands::run::run(args, context),
            Self::Shell(args) => commands::shell::run(args, context),
            Self::Test(args) => commands::test::run(args, context),
            Self::Package(args) => commands::package::run(args, context),
            Self::Plan(args) => commands::plan::run(args, context),
            Self::Deploy(args) => commands::deploy::run(args, context),
            Self::Releases(args) => commands::releases::run(args, context),
            Self::Ps(args) => commands::ps::run(args, context),
            Self::Rollback(args) => commands::rollback::run(args, context),
            Self::Traffic(args) => commands::traffic::run(args, context),
            Self::Logs(args) => commands::logs::run(args, context),
            Self::Mail(args) => commands::mail::run(args, context),
            Self::Errors(args) => commands::errors::run(args, context),
            Self::Mc(args) => commands::mc::run(args, context),
            Self::Config(args) => commands::config::run(args, context),
            Self::Scale(args) => commands::scale::run(args, context),
            Self::Domains(args) => commands::domains::run(args, context),
            Self::Maintenance(args) => commands::maintenance::run(args, context),
            Self::Open(args) => commands::open::run(args, context),
            Self::Remote(args) => commands::remote::run(args, context),
            Self::Node(args) => commands::node::run(args, context),
            Self::Completions(args) => commands::completions::run(args, context),
            Self::Man(args) => commands::man::run(args, context),
        }
    }
}

/// The definition itself, for completions and man pages.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Runs one command line and returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let format = if cli.global.json { Format::Json } else { Format::Human };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let context = match Context::new(format, verbosity, cli.global.color, cli.global.directory) {
        Ok(context) => context,
        Err((terminal, problem)) => return terminal.fail(&problem),
    };
    match cli.command.run(&context) {
        Ok(report) => context.terminal.answer(report.as_ref()),
        Err(problem) => context.terminal.fail(&problem),
    }
}

/// Help and version are answers; everything else is exit code 2. Nobody reading is a quiet end.
fn usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    if error.use_stderr() { 2 } else { 0 }
}
