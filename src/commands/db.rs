//! `dae db`.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::services::Services;
use super::{Context, Outcome, foreground};
use crate::app::{App, bracketed};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::mysql::{self, Account, Address, Answer, Client, Fault, Statement};
use crate::term::{Done, Paint, Text, confirm};

/// Look into the app's own database
///
/// It is the one of the `dae serve` that runs, or is started for the moment.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Open a prompt: mysql's own where there is one, else a simple one; or run the statements given
    Shell {
        /// Statements to run instead, `;` between them
        #[arg(short, long, value_name = "SQL")]
        execute: Option<String>,
    },
    /// Print the database's URL
    Url,
    /// Write the whole database as SQL
    Dump {
        /// The file to write [default: stdout]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Run a file of SQL
    Load {
        /// The file; `-` is stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Delete everything in it and load databases/ again
    Reset {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

const ANSWERS_WITHIN: Duration = Duration::from_mins(1);

#[derive(Debug, Serialize)]
struct Url {
    url: String,
}

impl Text for Url {
    fn text(&self, _: Paint) -> String {
        self.url.clone()
    }
}

/// What the last of some statements answered.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the JSON's")]
struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    affected: u64,
}

#[derive(Debug, Serialize)]
struct Loaded {
    statements: usize,
}

impl Text for Loaded {
    fn text(&self, _: Paint) -> String {
        String::new()
    }
}

pub fn run(args: Args, context: &Context) -> Outcome {
    if let Some(exit) = foreground::guard()? {
        return Ok(Box::new(Done { exit }));
    }
    let app = context.app()?;
    let services = Services::open(context, &app)?;
    let outcome = account(&services, &app).and_then(|account| look(&args.verb, &app, account, context));
    services.end(context);
    foreground::end_descendants();
    outcome
}

/// Who the app is, and where.
fn account(services: &Services, app: &App) -> Result<Account> {
    let text = |name: &str| services.variable(app, &format!("DAE_MYSQL_{name}"));
    let port = text("PORT")?.parse().unwrap_or(3306);
    Ok(Account {
        address: Address::Tcp(text("HOST")?, port),
        user: text("USER").unwrap_or_else(|_| app.name.to_string()),
        password: text("PASSWORD").unwrap_or_default(),
        db: text("DB").unwrap_or_else(|_| app.name.to_string()),
    })
}

fn connect(account: &Account) -> Result<Client> {
    Client::connect(account, ANSWERS_WITHIN).map_err(|fault| {
        let hint = matches!(fault, Fault::Lost(_)).then_some("is `mysql` in dev.yaml the address of one that runs?");
        let place = match &account.address {
            Address::Tcp(host, port) => format!("{host}:{port}"),
            Address::Unix(path) => path.display().to_string(),
        };
        let problem = fault.problem(&format!("could not open the app's database at `{place}`"));
        hint.into_iter().fold(problem, Problem::hint)
    })
}

fn look(verb: &Verb, app: &App, account: Account, context: &Context) -> Outcome {
    match verb {
        Verb::Url => Ok(Box::new(Url { url: url(&account) })),
        Verb::Shell { execute: Some(text) } => {
            let mut client = connect(&account)?;
            Ok(Box::new(run_all(&mut client, text.as_bytes())?))
        }
        Verb::Shell { execute: None } => shell(&account, context),
        Verb::Dump { file } => dump(&account, file.as_deref(), context),
        Verb::Load { file } => load(&account, file, context),
        Verb::Reset { yes } => reset(app, &account, *yes, context),
    }
}

fn url(account: &Account) -> String {
    let Account { user, password, db, address } = account;
    let (host, port) = match address {
        Address::Tcp(host, port) => (host.as_str(), *port),
        Address::Unix(_) => ("localhost", 3306),
    };
    let host = bracketed(host);
    format!("mysql://{}:{}@{host}:{port}/{}", escaped(user), escaped(password), escaped(db))
}

/// As RFC 3986 has it in a part of a URL.
fn escaped(text: &str) -> String {
    let mut url = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
            // A String takes everything.
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    url
}

fn run_all(client: &mut Client, script: &[u8]) -> Result<Rows> {
    let mut last = Answer::default();
    for Statement { sql, .. } in mysql::statements(script) {
        last = client.query(sql).map_err(|fault| fault.problem("the database refuses that"))?;
    }
    let value = |value: &Option<Vec<u8>>| match value {
        None => Value::Null,
        Some(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    };
    Ok(Rows {
        columns: last.columns.into_iter().map(|column| column.name).collect(),
        rows: last.rows.iter().map(|row| row.iter().map(value).collect()).collect(),
        affected: last.affected,
    })
}

impl Text for Rows {
    /// A table, every column as wide as its widest value.
    fn text(&self, _: Paint) -> String {
        if self.columns.is_empty() {
            return format!("{} rows changed", self.affected);
        }
        let cell = |value: &Value| value.as_str().map_or_else(|| "NULL".to_owned(), |text| text.replace('\n', "\\n"));
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect());
        let all: Vec<Vec<String>> = std::iter::once(self.columns.clone()).chain(rows).collect();
        let width = |at: usize| all.iter().map(|row| console::measure_text_width(&row[at])).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(text, width)| console::pad_str(text, *width, console::Alignment::Left, None));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn shell(account: &Account, context: &Context) -> Outcome {
    // Starts the server where nobody has yet, so that the client finds it ready.
    let mut client = connect(account)?;
    let path = context.environment.iter().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path.as_str());
    let programs = path.split(':').flat_map(|folder| ["mariadb", "mysql"].map(|name| Path::new(folder).join(name)));
    if let (Some(program), Address::Tcp(host, port)) =
        (programs.into_iter().find(|path| path.is_file()), &account.address)
    {
        let mut command = Command::new(&program);
        command.args(["-h", host, "-P", &port.to_string(), "-u", &account.user, &account.db]);
        let status =
            command.env("MYSQL_PWD", &account.password).status().doing(|| format!("run `{}`", program.display()))?;
        return Ok(Box::new(Done { exit: u8::try_from(status.code().unwrap_or(1)).unwrap_or(1) }));
    }
    let stdin = std::io::stdin();
    let mut script = Vec::new();
    if !stdin.is_terminal() {
        stdin.lock().read_to_end(&mut script).doing(|| "read stdin")?;
        return Ok(Box::new(run_all(&mut client, &script)?));
    }
    context.say("prompt", format!("`{}`; a statement ends with `;`, Ctrl-D leaves", account.db));
    context.terminal.still();
    loop {
        let mut line = String::new();
        if stdin.read_line(&mut line).doing(|| "read what is typed")? == 0 {
            return Ok(Box::new(Done::default()));
        }
        script.extend_from_slice(line.as_bytes());
        if !line.trim_end().ends_with(';') {
            continue;
        }
        match run_all(&mut client, &script) {
            Ok(rows) => drop(context.terminal.answer(&rows)),
            Err(problem) => drop(context.terminal.fail(&problem)),
        }
        script.clear();
    }
}

fn dump(account: &Account, file: Option<&Path>, context: &Context) -> Outcome {
    let mut client = connect(account)?;
    let problem = |fault: mysql::Fault| fault.problem("could not dump the app's database");
    let Some(file) = file else {
        mysql::dump(&mut client, &mut std::io::BufWriter::new(std::io::stdout().lock())).map_err(problem)?;
        return Ok(Box::new(Done::default()));
    };
    let file = context.cwd.join(file);
    let doing = || format!("write `{}`", file.display());
    let folder = file.parent().unwrap_or(Path::new("/"));
    // Whole or not at all.
    let mut aside = tempfile::NamedTempFile::new_in(folder).doing(doing)?;
    {
        let mut out = std::io::BufWriter::new(aside.as_file_mut());
        mysql::dump(&mut client, &mut out).map_err(problem)?;
        out.flush().doing(doing)?;
    }
    aside.as_file().sync_all().doing(doing)?;
    aside.persist(&file).map_err(|error| error.error).doing(doing)?;
    context.say("dumped", format!("`{}` into `{}`", account.db, file.display()));
    Ok(Box::new(Done::default()))
}

fn load(account: &Account, file: &Path, context: &Context) -> Outcome {
    let mut script = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut script).doing(|| "read stdin")?;
    } else {
        script = std::fs::read(context.cwd.join(file)).doing(|| format!("read `{}`", file.display()))?;
    }
    let mut client = connect(account)?;
    let statements = mysql::run_script(&mut client, file, &script)?;
    context.say("loaded", format!("{statements} statements into `{}`", account.db));
    Ok(Box::new(Loaded { statements }))
}

fn reset(app: &App, account: &Account, yes: bool, context: &Context) -> Outcome {
    if !yes && !context.yes {
        let question = format!("Delete everything in the database `{}`?", account.db);
        if !context.terminal.interactive {
            return Err(Problem::new("db.reset", "this deletes everything in the app's database")
                .try_running("dae db reset --yes")
                .exit(2));
        }
        if !confirm(&context.terminal, &question, false)? {
            return Ok(Box::new(Done::default()));
        }
    }
    let mut client = connect(account)?;
    let statements = mysql::reset(&mut client, &account.db, &app.root)?;
    context.say("reset", format!("`{}`; {statements} statements of databases/ loaded", account.db));
    Ok(Box::new(Loaded { statements }))
}
