//! `dae service`.

mod call;
mod serve;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Context, Outcome};
use crate::app::App;
use crate::dev_server::interfaces;
use crate::problem::{Problem, Result};
use crate::term::{Paint, Text};
use crate::thrift::{self, Breach, Interfaces};

/// Thrift services: what the app offers to other apps, and the client that they install
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the services of app.yaml, their methods and where they answer
    List,
    /// Check the .thrift files, and what of a change to them breaks clients of the last generated one
    Lint(LintArgs),
    /// Run the services alone, without the web
    Serve(serve::Args),
    /// Write the client package that other apps install
    #[command(name = "gen_client", alias = "gen-client")]
    GenClient(GenClientArgs),
    /// Write `service_gen`, the types that the app's own code imports; `dae serve` does it by itself
    Gen,
    /// Call a method, and print what comes back
    Call(call::Args),
}

#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// The client that callers have [default: the app's own `APP_client`]
    #[arg(long, value_name = "DIR")]
    pub client: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct GenClientArgs {
    /// Where to [default: `APP_client` in the app's folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn run(args: Args, context: &Context) -> Outcome {
    match args.command {
        Command::List => list(context),
        Command::Lint(args) => lint(args, context),
        Command::Serve(args) => serve::run(args, context),
        Command::GenClient(args) => gen_client(args, context),
        Command::Gen => generate(context),
        Command::Call(args) => call::run(args, context),
    }
}

/// The app's interfaces; without any there is nothing to do for these commands.
fn offered(app: &App) -> Result<Interfaces> {
    interfaces::interfaces(app)?.ok_or_else(|| {
        Problem::new("service.none", "app.yaml names no services")
            .hint("write `services: [{interface: user.UserStorage, handler: user.handler:UserStorageHandler}]`")
    })
}

#[derive(Debug, Serialize)]
struct Listed {
    services: Vec<Listing>,
}

#[derive(Debug, Serialize)]
struct Listing {
    interface: String,
    handler: String,
    file: PathBuf,
    /// None: it is not served just now.
    address: Option<String>,
    methods: Vec<String>,
}

impl Text for Listed {
    fn text(&self, paint: Paint) -> String {
        let told = |service: &Listing| {
            let address = service.address.as_deref().unwrap_or("not served");
            let mut text = format!("{}  {address}  {}", paint.key(&service.interface), service.handler);
            for method in &service.methods {
                text.push_str("\n  ");
                text.push_str(method);
            }
            text
        };
        self.services.iter().map(told).collect::<Vec<_>>().join("\n\n")
    }
}

fn list(context: &Context) -> Outcome {
    let app = context.app()?;
    let all = offered(&app)?;
    let listing = |service: &crate::app::Service| {
        let (idl, name) = (&service.interface.idl, &service.interface.service);
        let (at, found) = all.service(idl.rsplit('.').next().unwrap_or_default(), name)?;
        Some(Listing {
            interface: format!("{idl}.{name}"),
            handler: service.handler.to_string(),
            file: all.documents[at].file.clone(),
            address: address(context, &app, name),
            methods: all.functions(at, found).iter().map(|(_, function)| function.to_string()).collect(),
        })
    };
    Ok(Box::new(Listed { services: app.manifest.services.iter().filter_map(listing).collect() }))
}

/// Where a service of the app answers on this machine.
fn address(context: &Context, app: &App, service: &str) -> Option<String> {
    let notice = context.dirs.run.join(crate::node::SERVICES).join(format!("{}.{service}", app.name));
    let address = std::fs::read_to_string(notice).ok()?.trim().to_owned();
    // What a killed one left behind is no address.
    let socket: std::net::SocketAddr = address.parse().ok()?;
    std::net::TcpStream::connect_timeout(&socket, std::time::Duration::from_millis(200)).ok().map(|_| address)
}

#[derive(Debug, Serialize)]
struct Linted {
    files: Vec<PathBuf>,
    compared_with: Option<PathBuf>,
    breaches: Vec<Problem>,
}

impl Text for Linted {
    fn text(&self, paint: Paint) -> String {
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        if !self.breaches.is_empty() {
            let mut text = String::new();
            for problem in &self.breaches {
                text.push_str(&crate::term::draw(problem, paint));
                text.push('\n');
            }
            let many = if self.breaches.len() == 1 { "this breaks" } else { "these break" };
            return format!("{text}{many} clients that were made before");
        }
        let against = match &self.compared_with {
            Some(client) => format!("; no client made from `{}` breaks", client.display()),
            None => "; there is no earlier client to compare with".to_owned(),
        };
        format!("{} good{against}", files.join(", ") + if files.len() == 1 { " is" } else { " are" })
    }

    fn exit(&self) -> u8 {
        u8::from(!self.breaches.is_empty())
    }
}

fn lint(args: LintArgs, context: &Context) -> Outcome {
    let app = context.app()?;
    let all = offered(&app)?;
    // What cannot be written is wrong too.
    thrift::service_package(&all)?;
    let default = app.root.join(format!("{}_client", app.name));
    let client = args.client.map_or(default, |client| context.cwd.join(client));
    let before = before(&client)?;
    let names = app.manifest.services.iter().map(|service| &service.interface);
    let names: Vec<_> =
        names.map(|is| (is.idl.rsplit('.').next().unwrap_or_default().to_owned(), is.service.clone())).collect();
    let found = before.as_ref().map(|before| thrift::compare(before, &all, &names)).unwrap_or_default();
    let shown = client.strip_prefix(&context.cwd).map(Path::to_owned).unwrap_or(client);
    Ok(Box::new(Linted {
        files: all.documents.iter().map(|document| document.file.clone()).collect(),
        compared_with: before.map(|_| shown),
        breaches: found.into_iter().map(|Breach(problem)| problem).collect(),
    }))
}

/// The interfaces that a generated client was made from.
fn before(client: &Path) -> Result<Option<Interfaces>> {
    let Ok(entries) = std::fs::read_dir(client) else { return Ok(None) };
    let mut texts = BTreeMap::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|end| end == "thrift")
            && let (Some(name), Ok(text)) = (path.file_name(), std::fs::read_to_string(&path))
        {
            texts.insert(PathBuf::from(name), text);
        }
    }
    if texts.is_empty() {
        return Ok(None);
    }
    Interfaces::of_texts(&texts).map(Some).map_err(|problem| problem.because(format!("in `{}`", client.display())))
}

#[derive(Debug, Serialize)]
struct Generated {
    package: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    folder: PathBuf,
    changed: bool,
}

impl Text for Generated {
    fn text(&self, _: Paint) -> String {
        let version = self.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let what = if self.changed { "written" } else { "unchanged" };
        let mut text = format!("{}{version} {what}: {}", self.package, self.folder.display());
        if self.version.is_some() {
            let _ = write!(text, "\ninstall it with `pip install {}`", self.folder.display());
        }
        text
    }
}

fn gen_client(args: GenClientArgs, context: &Context) -> Outcome {
    let app = context.app()?;
    let all = offered(&app)?;
    if app.manifest.services.is_empty() {
        return Err(Problem::new("service.none", "app.yaml names no services, and a client is of services"));
    }
    let package = thrift::client_package(&all, &interfaces::offer(&app))?;
    let folder = args.out.map_or_else(|| app.root.join(&package.name), |out| context.cwd.join(out));
    if folder.is_file() || (folder.is_dir() && !is_ours(&folder)) {
        return Err(Problem::new("service.out", format!("`{}` is there and was not written by dae", folder.display()))
            .try_running("dae service gen_client --out DIR"));
    }
    let changed = interfaces::keep(&folder, &package.files, "service_gen")?;
    let shown = folder.strip_prefix(&context.cwd).map(|below| Path::new(".").join(below)).unwrap_or(folder);
    Ok(Box::new(Generated { package: package.name, version: Some(package.version), folder: shown, changed }))
}

/// An empty folder, or one that holds an earlier client.
fn is_ours(folder: &Path) -> bool {
    let project = std::fs::read_to_string(folder.join("pyproject.toml"));
    project.map_or_else(
        |_| {
            std::fs::read_dir(folder)
                .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ".git")))
        },
        |text| text.contains("Generated by dae"),
    )
}

fn generate(context: &Context) -> Outcome {
    let app = context.app()?;
    offered(&app)?;
    let changed = interfaces::bring_in_line(&app)?;
    let folder = app.root.join(interfaces::FOLDER);
    let shown = folder.strip_prefix(&context.cwd).map(|below| Path::new(".").join(below)).unwrap_or(folder);
    Ok(Box::new(Generated { package: interfaces::FOLDER.into(), version: None, folder: shown, changed }))
}
