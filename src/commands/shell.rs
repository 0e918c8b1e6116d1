//! `dae shell`.

use super::run::{Where, console, with_services};
use super::{Context, Outcome};

/// Open a Python prompt with the app's code and the platform, IPython where the virtualenv has it
///
/// With --remote it is opened there, beside the live release and with its code, packages, environment and data.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    there: Where,
}

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

pub fn run(args: Args, context: &Context) -> Outcome {
    let command = vec!["python".into(), "-c".into(), PROMPT.into()];
    if args.there.is_meant() {
        return console::run(&args.there, command, context);
    }
    let app = context.app()?;
    with_services(context, &app, &command)
}
