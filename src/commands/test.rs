//! `dae test`.

use super::run::become_command;
use super::{Context, Outcome};

/// Run the app's tests: pytest where the virtualenv has it, else Python's own unittest
///
/// The services are where test.yaml says, else dev.yaml. The exit code is theirs. What stands behind `--` is given on: `dae test -- -k login`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Arguments for pytest or unittest
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

const TESTS: &str = "
import importlib.util, runpy, sys
name = 'pytest' if importlib.util.find_spec('pytest') else 'unittest'
sys.argv[0] = name
runpy.run_module(name, run_name='__main__', alter_sys=True)
";

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    let settings = if app.root.join("test.yaml").exists() { "test.yaml" } else { "dev.yaml" };
    let python = ["python", "-c", TESTS].map(str::to_owned).into_iter().chain(args.args).collect::<Vec<_>>();
    become_command(context, &app, settings, &python)
}
