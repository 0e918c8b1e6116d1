//! An app as an OCI image, built without a daemon: pure functions of a folder. Knows no network and no tokio.

mod base;
mod cut;
mod digest;
mod dists;
mod editable;
mod image;
mod item;
mod layer;
mod layout;
mod program;
mod release;
mod sealed;
mod select;
mod unpack;

pub use base::{Base, Descriptor, OnBase};
pub use cut::Holds;
pub use digest::{Digest, Hashing};
pub use image::{DISTS, FileInfo, Image, LAYER_TYPE, Layer, Listing, MANIFEST_TYPE, SEALED, list, pack, secrets};
pub use layer::Blob;
pub use layout::write_layout;
pub use program::{PROGRAM, Program, program};
pub use release::{APP_DIR, RELEASE_FILE, RUNTIME_DIR, ReleaseFile, SITE_DIR, platform};
pub use sealed::{Key, Recipient, SEALED_FILE, Secret, Secrets, unseal};
pub use unpack::{Limits, Unpacked, unpack};
