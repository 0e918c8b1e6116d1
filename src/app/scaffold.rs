//! What a new app consists of.

/// Which framework a new app begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    #[value(name = "web.py")]
    WebPy,
    Flask,
    Django,
    Fastapi,
    Blank,
}

/// A new app, about to be written.
#[derive(Debug)]
pub struct Scaffold;
