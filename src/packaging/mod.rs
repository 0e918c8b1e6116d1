//! An app as an OCI image, built without a daemon: pure functions of a folder. Knows no network and no tokio.

mod digest;
mod item;
mod release;
mod unpack;

pub use digest::{Digest, Hashing};
pub use release::{APP_DIR, RELEASE_FILE, RUNTIME_DIR, ReleaseFile, SITE_DIR, platform};
pub use unpack::{Limits, Unpacked, unpack};
