//! An app as an OCI image, built without a daemon: pure functions of a folder. Knows no network and no tokio.

mod digest;
mod unpack;

pub use digest::{Digest, Hashing};
pub use unpack::{Limits, Unpacked, unpack};
