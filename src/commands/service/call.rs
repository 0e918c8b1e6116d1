//! `dae service call`.

use serde::Serialize;
use serde_json::Value;

use super::super::{Context, Outcome};
use super::offered;
use crate::app::DevSettings;
use crate::dev_server::interfaces;
use crate::dev_server::local::Local;
use crate::problem::{Doing as _, Problem};
use crate::python;
use crate::term::{Paint, Text};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The service: `UserStorage`, or `user.UserStorage`
    #[arg(value_name = "NAME")]
    pub service: String,
    /// Its method
    #[arg(value_name = "METHOD")]
    pub method: String,
    /// The arguments in JSON or as Python writes them, in their order or by name: `1`, `uid=1`, `'{"uid": 1}'`
    #[arg(value_name = "ARGS", allow_negative_numbers = true)]
    pub given: Vec<String>,
    /// Where it answers [default: what is served on this machine]
    #[arg(long, value_name = "HOST:PORT")]
    pub at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Returned {
    returned: Value,
}

impl Text for Returned {
    fn text(&self, _: Paint) -> String {
        match &self.returned {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            value => serde_json::to_string_pretty(value).unwrap_or_default(),
        }
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    let app = context.app()?;
    let all = offered(&app)?;
    let meant = |service: &&crate::app::Service| {
        let full = format!("{}.{}", service.interface.idl, service.interface.service);
        args.service == service.interface.service || args.service == full
    };
    let names = || app.manifest.services.iter().map(|service| service.interface.service.as_str());
    let Some(service) = app.manifest.services.iter().find(meant) else {
        return Err(Problem::new("service.unknown", format!("app.yaml names no service `{}`", args.service))
            .hint(format!("it names {}", names().collect::<Vec<_>>().join(", "))));
    };
    let idl = service.interface.idl.rsplit('.').next().unwrap_or_default();
    let name = &service.interface.service;
    let functions = all.service(idl, name).map(|(at, found)| all.functions(at, found)).unwrap_or_default();
    if !functions.iter().any(|(_, function)| function.name.text == args.method) {
        let known: Vec<_> = functions.iter().map(|(_, function)| function.to_string()).collect();
        return Err(Problem::new("service.no-method", format!("`{name}` has no method `{}`", args.method))
            .hint(format!("it has {}", known.join(", "))));
    }
    interfaces::bring_in_line(&app)?;
    let (settings, _) = DevSettings::read(&app.root, "dev.yaml")?;
    let python = python::prepare(&app, &context.dirs.cache, &|event| context.terminal.tell(&event))?;
    context.terminal.still();
    let local =
        Local { app: &app, python: &python, settings: &settings, services: &[], inherited: &context.environment };
    let mut env = local.environment();
    if let Some(at) = args.at {
        env.push((format!("DAE_SERVICE_{}_{name}", app.name).to_uppercase(), at));
    }
    let told = serde_json::json!({
        "app": app.name,
        "service": name,
        "methods": format!("service_gen.{idl}.{name}"),
        "method": args.method,
        "args": args.given,
    });
    env.push(("DAE_CALL".into(), told.to_string()));
    let output = std::process::Command::new(&python.python)
        .args(["-m", "dae.thrift.call"])
        .current_dir(&app.root)
        .env_clear()
        .envs(env)
        .stdin(std::process::Stdio::null())
        .output()
        .doing(|| format!("run `{}`", python.python.display()))?;
    let failed =
        |why: String| Problem::new("service.call", format!("`{name}.{}` did not return", args.method)).because(why);
    let said = String::from_utf8_lossy(&output.stdout);
    let Some(mut answer) = said.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()) else {
        return Err(failed("the caller ended early".into()).detail(String::from_utf8_lossy(&output.stderr)));
    };
    if let Some(returned) = answer.get_mut("returned") {
        return Ok(Box::new(Returned { returned: returned.take() }));
    }
    if let Some(wrong) = answer["wrong"].as_str() {
        let known = functions.iter().find(|(_, function)| function.name.text == args.method);
        let hint = known.map(|(_, function)| format!("it is `{function}`")).unwrap_or_default();
        return Err(Problem::new("service.arguments", wrong.to_owned()).hint(hint).exit(2));
    }
    if let Some(raised) = answer["raised"].as_str() {
        return Err(
            Problem::new("service.raised", format!("`{}` raised {raised}", args.method)).because(&answer["fields"])
        );
    }
    let why = answer["failed"].as_str().unwrap_or_default().to_owned();
    let nobody = why.starts_with("Unavailable");
    let problem = failed(why);
    Err(if nobody { problem.try_running("dae service serve") } else { problem })
}
