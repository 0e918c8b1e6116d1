//! Python on this machine: interpreters, virtualenvs, pip-req.txt, the installer, the runtime set. Knows no tokio.

use std::path::PathBuf;

/// All that is needed to run an app's code, there and up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The virtualenv's interpreter.
    pub python: PathBuf,
    /// Full version, `3.11.7`.
    pub version: String,
    pub site_packages: PathBuf,
    /// The runtime set: gunicorn, gevent, the `dae` package; behind the app's packages on `sys.path`.
    pub runtime: PathBuf,
}
