//! `dae schema`.

use serde_json::Value;

use super::{Context, Outcome};
use crate::app;
use crate::problem::Problem;
use crate::term::{Paint, Report};

/// Print the JSON Schema of app.yaml, by which editors complete and check it
///
/// A new app's app.yaml names `.dae/app.schema.json`, which `dae create` and `dae serve` write.
#[derive(Debug, clap::Args)]
pub struct Args {}

struct Schema(Value);

impl Report for Schema {
    fn text(&self, _: Paint) -> String {
        app::SCHEMA.trim_end().to_owned()
    }

    fn json(&self) -> Value {
        self.0.clone()
    }

    fn exit(&self) -> u8 {
        0
    }
}

pub fn run(_: Args, _: &Context) -> Outcome {
    let schema = serde_json::from_str(app::SCHEMA)
        .map_err(|error| Problem::new("schema", "the schema could not be read").because(error))?;
    Ok(Box::new(Schema(schema)))
}
