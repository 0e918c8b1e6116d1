//! `dae`: create, install, serve and deploy Python web apps.
//!
//! The modules in reading order. Each knows only what stands above it in `tests/it/layers.rs`.
//!
//! - [`problem`]: what a person is told when something stands in the way
//! - [`term`]: the only writer to stdout and stderr
//! - [`app`]: an app as its author wrote it: its name, app.yaml, what a new one consists of
//! - [`python`]: interpreters, virtualenvs, pip-req.txt, the installer, the runtime set
//! - [`thrift`]: interfaces, and the Python that speaks them
//! - [`supervisor`]: child processes; knows no apps
//! - [`services`]: what an app finds around it: data, queues, mail
//! - [`gateway`]: HTTP in front of whatever answers; knows no apps
//! - [`node`]: runs apps generation by generation
//! - [`packaging`]: an app as an OCI image
//! - [`remote`]: places to deploy to: the client, and a node as a server
//! - [`dev_server`]: a node with a watcher: `dae serve`
//! - [`commands`]: one file a command
//! - [`cli`]: global flags and the list of commands

pub mod app;
pub mod cli;
pub mod commands;
pub mod dev_server;
pub mod gateway;
pub mod node;
pub mod packaging;
pub mod problem;
pub mod python;
pub mod remote;
pub mod services;
pub mod supervisor;
pub mod term;
pub mod thrift;
