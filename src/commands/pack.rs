//! What `dae package` and `dae deploy` share: from the app as it stands to an image.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::Context;
use crate::app::App;
use crate::dev_server::interfaces;
use crate::packaging::{self, Image, Listing, Recipient};
use crate::problem::Result;
use crate::python;
use crate::remote::deploy::{millis, seconds, size};
use crate::term::{Event, Line, Paint, Shown, Text};

/// An image was made.
struct Packed {
    layers: usize,
    new: usize,
    bytes: u64,
    took: Duration,
}

impl Event for Packed {
    fn show(&self) -> Shown<'_> {
        let Self { layers, new, bytes, took } = self;
        Shown::Line(Line::good(
            "Packed",
            format!("{layers} layers, {new} of them new, {}, in {}", size(*bytes), seconds(*took)),
        ))
    }

    fn json(&self) -> Value {
        json!({
            "event": "packed",
            "layers": self.layers,
            "new": self.new,
            "bytes": self.bytes,
            "took_ms": millis(self.took),
        })
    }
}

/// Makes the app's Python ready, and packs the app. `recipient` is asked, when the app has secrets, whom to seal them to.
pub fn pack(context: &Context, app: &App, recipient: impl FnOnce() -> Result<Option<Recipient>>) -> Result<Image> {
    let (image, _) = self::image(context, app, recipient)?;
    if !image.protected.is_empty() {
        let names = image.protected.join(", ");
        match image.sealed {
            Some(_) => context.say("Sealed", names),
            None => context.terminal.line(&Line::warning(format!(
                "left out, because secrets are sealed to the remote they go to: {names}; `dae deploy` takes them"
            ))),
        }
    }
    Ok(image)
}

/// The same for those who bring the protected files there themselves; with the version of the app's Python.
pub fn image(
    context: &Context,
    app: &App,
    recipient: impl FnOnce() -> Result<Option<Recipient>>,
) -> Result<(Image, String)> {
    let environment = python::prepare(app, &context.dirs.cache, &|event| context.terminal.tell(&event))?;
    interfaces::bring_in_line(app)?;
    let start = Instant::now();
    let image = packaging::pack(app, &environment, &context.dirs.cache, recipient)?;
    for warning in &image.warnings {
        context.warn(warning);
    }
    let new = image.layers.iter().filter(|layer| layer.new).count();
    context.terminal.tell(&Packed { layers: image.layers.len(), new, bytes: image.size(), took: start.elapsed() });
    Ok((image, environment.version))
}

/// The answer to `--list-files`.
#[derive(Serialize)]
pub struct Files {
    #[serde(flatten)]
    listing: Listing,
    bytes: u64,
    #[serde(skip)]
    secrets: Secrets,
}

/// What becomes of protected files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    Sealed,
    LeftOut,
}

impl Text for Files {
    fn text(&self, paint: Paint) -> String {
        let files = self.listing.files.iter().map(|file| file.path.clone());
        let what = match self.secrets {
            Secrets::Sealed => "(sealed)",
            Secrets::LeftOut => "(protected, left out)",
        };
        let protected = self.listing.protected.iter().map(|path| format!("{path} {}", paint.dim(what)));
        files.chain(protected).collect::<Vec<_>>().join("\n")
    }
}

/// Which of the app's files would be packed.
pub fn list(context: &Context, app: &App, secrets: Secrets) -> Result<Files> {
    let (listing, warnings) = packaging::list(app)?;
    for warning in &warnings {
        context.warn(warning);
    }
    let bytes = listing.files.iter().map(|file| file.size).sum();
    context.say("Packs", format!("{} files, {}", listing.files.len(), size(bytes)));
    Ok(Files { listing, bytes, secrets })
}
