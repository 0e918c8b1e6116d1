//! Key-value stores of an app.

pub mod beansdb;
pub mod memcache;
pub mod values;
