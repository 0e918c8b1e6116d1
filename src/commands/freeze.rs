//! `dae freeze`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::changes::with_project;
use super::{Context, Outcome};
use crate::python::{Name, PINS, Pins};
use crate::term::{Paint, Text};

/// Write what the virtualenv holds into pip-req.txt
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing: tell the difference, and exit with 1 when there is one
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Serialize)]
struct Frozen {
    checked: bool,
    /// Requirements whose line differs.
    differences: Vec<Difference>,
    pins: usize,
}

#[derive(Debug, Serialize)]
struct Difference {
    file: Option<String>,
    venv: Option<String>,
}

impl Text for Frozen {
    fn text(&self, paint: Paint) -> String {
        let mut lines = String::new();
        for Difference { file, venv } in &self.differences {
            for (sign, text) in [(paint.bad("-"), file), (paint.good("+"), venv)] {
                if let Some(text) = text {
                    let _ = writeln!(lines, "{sign} {text}");
                }
            }
        }
        let end = match (self.differences.is_empty(), self.checked) {
            (true, _) => format!("{PINS} says what the virtualenv holds, {} pins", self.pins),
            (false, true) => format!(
                "{PINS} differs from the virtualenv: type `dae sync` to follow the file, `dae freeze` to follow the virtualenv"
            ),
            (false, false) => format!("wrote {PINS}, {} pins", self.pins),
        };
        lines + &paint.marked(&end)
    }

    fn exit(&self) -> u8 {
        u8::from(self.checked && !self.differences.is_empty())
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let (old, new) = with_project(context, |project| if args.check { project.frozen() } else { project.freeze() })?;
    Ok(Box::new(Frozen { checked: args.check, differences: differences(&old, &new), pins: new.iter().count() }))
}

fn differences(old: &Pins, new: &Pins) -> Vec<Difference> {
    let mut lines: BTreeMap<Name, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for pin in old.iter() {
        lines.entry(pin.requirement.key()).or_default().0.push(&pin.text);
    }
    for pin in new.iter() {
        lines.entry(pin.requirement.key()).or_default().1.push(&pin.text);
    }
    let words = |texts: Vec<&str>| Some(texts.join(", ")).filter(|text| !text.is_empty());
    lines
        .into_values()
        .filter(|(file, venv)| file != venv)
        .map(|(file, venv)| Difference { file: words(file), venv: words(venv) })
        .collect()
}
