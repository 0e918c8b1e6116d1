//! Places to deploy to. The client half never imports the node; `server` is a node as a remote.

pub mod api;
pub mod client;
pub mod config;
pub mod credentials;
pub mod deploy;
mod events;
mod file;
pub mod origin;
pub mod registry;
pub mod server;

pub use client::Client;
pub use config::Remotes;
pub use credentials::{Credentials, Token};
pub use events::Live;
