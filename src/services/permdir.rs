//! permdir: the folder for an app's permanent files. Nothing runs for it; its path is told as a service's address is.

use tokio_util::sync::CancellationToken;

use super::{Running, Space, copy};
use crate::problem::Result;

/// None where the app's own `permdir` is meant and nobody says otherwise.
pub fn start(space: &Space) -> Result<Option<Running>> {
    let Some(permdir) = &space.machine.permdir else { return Ok(None) };
    copy::make_private(permdir)?;
    let stop = CancellationToken::new();
    let task = tokio::spawn(stop.clone().cancelled_owned());
    let env = vec![("DAE_PERMDIR".to_owned(), permdir.to_string_lossy().into_owned())];
    Ok(Some(Running::new("permdir", env, stop, task)))
}
