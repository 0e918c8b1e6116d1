//! An app as an OCI image, built without a daemon: pure functions of a folder. Knows no network and no tokio.
