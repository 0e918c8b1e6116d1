//! What a cluster is and has, as far as this user may know.

use serde::Serialize;

use super::api::Api;
use crate::problem::Result;
use crate::remote::cluster::Gateway;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// `v1.33.1`.
    pub version: String,
    /// The only Gateway there is.
    pub gateway: Option<Gateway>,
}

/// Asks who the cluster is; what it does not let this user see counts as not there.
pub async fn look(api: &Api) -> Result<Found> {
    let version = api.get("/version").await.map_err(|failure| api.problem("ask the cluster what it is", failure))?;
    let version = version["gitVersion"].as_str().unwrap_or("of unknown version").to_owned();
    let gateways = api.get("/apis/gateway.networking.k8s.io/v1/gateways").await.unwrap_or_default();
    let gateway = match gateways["items"].as_array().map(Vec::as_slice) {
        Some([gateway]) => {
            let word = |name: &str| gateway["metadata"][name].as_str().unwrap_or_default().to_owned();
            Some(Gateway { namespace: word("namespace"), name: word("name") })
        }
        _ => None,
    };
    Ok(Found { version, gateway })
}
