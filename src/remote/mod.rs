//! Places to deploy to. The client half never imports the node; `server` is a node as a remote.

pub mod api;
pub mod server;
