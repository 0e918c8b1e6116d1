//! What a remote needs to know to run an image: `dae/release.json` in its last layer.

use serde::{Deserialize, Serialize};

use super::Digest;
use crate::app::{AppName, Manifest};

/// Where things lie in an image.
pub const APP_DIR: &str = "dae/app";
/// The app's third-party packages.
pub const SITE_DIR: &str = "dae/site";
/// The runtime set, behind them on `sys.path`.
pub const RUNTIME_DIR: &str = "dae/runtime";
pub const RELEASE_FILE: &str = "dae/release.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseFile {
    /// The shape of this file: 1.
    pub format: u32,
    pub app: AppName,
    /// app.yaml, read.
    pub manifest: Manifest,
    /// What the packages were installed for: `3.11`.
    pub python: String,
    /// `3.11.7`.
    pub python_full: String,
    /// `linux/amd64`.
    pub platform: String,
    /// Of pip-req.txt; `None` when the app has none.
    pub pins: Option<Digest>,
    /// The version of dae that packed it.
    pub dae: String,
}

#[cfg(test)]
impl ReleaseFile {
    /// Of an app `a` with this app.yaml beyond the least it needs.
    pub fn example(more: &str) -> Self {
        let yaml = format!("application: a\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n{more}");
        Self {
            format: 1,
            app: AppName::parse("a").unwrap(),
            manifest: Manifest::parse(std::path::Path::new("app.yaml"), yaml.as_bytes()).unwrap().0,
            python: "3.11".into(),
            python_full: "3.11.7".into(),
            platform: platform(),
            pins: None,
            dae: "0".into(),
        }
    }
}

/// This machine's platform, as OCI writes it.
pub fn platform() -> String {
    format!("{}/{}", os(), architecture())
}

pub(super) fn os() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    }
}

pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
