//! One file a command: its `Args` (whose doc comment is its help), and `run`, which wires operations to the terminal and
//! returns a report. Nobody imports commands.

pub mod bdb;
pub mod check;
mod cluster;
mod cluster_deploy;
pub mod completions;
pub mod config;
pub mod create;
pub mod cron;
pub mod db;
pub mod deploy;
pub mod domains;
pub mod errors;
pub mod freeze;
pub mod install;
pub mod logs;
pub mod mail;
pub mod man;
pub mod mc;
pub mod node;
pub mod open;
pub mod outdated;
pub mod package;
pub mod permdir;
pub mod plan;
pub mod ps;
pub mod queue;
pub mod releases;
pub mod remote;
pub mod restart;
pub mod rollback;
pub mod run;
pub mod scale;
pub mod schema;
pub mod serve;
pub mod service;
mod services;
pub mod shell;
pub mod state;
pub mod status;
pub mod stop;
pub mod sync;
pub mod test;
pub mod tree;
pub mod uninstall;
pub mod update;
pub mod venv;
pub mod why;

mod changes;
mod context;
mod foreground;
mod interrupt;
mod online;
mod pack;

pub use context::{Context, Dirs, Outcome};
