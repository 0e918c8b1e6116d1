//! What an app runs with on this node beside its image: kept sealed to the node's own key.

use super::{Server, login};
use crate::app::AppName;
use crate::problem::{Problem, Result};
use crate::remote::api::ReleaseId;
use crate::remote::settings::Settings;

impl Server {
    /// Those of a release; without one, those that the next one will have.
    pub(super) fn settings_of(&self, app: &AppName, of: Option<ReleaseId>) -> Result<Settings> {
        let Some(sealed) = self.store.settings(app, of)? else { return Ok(Settings::default()) };
        serde_json::from_slice(&self.key.open(&sealed)?).map_err(|error| {
            Problem::new("node.settings", format!("the settings of `{app}` are not readable")).because(error)
        })
    }

    pub(super) fn seal_settings(&self, settings: &Settings) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(settings)
            .map_err(|error| Problem::new("node.settings", "could not write settings").because(error))?;
        self.key.public().seal(&plain)
    }
}

impl Settings {
    /// What an app's processes know of it: how people log in is the gateway's business.
    pub fn told(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.env.iter().filter(|(name, _)| !login::is_ours(name)).map(|(name, value)| (name.clone(), value.clone()))
    }
}
