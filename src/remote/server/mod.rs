//! A node as a remote: registry, releases, control API, tokens.
