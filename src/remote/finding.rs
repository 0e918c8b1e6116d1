//! One thing a remote is asked to have, and whether it is there.

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub what: String,
    pub good: bool,
    /// It goes without, too.
    pub optional: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}
