//! Who asks: the users of an app, the gateway's signed word on one, and the session of a browser. Knows no requests.

mod keys;
mod personas;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

pub use keys::Keys;
pub use personas::Personas;

use super::{Running, Space};
use crate::problem::{Problem, Result};

/// Where an app sends somebody who is to log in or out: see python/dae/api/users.py.
pub const LOGIN: &str = "/_dae/login";
pub const LOGOUT: &str = "/_dae/logout";
/// The gateway's word on who asks.
pub const IDENTITY: &str = "x-dae-user";

/// A user, as an app sees one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Digits: apps keep it in columns of numbers.
    pub id: String,
    pub name: String,
    pub username: String,
    pub email: String,
    #[serde(default)]
    pub admin: bool,
}

/// Nobody has to listen for this one: its key and its personas are files.
#[expect(clippy::unused_async, reason = "it is started as all services are")]
pub async fn start(space: &Space) -> Result<Running> {
    let keys = Keys::of(&space.data)?;
    // The same for as long as the app's processes believe it, whatever becomes of the data.
    let identity = space.kept.word("users", || Ok::<_, Problem>(keys.identity.clone()))?;
    let stop = CancellationToken::new();
    let task = tokio::spawn(stop.clone().cancelled_owned());
    let personas = Personas::of(&space.data);
    let env = vec![
        ("DAE_IDENTITY_KEY".into(), identity),
        ("DAE_USERS".into(), personas.path().to_string_lossy().into_owned()),
    ];
    Ok(Running::new("users", env, stop, task))
}

impl User {
    /// Somebody by a name that was typed: `ann`, `Ann Lee`, `ann@example.com`. `None` where nothing is left of it. The same name
    /// is the same user.
    pub fn typed(text: &str, admin: bool) -> Option<Self> {
        let name: String = text.trim().chars().filter(|c| !c.is_control()).take(64).collect();
        let plain = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '.' };
        let local = name.split('@').next().unwrap_or_default().to_lowercase();
        let username: String = local.chars().map(plain).collect();
        if username.trim_matches('.').is_empty() {
            return None;
        }
        let digest = Sha256::digest(&username);
        let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let email = if name.contains('@') { name.clone() } else { format!("{username}@example.com") };
        Some(Self { id: (1000 + number % 100_000_000).to_string(), name, username, email, admin })
    }
}
