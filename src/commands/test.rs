//! `dae test`.

use super::run::Prepared;
use super::services::Services;
use super::{Context, Outcome, foreground};
use crate::app::DevSettings;
use crate::problem::Doing as _;
use crate::term::Done;

/// Run the app's tests: pytest where the virtualenv has it, else Python's own unittest
///
/// Every run has services of its own, with no data in them, gone at its end; test.yaml, else dev.yaml, points them elsewhere.
/// The exit code is theirs. What stands behind `--` is given on: `dae test -- -k login`.
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
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let below = app.root.join(".dae");
    std::fs::create_dir_all(&below).doing(|| format!("make the folder `{}`", below.display()))?;
    let made = tempfile::Builder::new().prefix("test-").tempdir_in(&below);
    let folder = made.doing(|| format!("make a folder in `{}`", below.display()))?;
    let services = Services::throw_away(context, &app, folder.path())?;
    let mut tests = Prepared::new(context, &app, settings, &python, &services)?;
    if DevSettings::read(&app.root, settings)?.0.permdir.is_none() {
        let permdir = folder.path().join("permdir");
        std::fs::create_dir_all(&permdir).doing(|| format!("make the folder `{}`", permdir.display()))?;
        tests = tests.set("DAE_PERMDIR", &permdir);
    }
    let exit = services.block_on(tests.run())?;
    services.end(context);
    foreground::end_descendants();
    Ok(Box::new(Done { exit }))
}
