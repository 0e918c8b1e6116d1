//! Which copy of an app it is: by the real path of its folder, and nothing else. Browsers share cookies between the ports of a
//! host, so copies that run at the same time need names of their own.

use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A few digits that follow from the folder's real path.
pub fn mark(root: &Path) -> String {
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let digest = Sha256::digest(real.as_os_str().as_encoded_bytes());
    digest[..3].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// How a server is called in its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// `http://NAME.localhost`
    ByApp,
    /// `http://NAME-MARK.localhost`, for another copy may run beside it.
    ByCopy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_told_by_its_real_path() {
        let place = tempfile::tempdir().unwrap();
        let (one, two, link) = (place.path().join("one"), place.path().join("two"), place.path().join("link"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        std::os::unix::fs::symlink(&one, &link).unwrap();
        assert_eq!(mark(&one), mark(&link));
        assert_ne!(mark(&one), mark(&two));
        assert!(mark(&one).len() == 6 && mark(&one).bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
