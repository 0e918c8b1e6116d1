//! A cluster as a remote: an app becomes objects of the standard API, and a release is their change, watched to its end.
//! Nothing of ours runs in the cluster. Knows no node.
//!
//! - `manifests`: from app.yaml to objects; pure
//! - `trial`: services of dae's own beside an app; pure
//! - `workload`: the pods of them; pure
//! - `registry`: images to and from a plain registry
//! - `api`: the cluster's API server
//! - `problems`: what it refuses, in words
//! - `look`: what it has, and what this user may do there
//! - `history`: the releases it remembers
//! - `verdict`: whether a Deployment has arrived; pure
//! - `room`: how long a pod may wait for a node
//! - `rollout`: a release from the first object to the verdict
//! - `command`: the release command, and what `dae run` asks for; `job` listens to either
//! - `logs`: what the pods print
//! - `settings`: what is changed without new code: the environment, numbers of pods, hosts
//! - `gray`: a release on a share of the requests; `route` is how they come in
//! - `plan`: what a deploy would change, as a difference

pub mod api;
pub mod command;
pub mod gray;
pub mod history;
pub mod job;
pub mod logs;
mod look;
pub mod manifests;
pub mod plan;
mod problems;
pub mod registry;
pub mod rollout;
mod room;
mod route;
mod settings;
pub mod trial;
mod verdict;
mod word;
mod workload;

pub use api::Api;
pub use look::{Found, RIGHTS, check, look};
pub use rollout::{Arrived, Rollout, Terms};
pub use route::dressed;
pub use settings::Changed;
pub use word::Word;
