//! Follows a release's or a run's events to their end, over as many connections as it takes.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderName};
use serde::de::DeserializeOwned;

use super::api::{DeployEvent, LogLine, ReleaseId, RunEvent, RunId, Share};
use super::client::{Ask, Client, Lines, Silent, exit};
use crate::app::AppName;
use crate::problem::{Problem, Result};

/// How a release ended, as the remote tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub release: ReleaseId,
    pub url: String,
    pub took_ms: u64,
    /// It is tried beside the live one.
    pub share: Option<Share>,
}

/// How long a remote may be silent before it is given up; the release goes on there.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSES: [u64; 5] = [100, 300, 1000, 2000, 5000];

impl Client {
    /// Hands on every event of a release, each once, until it is live or has failed.
    pub async fn follow(
        &self,
        path: &str,
        release: ReleaseId,
        hear: &mut (dyn FnMut(&DeployEvent) + Send),
    ) -> Result<Live> {
        let end = self.listen(path, |event: DeployEvent| {
            hear(&event);
            match event {
                DeployEvent::Live { release, url, took_ms, share } => Some(Ok(Live { release, url, took_ms, share })),
                DeployEvent::Failed { release, problem, serving } => Some(Err(failed(release, problem, serving))),
                DeployEvent::Step { .. } | DeployEvent::Output { .. } => None,
            }
        });
        end.await.map_err(|lost| match lost {
            Lost::Refused(problem) => problem,
            Lost::Sight(why) => lost_sight(why, release),
        })?
    }

    /// Hands on what a run prints until it has ended; the code it ended with, and why where it did not by itself.
    pub async fn follow_run(
        &self,
        path: &str,
        run: RunId,
        hear: &mut (dyn FnMut(String) + Send),
    ) -> Result<(u8, Option<String>)> {
        let end = self.listen(path, |event| match event {
            RunEvent::Output { line } => {
                hear(line);
                None
            }
            RunEvent::Ended { code, why, .. } => Some((code, why)),
        });
        end.await.map_err(|lost| match lost {
            Lost::Refused(problem) => problem,
            Lost::Sight(why) => {
                Problem::new("remote.lost", format!("lost sight of {run}; it may still go on at the remote"))
                    .because(why)
                    .try_running(format!("dae run --remote {} --attach {run}", self.name))
                    .exit(exit::UNREACHABLE)
            }
        })
    }

    /// Hands on these lines and all that come after them, until the connection ends.
    pub async fn follow_logs(
        &self,
        app: &AppName,
        lines: &Lines<'_>,
        hear: &mut (dyn FnMut(LogLine) + Send),
    ) -> Result<()> {
        let path = self.logs_path(app, lines) + "&follow=true";
        let mut note = |line: LogLine| {
            hear(line);
            None::<()>
        };
        match self.listen_once(&path, &mut None, &mut note).await {
            Ok(_) => Err(Problem::new("remote.broke-off", format!("remote `{}` stopped telling", self.name))
                .hint("it was stopped, or something on the way was")
                .exit(exit::UNREACHABLE)),
            Err(Gone::Silent(silent)) => Err(silent.into()),
            Err(Gone::Refused(mut problem)) => {
                problem.exit = 1;
                Err(problem)
            }
        }
    }

    /// Hears events, each once and over as many connections as it takes, until one is an end.
    async fn listen<E: DeserializeOwned, T>(
        &self,
        path: &str,
        mut hear: impl FnMut(E) -> Option<T>,
    ) -> Result<T, Lost> {
        let mut last_id = None::<String>;
        let mut heard = Instant::now();
        let mut tries = 0;
        loop {
            let mut note = |event: E| {
                heard = Instant::now();
                tries = 0;
                hear(event)
            };
            let why = match self.listen_once(path, &mut last_id, &mut note).await {
                Ok(Some(end)) => return Ok(end),
                Ok(None) => Problem::new("remote.broke-off", format!("remote `{}` stopped telling", self.name)),
                Err(Gone::Silent(silent)) => silent.into(),
                Err(Gone::Refused(problem)) => return Err(Lost::Refused(problem)),
            };
            if heard.elapsed() > PATIENCE {
                return Err(Lost::Sight(why));
            }
            tokio::time::sleep(Duration::from_millis(PAUSES[tries.min(PAUSES.len() - 1)])).await;
            tries += 1;
        }
    }

    /// One connection. `None` when it ended before an end was told.
    async fn listen_once<E: DeserializeOwned, T>(
        &self,
        path: &str,
        last_id: &mut Option<String>,
        hear: &mut impl FnMut(E) -> Option<T>,
    ) -> Result<Option<T>, Gone> {
        let mut ask = Ask::new(Method::GET, path).header(ACCEPT, "text/event-stream");
        if let Some(id) = &last_id {
            ask = ask.header(HeaderName::from_static("last-event-id"), id.clone());
        }
        let mut response = self.begin(ask).await.map_err(Gone::Silent)?;
        let status = response.status();
        if !status.is_success() {
            let headers = response.headers().clone();
            let body = response.bytes().await.unwrap_or_default();
            let problem = self.refused(&super::client::Answer { status, headers, body }, exit::UNREACHABLE);
            return Err(if status.is_server_error() {
                Gone::Silent(Silent::BrokeOff(problem))
            } else {
                Gone::Refused(problem)
            });
        }
        let mut parser = Parser::default();
        while let Some(chunk) = response.chunk().await.map_err(|error| Gone::Silent(self.silent(&error)))? {
            for message in parser.feed(&chunk) {
                if message.id.is_some() {
                    last_id.clone_from(&message.id);
                }
                // Kinds a later version may add are passed over.
                let Ok(event) = serde_json::from_str::<E>(&message.data) else { continue };
                if let Some(end) = hear(event) {
                    return Ok(Some(end));
                }
            }
        }
        Ok(None)
    }
}

/// Why the end was not heard.
enum Lost {
    Refused(Problem),
    /// Nothing was heard for so long that it was given up.
    Sight(Problem),
}

enum Gone {
    Silent(Silent),
    Refused(Problem),
}

fn failed(release: ReleaseId, mut problem: Problem, serving: Option<ReleaseId>) -> Problem {
    if problem.exit == 1 {
        problem.exit = match problem.code.as_ref() {
            "release.moved" | "release.superseded" => exit::OVERTAKEN,
            _ => exit::UNHEALTHY,
        };
    }
    match serving {
        Some(serving) => problem.hint(format!("{release} is not live; {serving} goes on serving")),
        None => problem.hint(format!("{release} is not live, and nothing else is")),
    }
}

fn lost_sight(why: Problem, release: ReleaseId) -> Problem {
    Problem::new("remote.lost", format!("lost sight of {release}; the remote may still be at it"))
        .because(why)
        .try_running(format!("dae deploy --attach {release}"))
        .hint("or see what became of it: `dae releases`")
        .exit(exit::UNREACHABLE)
}

/// One server-sent event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Message {
    id: Option<String>,
    data: String,
}

/// `text/event-stream`, as the HTML standard has it.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    message: Message,
    after_return: bool,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for byte in bytes {
            let ends = match byte {
                b'\n' if self.after_return => {
                    self.after_return = false;
                    continue;
                }
                b'\n' | b'\r' => true,
                _ => false,
            };
            self.after_return = *byte == b'\r';
            if ends {
                let line = std::mem::take(&mut self.line);
                messages.extend(self.end_line(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(*byte);
            }
        }
        messages
    }

    fn end_line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (!message.data.is_empty()).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" if self.message.data.is_empty() => value.clone_into(&mut self.message.data),
            "data" => {
                self.message.data.push('\n');
                self.message.data.push_str(value);
            }
            "id" => self.message.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_however_they_are_cut() {
        let text = ": hello\n\nid: 1\nevent: x\ndata: a\ndata:b\n\nretry: 5\r\ndata: \u{4f60}\r\rid\ndata: last";
        let wanted = [(Some("1"), "a\nb"), (None, "\u{4f60}")];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let found: Vec<Message> = text.as_bytes().chunks(size).flat_map(|chunk| parser.feed(chunk)).collect();
            let found: Vec<_> = found.iter().map(|message| (message.id.as_deref(), message.data.as_str())).collect();
            assert_eq!(found, wanted, "in pieces of {size}");
        }
    }

    /// Answers each connection with the next of `answers`, and returns what was asked.
    fn server(answers: Vec<String>) -> (u16, std::thread::JoinHandle<Vec<String>>) {
        use std::io::{BufRead as _, Write as _};
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = std::thread::spawn(move || {
            let answer = |body: String| {
                let mut stream = listener.accept().unwrap().0;
                let lines = std::io::BufReader::new(stream.try_clone().unwrap()).lines();
                let head = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
                    .unwrap();
                head
            };
            answers.into_iter().map(answer).collect()
        });
        (port, asked)
    }

    #[test]
    fn a_connection_that_ends_too_soon_is_taken_up_again() {
        let step = "id: 7\ndata: {\"event\":\"step\",\"step\":\"a\",\"text\":\"b\",\"took_ms\":1}\n\n";
        let unknown = "data: {\"event\":\"of a later version\"}\n\n";
        let live = "id: 8\ndata: {\"event\":\"live\",\"release\":\"r2\",\"url\":\"u\",\"took_ms\":5}\n\n";
        let (port, asked) = server(vec![format!("{step}{unknown}data: {{\"cut"), format!(": still here\n\n{live}")]);
        let url = reqwest::Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let client = Client::new("r", url, None).unwrap();
        let mut heard = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut hear = |event: &DeployEvent| heard.push(event.clone());
        let end = runtime.block_on(client.follow("/events", ReleaseId(2), &mut hear)).unwrap();
        assert_eq!(end, Live { release: ReleaseId(2), url: "u".into(), took_ms: 5, share: None });
        assert_eq!(heard.len(), 2, "{heard:?}");
        let asked = asked.join().unwrap();
        assert!(!asked[0].contains("last-event-id") && asked[1].contains("last-event-id: 7"), "{asked:?}");
    }
}
