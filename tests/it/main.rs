//! The real binary, end to end: one test binary, one file a theme.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "a test says what went wrong by panicking, and what it measured by printing"
)]

mod harness;

mod backends;
mod bad_input;
mod beansdb;
mod browser;
mod config;
mod conformance;
mod copies;
mod corpus;
mod create;
mod crew;
mod cron_runs;
mod debuggers;
mod deploy;
mod derived;
mod dpark;
mod elsewhere;
mod entrance;
mod errors;
mod example;
mod exit_codes;
mod gateway;
mod guardian;
mod handlers;
mod install;
mod isolation;
mod kubernetes;
mod layers;
mod login;
mod mail;
mod memcache;
mod mysql;
mod node;
mod observers;
mod oidc;
mod openapi;
mod package;
mod permdir;
mod pins;
mod plan;
mod platform_beansdb;
mod platform_memcache;
mod platform_mysql;
mod platform_queue;
mod queue;
mod remote_init;
mod runs;
mod schedules;
mod schema;
mod scribe;
mod sealed;
mod serve;
mod service;
mod session;
mod several;
mod skopeo;
mod standby;
mod state;
mod streams;
mod thrift;
mod tls;
mod traffic;
mod traffic_split;
mod unseen;
mod vcs;
mod verify;
mod watching;
mod workers;
