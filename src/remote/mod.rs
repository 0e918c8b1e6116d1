//! Places to deploy to. The client half never imports the node; `server` is a node as a remote, `kubernetes` a cluster as one.

pub mod api;
pub mod client;
pub mod cluster;
pub mod config;
pub mod conformance;
pub mod console;
pub mod credentials;
pub mod deploy;
pub mod difference;
mod events;
mod file;
pub mod finding;
pub mod kubernetes;
pub mod login;
pub mod origin;
pub mod promote;
pub mod reference;
pub mod registry;
pub mod server;
pub mod settings;
pub mod setup;
pub mod ssh;

pub use client::Client;
pub use config::Remotes;
pub use credentials::{Credentials, Token};
pub use events::Live;
