//! The life of one app's MariaDB: started when somebody connects, ended with the service, started again after a crash.

use std::collections::VecDeque;
use std::future::Future;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::client::{self, Address, Client};
use super::find::Server;
use super::{Own, base, datadir, schema, uses};
use crate::problem::{Doing as _, Problem, Result};
use crate::services::copy;
use crate::supervisor::{End, Heard, Io, Process, Signal, Spec};

/// What a server may take to write everything.
const GRACE: Duration = Duration::from_secs(20);
/// What the first start, which loads the schema, may take until it answers.
const ANSWERS_WITHIN: Duration = Duration::from_mins(1);
/// Of what a server says, the last is kept, and of its errors the first: what comes of them says less.
const KEPT: usize = 40;
const ERRORS: usize = 5;
/// Its errors quote what it was asked, whatever the length.
const LINE: usize = 300;
/// How it says that the disk is full.
const FULL: [&str; 4] = ["error 28", "Errcode: 28", "error number 28", "No space left on device"];
/// What it says once clients may come.
const READY: &str = "ready for connections";

/// Both listeners, watched and never accepted from but to refuse.
struct Doors {
    tcp: AsyncFd<TcpListener>,
    unix: AsyncFd<UnixListener>,
}

/// What a server has said.
#[derive(Debug, Clone, Default)]
struct Said {
    lines: Arc<Mutex<Lines>>,
    /// Once it lets clients in.
    ready: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Lines {
    last: VecDeque<String>,
    errors: Vec<String>,
    disk_full: bool,
}

/// The task of the service.
pub fn run(
    own: Own,
    tcp: TcpListener,
    unix: UnixListener,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + Send + 'static> {
    let doors = Doors::new(tcp, unix).doing(|| "watch the database's port")?;
    Ok(async move {
        let mut wanted = match &own.space.machine.code {
            Some(root) if !own.space.machine.other_database => {
                let root = root.clone();
                tokio::task::spawn_blocking(move || uses(&root)).await.ok().flatten().is_some()
            }
            _ => false,
        };
        let mut told = None;
        loop {
            if !wanted {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = doors.somebody() => {}
                }
            }
            wanted = false;
            let Err(problem) = serve(&own, &doors, &stop).await else { return };
            doors.refuse(&problem.to_string());
            // The same trouble again is no news.
            if told.as_ref() != Some(&problem) {
                own.space.tell.failed("mysql", problem.clone());
                told = Some(problem);
            }
        }
    })
}

/// Starts the server and stays until it ends. `Ok`: it was stopped in order.
async fn serve(own: &Own, doors: &Doors, stop: &CancellationToken) -> Result<()> {
    let began = Instant::now();
    // What was begun is dropped with its future, and a process is killed with its handle: the datadir is made aside.
    let prepared = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        prepared = get_ready(own) => prepared?,
    };
    let data = datadir::place(&own.space);
    datadir::check(&data, &prepared.server)?;
    datadir::note(&data, &prepared.server)?;
    let said = Said::default();
    let sockets = doors.handed_over(&prepared.lock).doing(|| "hand the database's port over")?;
    let args = ["--port".into(), own.port.to_string(), format!("--socket={}", own.socket.display())];
    let process = spawn(own, &prepared, &data, &args, sockets, &said)?;
    let version = &prepared.server.version;
    tokio::select! {
        end = process.ended() => Err(said.failure(end, version, false)),
        () = stop.cancelled() => {
            process.stop(Signal::SIGTERM, GRACE).await;
            Ok(())
        }
        () = said.ready() => {
            let took = began.elapsed().as_millis();
            let note = format!("MariaDB {version} on port {}, database `{}`, in {took} ms", own.port, own.name);
            own.space.tell.note("mysql", note);
            tokio::select! {
                end = process.ended() => Err(said.failure(end, version, true)),
                () = stop.cancelled() => {
                    process.stop(Signal::SIGTERM, GRACE).await;
                    Ok(())
                }
            }
        }
    }
}

async fn get_ready(own: &Own) -> Result<Prepared> {
    let prepared = {
        let own = own.clone();
        blocking(move || prepare(&own)).await?
    };
    if !datadir::place(&own.space).is_dir() {
        make(own, &prepared).await?;
    }
    Ok(prepared)
}

/// What a start needs.
struct Prepared {
    server: Server,
    base: PathBuf,
    settings: PathBuf,
    /// What the server runs before it lets anybody in.
    init: PathBuf,
    lock: std::fs::File,
}

fn prepare(own: &Own) -> Result<Prepared> {
    let machine = &own.space.machine;
    let server = Server::find(&machine.path, &machine.cache).ok_or_else(none)?;
    let base = base::ensure(&server, &machine.cache)?;
    let lock = datadir::lock(own)?;
    let settings = own.space.run.join("mysql.cnf");
    datadir::write_private(&settings, &base::settings(machine.disk))?;
    let init = own.space.run.join("mysql.sql");
    datadir::write_private(&init, &rights(&own.name, &own.password))?;
    Ok(Prepared { server, base, settings, init, lock })
}

/// There is no server on this machine.
pub fn none() -> Problem {
    let problem = Problem::new("mysql.none", "there is no MariaDB on this machine");
    if cfg!(target_os = "macos") {
        return problem.try_running("brew install mariadb");
    }
    let known = [
        ("apt-get", "sudo apt-get install --no-install-recommends mariadb-server-core"),
        ("dnf", "sudo dnf install mariadb-server"),
        ("apk", "sudo apk add mariadb"),
        ("pacman", "sudo pacman -S mariadb"),
        ("zypper", "sudo zypper install mariadb"),
    ];
    let there =
        |program: &str| ["/usr/bin", "/sbin", "/usr/sbin"].iter().any(|at| Path::new(at).join(program).is_file());
    match known.iter().find(|(program, _)| there(program)) {
        Some((_, command)) => problem.try_running(*command),
        None => problem.hint("install MariaDB, or name a server in dev.yaml: `mysql: {host: ..., user: ...}`"),
    }
}

/// The app's own user may do all with the app's own databases, those of its tests included, and nothing else.
fn rights(name: &str, password: &str) -> String {
    let own = name.replace('_', "\\_");
    // Django calls the test database of one without a name `test_`.
    let patterns =
        [own.clone(), format!("{own}\\_test"), "test\\_".into(), format!("test\\_{own}"), format!("test\\_{own}\\_%")];
    let grants = patterns.map(|db| format!("GRANT ALL ON `{db}`.* TO `{name}`@`%`;\n")).concat();
    format!(
        "CREATE DATABASE IF NOT EXISTS `{name}`;\n\
         CREATE USER IF NOT EXISTS `{name}`@`%` IDENTIFIED BY '{password}';\n\
         ALTER USER `{name}`@`%` IDENTIFIED BY '{password}';\n{grants}"
    )
}

/// Makes the app's datadir aside, loads its schema there, and has it take its place: whole or not at all.
async fn make(own: &Own, prepared: &Prepared) -> Result<()> {
    let place = datadir::place(&own.space);
    let folder = datadir::folder(&own.space);
    let made = tempfile::Builder::new().prefix(".making-").tempdir_in(&folder);
    let aside = made.doing(|| format!("make a folder in `{}`", folder.display()))?;
    let data = aside.path().join("data");
    {
        let (base, data) = (prepared.base.clone(), data.clone());
        blocking(move || {
            copy::make_private(&data)?;
            copy::copy(&base, &data)
        })
        .await?;
    }
    let root = own.space.machine.code.clone();
    if let Some((root, files)) =
        root.map(|root| (root.clone(), schema::files(&root))).filter(|(_, files)| !files.is_empty())
    {
        load(own, prepared, &data, root, files).await?;
    }
    datadir::note(&data, &prepared.server)?;
    std::fs::rename(&data, &place).doing(|| format!("make the folder `{}`", place.display()))
}

/// A server that nobody else can reach loads the schema.
async fn load(own: &Own, prepared: &Prepared, data: &Path, root: PathBuf, files: Vec<PathBuf>) -> Result<()> {
    let socket = own.space.run.join("mysql.new");
    let args = ["--skip-networking".to_owned(), format!("--socket={}", socket.display())];
    let said = Said::default();
    let lock = prepared.lock.try_clone().doing(|| "hold the database's lock")?;
    let process = spawn(own, prepared, data, &args, vec![OwnedFd::from(lock)], &said)?;
    tokio::select! {
        end = process.ended() => return Err(said.failure(end, &prepared.server.version, false)),
        () = said.ready() => {}
        () = tokio::time::sleep(ANSWERS_WITHIN) => return Err(said.failure(End::Code(0), &prepared.server.version, false)),
    }
    let account = own.account(Address::Unix(socket));
    let loaded = blocking(move || {
        let mut client =
            Client::connect(&account, ANSWERS_WITHIN).map_err(|fault| fault.problem("could not sign in"))?;
        schema::load(&mut client, &root, &files).map(drop)
    });
    let loaded = loaded.await;
    process.stop(Signal::SIGTERM, GRACE).await;
    loaded
}

fn spawn(
    own: &Own,
    prepared: &Prepared,
    data: &Path,
    args: &[String],
    files: Vec<OwnedFd>,
    said: &Said,
) -> Result<Process> {
    let Prepared { server, settings, init, lock, .. } = prepared;
    let mut all = vec!["-c".to_owned(), "LISTEN_PID=$$ exec \"$@\"".into(), "sh".into()];
    all.push(server.program.to_string_lossy().into_owned());
    all.extend(server.args(settings, data));
    all.extend([
        "--bind-address=127.0.0.1".into(),
        format!("--init-file={}", init.display()),
        format!("--tmpdir={}", own.space.run.display()),
        format!("--pid-file={}", own.space.run.join("mysql.pid").display()),
    ]);
    all.extend_from_slice(args);
    let mut env = server.environment();
    // The lock is no socket, and stands last.
    if files.len() > 1 {
        env.push(("LISTEN_FDS".into(), (files.len() - 1).to_string()));
    }
    // It needs to know its own number (sd_listen_fds(3)), which only a shell can tell it.
    let spec = Spec { program: "/bin/sh".into(), args: all, dir: data.to_owned(), env, io: Io::Pipe, confine: None };
    let hear = {
        let said = said.clone();
        move |came: Heard<'_>| {
            if let Some(line) = came.line() {
                said.hear(line);
            }
        }
    };
    let process = Process::start_with(&spec, files, hear);
    let process = process.doing(|| format!("start `{}`", server.program.display()))?;
    datadir::note_owner(lock, process.id());
    Ok(process)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::new("mysql.prepare", "could not get the database ready").because(error)))
}

impl Doors {
    fn new(tcp: TcpListener, unix: UnixListener) -> std::io::Result<Self> {
        tcp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        // SAFETY: each owns its number for as long as it lives, and hands out no other.
        let (tcp, unix) = unsafe {
            (
                AsyncFd::register_with_interest(tcp, Interest::READABLE)?,
                AsyncFd::register_with_interest(unix, Interest::READABLE)?,
            )
        };
        Ok(Self { tcp, unix })
    }

    /// Returns when somebody waits to be let in.
    async fn somebody(&self) {
        // What is there already is not told of again.
        while !self.is_somebody_there() {
            tokio::select! {
                ready = self.tcp.readable() => drop(ready.map(|mut ready| ready.clear_ready())),
                ready = self.unix.readable() => drop(ready.map(|mut ready| ready.clear_ready())),
            }
        }
    }

    fn is_somebody_there(&self) -> bool {
        let mut watched =
            [PollFd::new(self.tcp.as_fd(), PollFlags::POLLIN), PollFd::new(self.unix.as_fd(), PollFlags::POLLIN)];
        poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    fn handed_over(&self, lock: &std::fs::File) -> std::io::Result<Vec<OwnedFd>> {
        Ok(vec![
            self.tcp.get_ref().try_clone()?.into(),
            self.unix.get_ref().try_clone()?.into(),
            lock.try_clone()?.into(),
        ])
    }

    /// Tells everybody who waits why they cannot be let in.
    fn refuse(&self, why: &str) {
        let packet = client::refusal(&format!("dae: {why}"));
        // The server may have left them as it likes them.
        let _ = (self.tcp.get_ref().set_nonblocking(true), self.unix.get_ref().set_nonblocking(true));
        // All of them first: who hears of it at once may be back before the last is refused, and is to be let in then.
        let tcp: Vec<_> = std::iter::from_fn(|| self.tcp.get_ref().accept().ok()).collect();
        let unix: Vec<_> = std::iter::from_fn(|| self.unix.get_ref().accept().ok()).collect();
        // Whoever has gone does not want to know.
        for (mut stream, _) in tcp {
            let _ = stream.write_all(&packet);
        }
        for (mut stream, _) in unix {
            let _ = stream.write_all(&packet);
        }
    }
}

impl Said {
    fn hear(&self, line: String) {
        if line.contains(READY) {
            self.ready.notify_one();
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.disk_full |= FULL.iter().any(|full| line.contains(full));
        let line = match line.char_indices().nth(LINE) {
            Some((at, _)) => format!("{}...", &line[..at]),
            None => line,
        };
        let said = line.split_once("[ERROR]").map(|(_, said)| said.trim().to_owned());
        if let Some(said) = said.filter(|said| lines.errors.len() < ERRORS && lines.errors.last() != Some(said)) {
            lines.errors.push(said);
        }
        lines.last.push_back(line);
        if lines.last.len() > KEPT {
            lines.last.pop_front();
        }
    }

    async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Why a server ended that should not have.
    fn failure(&self, end: End, version: &str, was_ready: bool) -> Problem {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let detail = if lines.errors.is_empty() { lines.last.iter().cloned().collect() } else { lines.errors.clone() };
        let detail = detail.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n");
        let problem = if was_ready {
            let what = format!("MariaDB {version} ended by itself; the next connection starts it again");
            Problem::new("mysql.ended", what)
        } else {
            Problem::new("mysql.start", format!("MariaDB {version} could not open this app's database"))
        };
        let problem = problem.because(end).detail(detail);
        if lines.disk_full {
            return problem.because("the disk is full").hint("free some space; what was committed is there");
        }
        if was_ready {
            return problem;
        }
        problem.hint(
            "if its files are damaged: `dae state restore NAME` brings a saved state back, `dae db reset` begins anew",
        )
    }
}
