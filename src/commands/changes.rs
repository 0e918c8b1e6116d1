//! The answer of every command that changes what an app has installed, and how such a command meets Python.

use serde::Serialize;

use super::Context;
use crate::problem::Result;
use crate::python::{Change, Event, Moved, PINS, Project};
use crate::term::{Paint, Text};

#[derive(Debug, Serialize)]
pub struct Changes {
    #[serde(flatten)]
    pub change: Change,
}

impl Text for Changes {
    fn text(&self, paint: Paint) -> String {
        let Change { added, removed, packages } = &self.change;
        if self.change.is_nothing() {
            return format!("nothing to do: the virtualenv matches {PINS}, {}", count(*packages));
        }
        let line = |sign: String, moved: &Moved| format!("{sign} {}=={}\n", moved.name, moved.version);
        let mut lines: Vec<(String, String)> = removed
            .iter()
            .map(|moved| (moved.name.to_lowercase(), line(paint.bad("-"), moved)))
            .chain(added.iter().map(|moved| (moved.name.to_lowercase(), line(paint.good("+"), moved))))
            .collect();
        lines.sort_by(|(a, _), (b, _)| a.cmp(b));
        let lines: String = lines.into_iter().map(|(_, line)| line).collect();
        format!("{lines}the virtualenv matches {PINS}, {}", count(*packages))
    }
}

pub fn count(packages: usize) -> String {
    if packages == 1 { "1 package".to_owned() } else { format!("{packages} packages") }
}

/// Does something to the Python side of the working folder's app, telling what goes on.
pub fn with_project<T>(context: &Context, act: impl FnOnce(&Project) -> Result<T>) -> Result<T> {
    let app = context.app()?;
    let tell = |event: Event| context.terminal.tell(&event);
    act(&Project::of(&app, &context.dirs.cache, &tell)?)
}
