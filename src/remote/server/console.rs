//! A one-off command with somebody sitting at it, over a websocket ([`crate::remote::console`] has what is said). What it
//! prints is kept nowhere: it holds what was typed.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::Server;
use super::auth::Verb;
use super::caller::Caller;
use super::refusal::{Answer, Refused};
use super::runs::{GRACE, Ready, not_started};
use crate::app::AppName;
use crate::node::Folder;
use crate::problem::Problem;
use crate::remote::api::RunId;
use crate::remote::console::{ConsoleAsk, ConsoleEvent, GONE_AFTER, NewConsole, PING_EVERY, Size, json};
use crate::supervisor::{Keyboard, Process, Signal, Window};

/// The largest message from a client: what is pasted comes in many.
const LARGEST: usize = 512 << 10;
/// What was printed and not yet sent, in chunks; after that the command waits.
const AHEAD: usize = 16;
/// How long what it printed last may take to come out, where something it left behind holds the terminal open.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub fn routes() -> Router<Arc<Server>> {
    Router::new().route("/dae/v1/apps/{app}/console", get(open))
}

async fn open(
    State(server): State<Arc<Server>>,
    caller: Caller,
    Path(app): Path<String>,
    mut request: Request,
) -> Answer {
    let app = caller.may(Verb::Deploy, &app)?;
    let Some(accept) = accept(request.headers()) else {
        let problem = Problem::new("console.no-websocket", "a console is spoken to over a websocket");
        let refused = Refused::new(StatusCode::UPGRADE_REQUIRED, problem.try_running("dae shell --remote NAME"));
        return Err(refused.header(header::UPGRADE, "websocket"));
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        // A client that has gone by now has started nothing.
        let Ok(upgraded) = upgraded.await else { return };
        let limits = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits)).await;
        let (say, hear) = socket.split();
        server.converse(app, say, hear).await;
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The answer to the key of a websocket's handshake (RFC 6455, 4.2.1).
fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let is = |name: header::HeaderName, wanted: &str| {
        let mut words = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        words.any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted)))
    };
    let asked = is(header::CONNECTION, "upgrade")
        && is(header::UPGRADE, "websocket")
        && is(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked)?;
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok()
}

/// A command that has started, and who sits at it.
struct Seated {
    run: RunId,
    process: Process,
    stop: CancellationToken,
    printed: mpsc::Receiver<Bytes>,
    /// Typed by a thread of its own: a program that does not read holds up whoever types.
    typed: mpsc::Sender<Typed>,
    /// Of the Python it may call: must live as long.
    folder: Folder,
}

enum Typed {
    Keys(Bytes),
    Resize(Size),
}

impl Server {
    async fn converse<E>(
        self: Arc<Self>,
        app: AppName,
        mut say: impl Sink<Message, Error = E> + Unpin + Send,
        mut hear: impl Stream<Item = Result<Message, SocketError>> + Unpin + Send,
    ) {
        let begun = match first(&mut hear).await {
            None => return,
            Some(Err(problem)) => Err(problem),
            Some(Ok(new)) => self.sit_down(&app, new).await,
        };
        let (seated, started) = match begun {
            Ok(begun) => begun,
            Err(problem) => {
                // Whoever asked may have gone.
                let _ = say.send(json(&ConsoleEvent::Refused { problem })).await;
                let _ = say.close().await;
                return;
            }
        };
        let Seated { run, process, stop, mut printed, typed, folder } = seated;
        let outward = async {
            say.send(json(&started)).await?;
            let mut pings = tokio::time::interval(PING_EVERY);
            loop {
                let message = tokio::select! {
                    bytes = printed.recv() => match bytes {
                        Some(bytes) => Message::Binary(bytes),
                        None => return Ok::<_, E>(()),
                    },
                    _ = pings.tick() => Message::Ping(Bytes::new()),
                };
                say.send(message).await?;
            }
        };
        let inward = listen(&mut hear, &typed);
        let ended = {
            tokio::pin!(outward);
            tokio::select! {
                end = process.ended() => {
                    // What it printed last. A client that hears nothing any more is none that is waited for.
                    let _ = tokio::time::timeout(LAST_WORDS, &mut outward).await;
                    Ok(end)
                }
                sent = &mut outward => match sent {
                    Ok(()) => Ok(process.ended().await),
                    Err(_) => Err(GONE),
                },
                () = inward => Err(GONE),
                () = stop.cancelled() => Err("it was told to end"),
            }
        };
        let (end, why) = match ended {
            Ok(end) => (end, None),
            // As when a terminal's window is closed.
            Err(why) => (process.stop(Signal::SIGHUP, GRACE).await, Some(why)),
        };
        drop(folder);
        let code = self.run_ended(&app, run, end, why).await;
        let _ = say.send(json(&ConsoleEvent::Ended { run, code, why: why.map(str::to_owned) })).await;
        let _ = say.close().await;
    }

    /// Starts it, in one piece: it is in the store when it runs.
    async fn sit_down(self: &Arc<Self>, app: &AppName, new: NewConsole) -> Result<(Seated, ConsoleEvent), Problem> {
        let Ready { release, mut prepared } = self.ready_to_run(app, &new.run).await.map_err(Refused::into_problem)?;
        let term = new.term.filter(|term| is_term(term)).unwrap_or_else(|| "xterm".to_owned());
        prepared.spec.env.retain(|(name, _)| name != "TERM");
        prepared.spec.env.push(("TERM".to_owned(), term));
        let run = self.store.add_run(app, &new.run, release)?;
        let (print, printed) = mpsc::channel(AHEAD);
        // When nobody listens any more, what comes is still read.
        let hear = move |bytes: &[u8]| drop(print.blocking_send(Bytes::copy_from_slice(bytes)));
        let (typed, keys) = mpsc::channel(AHEAD);
        let started = Process::seated(&prepared.spec, window(new.size), hear).and_then(|(process, keyboard)| {
            std::thread::Builder::new().name("keys".into()).spawn(move || type_all(&keyboard, keys))?;
            Ok(process)
        });
        let process = match started {
            Ok(process) => process,
            Err(error) => {
                let problem = not_started(&prepared.spec, error);
                self.store.end_run(app, run, 127, Some(&problem.to_string()))?;
                return Err(problem);
            }
        };
        let stop = self.runs.began(app, run, &process);
        let seated = Seated { run, process, stop, printed, typed, folder: prepared.folder };
        Ok((seated, ConsoleEvent::Started { run, release }))
    }
}

const GONE: &str = "whoever sat at it has gone";

/// What the client wants; none: it has gone.
async fn first(
    hear: &mut (impl Stream<Item = Result<Message, SocketError>> + Unpin),
) -> Option<Result<NewConsole, Problem>> {
    let text: Utf8Bytes = loop {
        match tokio::time::timeout(PING_EVERY, hear.next()).await.ok()?? {
            Ok(Message::Text(text)) => break text,
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            _ => return None,
        }
    };
    Some(serde_json::from_str(&text).map_err(|error| {
        Problem::new("node.bad-request", "the first message is not what is wanted here").because(error)
    }))
}

/// Hands on what is typed, until the client has gone.
async fn listen(hear: &mut (impl Stream<Item = Result<Message, SocketError>> + Unpin), typed: &mpsc::Sender<Typed>) {
    while let Ok(Some(Ok(message))) = tokio::time::timeout(GONE_AFTER, hear.next()).await {
        let what = match message {
            Message::Binary(keys) => Typed::Keys(keys),
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(ConsoleAsk::Resize(size)) => Typed::Resize(size),
                // A later client's word.
                Err(_) => continue,
            },
            Message::Close(_) => return,
            _ => continue,
        };
        if typed.send(what).await.is_err() {
            // The terminal has gone: the process is about to end, and that is waited for.
            return std::future::pending().await;
        }
    }
}

fn type_all(keyboard: &Keyboard, mut typed: mpsc::Receiver<Typed>) {
    while let Some(what) = typed.blocking_recv() {
        let done = match what {
            Typed::Keys(keys) => keyboard.type_in(&keys),
            Typed::Resize(size) => keyboard.resize(window(size)),
        };
        if done.is_err() {
            return;
        }
    }
}

/// A terminal has room for one character, or programs divide by zero.
fn window(Size { rows, cols }: Size) -> Window {
    Window { rows: rows.max(1), cols: cols.max(1) }
}

/// A terminal's kind is looked up as a file of that name.
fn is_term(term: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte);
    (1..=64).contains(&term.len()) && !term.starts_with('.') && term.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_answered_and_nothing_else() {
        let asked = |version: &str, connection: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("connection", connection),
                ("upgrade", "WebSocket"),
                ("sec-websocket-version", version),
                // The example of RFC 6455, 1.3.
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ] {
                headers.insert(name, value.parse().unwrap());
            }
            accept(&headers).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(asked("13", "keep-alive, Upgrade").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!((asked("8", "upgrade"), asked("13", "close")), (None, None));
    }

    #[test]
    fn a_terminals_kind_is_a_plain_name() {
        for (term, good) in [
            ("xterm-256color", true),
            ("screen.xterm", true),
            ("", false),
            ("../x", false),
            (".x", false),
            ("a/b", false),
        ] {
            assert_eq!(is_term(term), good, "{term}");
        }
    }
}
