//! Where an image is: `ghcr.io/acme/shop`, with a tag or a digest where one is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::packaging::Digest;
use crate::problem::{Problem, Result};

/// `registry/repository[:tag][@digest]`. A name without a registry is Docker Hub's, as everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    /// `ghcr.io`, `127.0.0.1:5000`.
    pub registry: String,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

impl Reference {
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Problem::new("image.reference", format!("`{text}` does not name an image"))
                .because(why)
                .hint("write it as `ghcr.io/acme/shop`: the registry, then the repository")
                .exit(2)
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (first, rest) = name.split_once('/').unwrap_or(("", name));
        let is_host = first.contains(['.', ':']) || first == "localhost";
        let (registry, path) = if is_host { (first, rest) } else { ("docker.io", name) };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && word.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
        };
        if !repository.split('/').all(word) {
            return Err(wrong("a repository is lowercase words with `/` between them"));
        }
        let host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if !registry.chars().all(host) {
            return Err(wrong("that is no host"));
        }
        if !is_host && !path.contains('/') && repository.contains('.') {
            return Err(wrong("that is a registry, and no repository in it"));
        }
        let tag_char = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if tag.as_deref().is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.chars().all(tag_char)) {
            return Err(wrong("what stands behind `:` is no tag"));
        }
        let repository = match (registry, repository.contains('/')) {
            ("docker.io", false) => format!("library/{repository}"),
            _ => repository.to_owned(),
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }

    /// The image of this digest in the same repository.
    #[must_use]
    pub fn at(&self, digest: &Digest) -> Self {
        Self { tag: None, digest: Some(digest.clone()), ..self.clone() }
    }

    /// What a manifest is asked for by: the digest, where there is one.
    pub fn wanted(&self) -> &str {
        self.digest.as_ref().map_or_else(|| self.tag.as_deref().unwrap_or("latest"), Digest::as_str)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Reference {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_people_write_them() {
        let digest = format!("@{}", Digest::of(b""));
        for (text, whole) in [
            ("python", "docker.io/library/python"),
            ("python:3.12-slim", "docker.io/library/python:3.12-slim"),
            ("acme/shop", "docker.io/acme/shop"),
            ("ghcr.io/acme/shop", "ghcr.io/acme/shop"),
            ("127.0.0.1:5000/shop:1", "127.0.0.1:5000/shop:1"),
            ("localhost/a/b/c", "localhost/a/b/c"),
            (&format!("python{digest}"), &format!("docker.io/library/python{digest}")),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.to_string(), whole);
            assert_eq!(Reference::parse(&reference.to_string()).unwrap(), reference, "{text}");
        }
        for bad in ["", "ghcr.io/", "ghcr.io", "https://ghcr.io/a", "Acme/Shop", "a:", "a@sha256:1", "a b", "a//b"] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
    }
}
