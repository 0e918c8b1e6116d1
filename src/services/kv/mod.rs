//! Key-value stores of an app.

pub mod memcache;
