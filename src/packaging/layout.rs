//! An image as a folder in the OCI layout, to hand over or to look into.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::image::{Image, MANIFEST_TYPE};
use super::layer::Blob;
use crate::problem::{Doing as _, Problem, Result};

/// Writes the layout at `to`, which must not be there, be empty, or be a layout; afterwards it is there whole.
pub fn write_layout(image: &Image, to: &Path) -> Result<()> {
    let occupied = to.exists() && !to.join("oci-layout").is_file();
    if occupied && !is_empty_folder(to) {
        return Err(Problem::new("package.occupied", format!("`{}` is there and is no OCI layout", to.display()))
            .hint("name another folder with `-o`"));
    }
    let beside = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(beside).doing(|| format!("make the folder `{}`", beside.display()))?;
    let aside = tempfile::Builder::new().prefix(".dae-layout-").tempdir_in(beside);
    let aside = aside.doing(|| format!("make a folder in `{}`", beside.display()))?;
    let blobs = aside.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).doing(|| format!("make the folder `{}`", blobs.display()))?;
    for blob in std::iter::once(&image.manifest).chain(image.blobs()) {
        place(blob, &blobs.join(blob.digest.hex()))?;
    }
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": MANIFEST_TYPE, "digest": image.manifest.digest, "size": image.manifest.size}],
    });
    for (name, text) in
        [("index.json", index.to_string()), ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#.to_owned())]
    {
        fs::write(aside.path().join(name), text).doing(|| format!("write `{}`", to.join(name).display()))?;
    }
    let doing = || format!("put the layout at `{}`", to.display());
    // Moved away first: between the two there is nothing, never half of something.
    let old = tempfile::Builder::new().prefix(".dae-layout-").tempdir_in(beside).doing(doing)?;
    if to.exists() {
        fs::rename(to, old.path().join("old")).doing(doing)?;
    }
    fs::set_permissions(aside.path(), fs::Permissions::from_mode(0o755)).doing(doing)?;
    let aside = aside.keep();
    fs::rename(&aside, to).doing(doing)
}

fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// A second name for the same bytes where the file system can; a copy where it cannot.
fn place(blob: &Blob, to: &Path) -> Result<()> {
    if to.exists() || fs::hard_link(&blob.path, to).is_ok() {
        return Ok(());
    }
    fs::copy(&blob.path, to).map(drop).doing(|| format!("write `{}`", to.display()))
}
