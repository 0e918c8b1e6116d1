//! Secrets on their way: files that only one remote can read, by the age format and X25519. The public half of a remote's key
//! is what it tells everybody; the private half never leaves it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::str::FromStr;

use age::secrecy::ExposeSecret as _;

use super::unpack::{Limits, unpack};
use super::{Digest, Hashing};
use crate::problem::{Doing as _, Problem, Result};

/// Where the sealed files lie in an image: one age file around one tar+zstd of paths below the app's folder.
pub const SEALED_FILE: &str = "dae/sealed.age";
/// All secrets of an app together, in bytes, before they are packed.
pub const LARGEST: u64 = 16 << 20;

/// The public half of a remote's key: `age1...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(age::x25519::Recipient);

/// The private half.
pub struct Key(age::x25519::Identity);

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Recipient {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|error: &str| {
            Problem::new("sealed.recipient", format!("`{text}` is no public key to seal secrets to")).because(error)
        })
    }
}

/// Never shows what it is.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public())
    }
}

impl Key {
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Reads what [`Key::secret`] wrote.
    pub fn parse(text: &str) -> Result<Self> {
        // What is wrong is not told: it would show the key.
        text.trim()
            .parse()
            .map(Self)
            .map_err(|_| Problem::new("sealed.key", "that is no private key of the age format"))
    }

    pub fn secret(&self) -> String {
        self.0.to_string().expose_secret().to_owned()
    }

    pub fn public(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// What was sealed to this key.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>> {
        let wrong = |error: &dyn fmt::Display| {
            Problem::new("sealed.open", "what was sealed cannot be opened here")
                .because(error)
                .hint("it was sealed for another remote, or was changed on its way")
        };
        let opener = age::Decryptor::new_buffered(sealed).map_err(|error| wrong(&error))?;
        let reader = opener.decrypt(std::iter::once(&self.0 as &dyn age::Identity)).map_err(|error| wrong(&error))?;
        let mut plain = Vec::new();
        // Packed it is hardly larger than it was; whoever sends more means harm.
        reader.take(2 * LARGEST).read_to_end(&mut plain).map_err(|error| wrong(&error))?;
        Ok(plain)
    }
}

impl Recipient {
    /// Every time other bytes, so that equal secrets cannot be told.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>> {
        age::encrypt(&self.0, plain)
            .map_err(|error| Problem::new("sealed.seal", "could not seal the secrets").because(error))
    }
}

/// A secret, read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub executable: bool,
    pub bytes: Vec<u8>,
}

/// By the paths below the app's folder.
pub type Secrets = BTreeMap<String, Secret>;

/// Changes with anything in them; told to nobody, because what is short can be guessed from it.
pub(super) fn digest(secrets: &Secrets, to: &Recipient) -> Digest {
    let mut hash = Hashing::new(io::sink());
    let mut word = |word: &[u8]| {
        let _ = hash.write_all(&(word.len() as u64).to_be_bytes()).and_then(|()| hash.write_all(word));
    };
    word(b"dae sealed 1");
    word(to.to_string().as_bytes());
    for (path, Secret { executable, bytes }) in secrets {
        word(path.as_bytes());
        word(if *executable { b"x" } else { b"-" });
        word(bytes);
    }
    hash.finish().0
}

/// All of them as one sealed file.
pub(super) fn seal(secrets: &Secrets, to: &Recipient) -> Result<Vec<u8>> {
    let pack = || -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 3)?);
        for (path, Secret { executable, bytes }) in secrets {
            let mut header = tar::Header::new_gnu();
            header.set_mode(if *executable { 0o700 } else { 0o600 });
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, bytes.as_slice())?;
        }
        tar.into_inner()?.finish()
    };
    to.seal(&pack().doing(|| "pack the protected files")?)
}

/// Writes what was sealed to `key` into the empty folder `into`, for nobody but its owner.
pub fn unseal(sealed: &[u8], key: &Key, into: &Path) -> Result<()> {
    let packed = key.open(sealed)?;
    let limits = Limits { bytes: 2 * LARGEST, entries: 10_000 };
    unpack(packed.as_slice(), &Digest::of(&packed), into, limits)?;
    keep_private(into).doing(|| format!("set the permissions in `{}`", into.display()))
}

fn keep_private(folder: &Path) -> io::Result<()> {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            keep_private(&entry.path())?;
        } else if kind.is_file() {
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            set_permissions(entry.path(), Permissions::from_mode(if executable { 0o700 } else { 0o600 }))?;
        } else {
            // A link could show, under a secret's name, what is none.
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn secrets() -> Secrets {
        let secret = |executable, text: &str| Secret { executable, bytes: text.into() };
        [("local_config.py", secret(false, "KEY = 1\n")), ("secrets/run", secret(true, "#!/bin/sh\n"))]
            .map(|(path, secret)| (path.to_owned(), secret))
            .into()
    }

    #[test]
    fn what_is_sealed_opens_for_one_alone() {
        let (key, other) = (Key::generate(), Key::generate());
        let sealed = seal(&secrets(), &key.public()).unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"KEY ="));
        let into = tempfile::tempdir().unwrap();
        unseal(&sealed, &key, into.path()).unwrap();
        for (path, Secret { executable, bytes }) in secrets() {
            let path = into.path().join(path);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if executable { 0o700 } else { 0o600 });
        }
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(unseal(&sealed, &other, empty.path()).unwrap_err().code, "sealed.open");
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(unseal(&changed, &key, empty.path()).unwrap_err().code, "sealed.open");
        assert_eq!(unseal(b"", &key, empty.path()).unwrap_err().code, "sealed.open");
        assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_leads_out_is_refused() {
        let key = Key::generate();
        let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..6].copy_from_slice(b"../out");
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, io::empty()).unwrap();
        let sealed = key.public().seal(&tar.into_inner().unwrap().finish().unwrap()).unwrap();
        let into = tempfile::tempdir().unwrap();
        assert_eq!(unseal(&sealed, &key, into.path()).unwrap_err().code, "image.layer");
    }

    #[test]
    fn keys_are_read_as_they_were_written_and_not_shown() {
        let key = Key::generate();
        assert_eq!(Key::parse(&format!("{}\n", key.secret())).unwrap().public(), key.public());
        assert_eq!(key.public().to_string().parse::<Recipient>().unwrap(), key.public());
        assert!(!format!("{key:?}").contains("SECRET"));
        let problem = Key::parse("AGE-SECRET-KEY-1WRONG").unwrap_err();
        assert!(!problem.to_string().contains("WRONG"));
        assert_eq!("age1x".parse::<Recipient>().unwrap_err().code, "sealed.recipient");
    }

    #[test]
    fn anything_changes_the_digest() {
        let to = Key::generate().public();
        let base = digest(&secrets(), &to);
        assert_eq!(base, digest(&secrets(), &to));
        assert_ne!(base, digest(&secrets(), &Key::generate().public()));
        let mut other = secrets();
        other.get_mut("local_config.py").unwrap().bytes.push(b'\n');
        assert_ne!(base, digest(&other, &to));
    }
}
