//! Asking the dev server that runs already.

use futures_util::StreamExt as _;
use hyper::header::HOST;
use tokio_util::io::StreamReader;

use super::control::{CRON, EVENTS, HEADER, RESTART, Ran, STATUS, Status};
use super::feed::Item;
use super::session::Server;
use crate::problem::{Doing as _, Problem, Result};

impl Server {
    pub async fn status(&self) -> Result<Status> {
        self.read(reqwest::Method::GET, STATUS).await
    }

    /// Starts the app anew, with a new Python.
    pub async fn restart(&self) -> Result<Status> {
        self.read(reqwest::Method::POST, RESTART).await
    }

    /// Starts one process beside the web processes anew, by its label, or all instances of a daemon.
    pub async fn restart_process(&self, process: &str) -> Result<()> {
        let response = self.send(reqwest::Method::POST, &format!("{RESTART}?{process}")).await?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            let running = self.status().await?.processes;
            let names: Vec<&str> =
                running.iter().map(|one| one.process.as_str()).filter(|name| *name != "web").collect();
            let problem =
                Problem::new("serve.no-process", format!("no process `{process}` runs beside the web processes"));
            return Err(match names.as_slice() {
                [] => problem.hint("app.yaml names them under `daemons` and `queues`"),
                names => problem.hint(format!("there is {}", names.join(", "))),
            });
        }
        response.error_for_status().map_err(|error| self.silent(&error))?;
        Ok(())
    }

    /// Runs a scheduled task, as if it were `due`, and waits for its end.
    pub async fn run_job(&self, job: &str, due: Option<jiff::Timestamp>) -> Result<crate::node::cron::Run> {
        let due = due.map(|due| format!("@{due}")).unwrap_or_default();
        let response = self.ask(reqwest::Method::POST, &format!("{CRON}?{job}{due}")).await?;
        match response.json().await.map_err(|error| self.silent(&error))? {
            Ran::Run(run) => Ok(run),
            Ran::Problem(problem) => Err(problem),
        }
    }

    /// Gives `hear` what happened lately and what happens, until the server ends.
    pub async fn follow(&self, mut hear: impl FnMut(Item)) -> Result<()> {
        use tokio::io::AsyncBufReadExt as _;
        let response = self.ask(reqwest::Method::GET, EVENTS).await?;
        let bytes = response.bytes_stream().map(|chunk| chunk.map_err(std::io::Error::other));
        let mut lines = tokio::io::BufReader::new(StreamReader::new(bytes)).lines();
        // A cut connection is the server's end.
        while let Ok(Some(line)) = lines.next_line().await {
            if let Ok(item) = serde_json::from_str(&line) {
                hear(item);
            }
        }
        Ok(())
    }

    async fn read(&self, method: reqwest::Method, path: &str) -> Result<Status> {
        let response = self.ask(method, path).await?;
        response.json().await.map_err(|error| self.silent(&error))
    }

    async fn ask(&self, method: reqwest::Method, path: &str) -> Result<reqwest::Response> {
        self.send(method, path).await?.error_for_status().map_err(|error| self.silent(&error))
    }

    async fn send(&self, method: reqwest::Method, path: &str) -> Result<reqwest::Response> {
        // Loopback by its number: the name is the browser's, and a proxy has no business here.
        let client = reqwest::Client::builder().no_proxy().build().map_err(|error| self.silent(&error))?;
        let url = format!("http://{}{path}", self.address);
        // Several apps may be served there.
        let host = self.url.trim_start_matches("http://");
        client
            .request(method, url)
            .header(HOST, host)
            .header(HEADER, "1")
            .send()
            .await
            .map_err(|error| self.silent(&error))
    }

    fn silent(&self, error: &reqwest::Error) -> Problem {
        Problem::new("serve.silent", format!("process {} serves this app and does not answer", self.pid))
            .because(error)
            .try_running("dae stop")
    }

    /// Ends it, and waits until its lock is free.
    pub fn stop(&self, root: &std::path::Path) -> Result<()> {
        use nix::sys::signal::{Signal, kill};
        use nix::unistd::Pid;
        let pid = i32::try_from(self.pid).ok().filter(|pid| *pid > 0);
        let pid = pid.ok_or_else(|| Problem::new("serve.pid", format!("`{}` is no process number", self.pid)))?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)
            .map_err(std::io::Error::from)
            .doing(|| format!("stop process {pid}"))?;
        let since = std::time::Instant::now();
        while super::Session::server(root)?.is_some_and(|server| server.pid == self.pid) {
            if since.elapsed() > std::time::Duration::from_secs(15) {
                return Err(Problem::new("serve.wont-stop", format!("process {pid} does not end"))
                    .try_running(format!("kill -9 {pid}")));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Ok(())
    }
}
