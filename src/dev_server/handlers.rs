//! Whether the handlers of Thrift services have the methods that their interfaces promise, as far as their text tells.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::app::App;
use crate::problem::{Place, Problem};
use crate::thrift::Interfaces;

const LOOK: &str = include_str!("../../python/dae/thrift/look.py");

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Looked {
    Lacks { file: PathBuf, line: usize, lacks: Vec<String> },
    Absent { file: PathBuf, absent: String },
}

/// What the handlers lack. `python` reads their text and runs none of it.
pub fn lacking(app: &App, all: &Interfaces, python: &Path) -> Vec<Problem> {
    let services = &app.manifest.services;
    let methods = |service: &crate::app::Service| {
        let idl = service.interface.idl.rsplit('.').next().unwrap_or_default();
        let functions = all.service(idl, &service.interface.service).map(|(at, is)| all.functions(at, is));
        functions.into_iter().flatten().map(|(_, function)| function.name.text.clone()).collect::<Vec<_>>()
    };
    let told: Vec<_> = services
        .iter()
        .map(|service| {
            let target = &service.handler;
            serde_json::json!({ "module": target.module, "name": target.callable, "methods": methods(service) })
        })
        .collect();
    let told = serde_json::json!({ "root": app.root, "handlers": told }).to_string();
    // A Python that cannot even be asked is told of when the app is run.
    let asked = Command::new(python).args(["-I", "-S", "-c", LOOK]).env("DAE_LOOK", told).output();
    let looked: Vec<Option<Looked>> =
        asked.ok().and_then(|said| serde_json::from_slice(&said.stdout).ok()).unwrap_or_default();
    let problems = services.iter().zip(looked).filter_map(|(service, looked)| {
        let interface = format!("{}.{}", service.interface.idl, service.interface.service);
        Some(match looked? {
            Looked::Absent { file, absent } => {
                let message = format!("`{}` has no `{absent}`, the handler of `{interface}`", file.display());
                Problem::new("service.handler", message)
            }
            Looked::Lacks { file, line, lacks } => {
                let message = format!("`{}` lacks {} of `{interface}`", service.handler.callable, named(&lacks));
                let text = std::fs::read_to_string(app.root.join(&file)).unwrap_or_default();
                let offset = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
                let problem = Problem::new("service.handler", message).at(Place::in_text(&file, &text, offset, 200));
                problem.hint(format!("write `def {}(self, ...):`", lacks[0]))
            }
        })
    });
    problems.collect()
}

fn named(lacks: &[String]) -> String {
    lacks.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
