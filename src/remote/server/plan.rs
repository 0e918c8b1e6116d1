//! What a deploy would do. Nothing is written to answer that.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use axum::{Json, http::StatusCode};
use serde::Deserialize;

use super::auth::Verb;
use super::caller::Caller;
use super::control::read_up_to;
use super::refusal::{Answer, Refused};
use super::{Server, blocking};
use crate::app::AppName;
use crate::packaging::{self, Digest};
use crate::problem::{Problem, Result};
use crate::remote::api::{Offered, Planned, Release, RunsWith};

/// Some 10,000 blobs.
const LARGEST: usize = 1 << 20;

pub async fn plan(State(server): State<Arc<Server>>, caller: Caller, Path(app): Path<String>, body: Body) -> Answer {
    let app = caller.may(Verb::Read, &app)?;
    let offered: Offered = read_up_to(body, LARGEST).await?;
    let bad = |problem| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, problem);
    let image = Digest::parse(&offered.image).map_err(bad)?;
    let blobs = offered.blobs.iter().map(|blob| Ok((Digest::parse(&blob.digest)?, blob.size)));
    let blobs: Vec<(Digest, u64)> = blobs.collect::<Result<_>>().map_err(bad)?;
    let sees_all = caller.0.sees_all();
    let planned = blocking(move || {
        let live = server.store.live(&app)?;
        let mut missing = Vec::new();
        for (digest, size) in &blobs {
            // What another app's repository holds is no secret from those who see every app.
            let may_know = sees_all || server.store.has_blob(&app, digest)?;
            if !may_know || server.blobs.size(digest).is_none() {
                missing.push((digest.to_string(), *size));
            }
        }
        let mut refused = Vec::new();
        refused.extend(server.blobs.disk.room_for(missing.iter().map(|(_, size)| size).sum()).err());
        refused.extend(server.interpreter(&offered.python).err());
        if offered.platform != packaging::platform() {
            refused.push(Problem::new("release.platform", "the image was made for another platform").because(format!(
                "it is for {}, this node is {}",
                offered.platform,
                packaging::platform()
            )));
        }
        if offered.sealed_to.as_ref().is_some_and(|to| *to != server.key.public().to_string()) {
            refused.push(Problem::new("sealed.open", "its secrets are sealed for another remote"));
        }
        let same = live.as_ref().is_some_and(|live| live.image == image.to_string());
        let runs = live.as_ref().map(|live| server.runs_with(&app, live)).transpose()?.flatten();
        let missing = if same { Vec::new() } else { missing.into_iter().map(|(digest, _)| digest).collect() };
        Ok::<_, Refused>(Planned { live, missing, refused, runs })
    })
    .await?;
    Ok(Json(planned).into_response())
}

/// As much of an image's manifest as says what it holds.
#[derive(Debug, Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
struct Layer {
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

impl Server {
    /// None when it is not put together here, as after it was taken away by hand.
    fn runs_with(&self, app: &AppName, live: &Release) -> Result<Option<RunsWith>> {
        let image = Digest::parse(&live.image)?;
        let Some(file) = super::assemble::release_file_of(&self.dir, app, &image) else { return Ok(None) };
        let manifest: Manifest = serde_json::from_slice(&self.blobs.read(&image)?).unwrap_or_default();
        let dists: BTreeSet<String> = manifest
            .layers
            .iter()
            .filter_map(|layer| layer.annotations.get(packaging::DISTS))
            .flat_map(|names| names.split_whitespace().map(str::to_owned))
            .collect();
        let settings = self.settings_of(app, Some(live.id))?;
        Ok(Some(RunsWith {
            manifest: serde_json::to_value(file.manifest)
                .map_err(|error| Problem::new("node.json", "could not write JSON").because(error))?,
            python: file.python_full,
            dists: dists.into_iter().collect(),
            config: settings.env.into_keys().collect(),
        }))
    }
}
