//! `dae shell`.

use super::run::with_services;
use super::{Context, Outcome};

/// Open a Python prompt with the app's code and the platform, IPython where the virtualenv has it
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Tells what is there, and leaves the rest to Python's own prompt.
const PROMPT: &str = "
try:
    import IPython
except ImportError:
    import code, os, sys
    code.interact(f'Python {sys.version.split()[0]}, app {os.environ[\"DAE_APPNAME\"]}', local={})
else:
    IPython.start_ipython(argv=[])
";

pub fn run(_: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    with_services(context, &app, &["python".into(), "-c".into(), PROMPT.into()])
}
