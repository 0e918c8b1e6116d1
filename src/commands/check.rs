//! `dae check`.

use serde::Serialize;

use super::{Context, Outcome};
use crate::app::{self, DevSettings};
use crate::dev_server::{handlers, interfaces};
use crate::problem::{Problem, Result};
use crate::python::{Event, Interpreter, PINS, Pins, Project};
use crate::term::{Line, Paint, Text};
use crate::thrift;

/// Check app.yaml and pip-req.txt, and tell every problem at once
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Good {
    app: String,
    /// Full version of the interpreter that `runtime` means here.
    python: String,
    pins: usize,
    /// Requirements that name no single version.
    loose: Vec<String>,
}

impl Text for Good {
    fn text(&self, _: Paint) -> String {
        let pins = if self.pins == 1 { "1 requirement".to_owned() } else { format!("{} requirements", self.pins) };
        format!("app.yaml is good: {}, Python {}\n{PINS} is good: {pins}", self.app, self.python)
    }
}

pub fn run(_: Args, context: &Context) -> Outcome {
    let root = app::find(&context.cwd)?;
    let mut problems = Vec::new();
    let app = noted(context.app_in(&root), &mut problems);
    let python = app.as_ref().and_then(|app| noted(Interpreter::find_for(&app.manifest.runtime, &root), &mut problems));
    if let Some(app) = &app
        && let Some(Some(all)) = noted(interfaces::interfaces(app), &mut problems)
    {
        if let Some(python) = &python {
            problems.extend(handlers::lacking(app, &all, &python.path));
        }
        noted(thrift::service_package(&all), &mut problems);
    }
    for file in ["dev.yaml", "test.yaml"] {
        let warnings = noted(DevSettings::read(&root, file), &mut problems).map(|(_, warnings)| warnings);
        warnings.iter().flatten().for_each(|warning| context.warn(warning));
    }
    let tell = |event: Event| context.terminal.tell(&event);
    let project = Project::new(&root, "python", &context.dirs.cache, &tell)?;
    let text = noted(project.read_pins(), &mut problems).flatten().unwrap_or_default();
    let pins = Pins::parse(&text);
    problems.extend(pins.problems());
    problems.extend(pins.moving());
    let (Some(app), Some(python), true) = (app, python, problems.is_empty()) else {
        return Err(Problem::all(problems).unwrap_or_else(|| Problem::new("check", "the app could not be checked")));
    };
    let loose: Vec<String> = pins.loose().map(|pin| pin.text.clone()).collect();
    if !loose.is_empty() {
        let text =
            format!("{PINS} leaves the version open of {}; `dae freeze` pins what is installed", loose.join(", "));
        context.terminal.line(&Line::warning(text));
    }
    let (app, python) = (app.name.to_string(), python.version.to_string());
    Ok(Box::new(Good { app, python, pins: pins.iter().count(), loose }))
}

/// The value, or its problem put to the others.
fn noted<T>(result: Result<T>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}
