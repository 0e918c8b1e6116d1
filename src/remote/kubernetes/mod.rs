//! A cluster as a remote: an app becomes objects of the standard API, and a release is their change, watched to its end.
//! Nothing of ours runs in the cluster. Knows no node.
//!
//! - [`manifests`]: from app.yaml to objects; pure
//! - [`workload`]: the pods of them; pure
//! - [`registry`]: images to and from a plain registry
//! - [`api`]: the cluster's API server
//! - [`problems`]: what it refuses, in words

pub mod api;
pub mod manifests;
mod problems;
pub mod registry;
mod workload;

pub use api::Api;
mod look;
pub use look::{Found, look};
