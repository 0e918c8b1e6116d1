//! A one-off command with somebody sitting at it: what is said on the websocket, and the client's end of it.
//!
//! Binary messages are the terminal's bytes, keys one way and what is printed the other; text messages are JSON. The client
//! begins with [`NewConsole`], and is told [`ConsoleEvent::Started`] or [`ConsoleEvent::Refused`]. The run lasts as long as
//! the connection.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, StatusCode, Upgraded, header};
use serde::{Deserialize, Serialize};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use super::api::{NewRun, ReleaseId, RunId};
use super::client::{Answer, Ask, Client, exit};
use crate::app::AppName;
use crate::problem::{Problem, Result};

/// How often the remote asks whether somebody is there.
pub const PING_EVERY: Duration = Duration::from_secs(15);
/// A side that says nothing for this long has gone.
pub const GONE_AFTER: Duration = Duration::from_secs(50);

/// How large a terminal is, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    pub rows: u16,
    pub cols: u16,
}

/// The client's first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewConsole {
    #[serde(flatten)]
    pub run: NewRun,
    #[serde(flatten)]
    pub size: Size,
    /// What its terminal understands, as `TERM` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
}

/// What it may say later, beside keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleAsk {
    Resize(Size),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum ConsoleEvent {
    Started {
        run: RunId,
        release: ReleaseId,
    },
    /// Nothing was started, and the connection ends.
    Refused {
        problem: Problem,
    },
    /// The last message.
    Ended {
        run: RunId,
        /// As a shell has it: 128 and its number for a signal.
        code: u8,
        /// Where it did not end by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

/// What comes from the remote's end.
#[derive(Debug)]
pub enum Came {
    Printed(Bytes),
    Ended { code: u8, why: Option<String> },
}

/// The client's end.
pub struct Console {
    pub run: RunId,
    pub release: ReleaseId,
    socket: WebSocketStream<Upgraded>,
    name: String,
}

impl Client {
    /// Starts a command and sits down at it.
    pub async fn console(&self, app: &AppName, new: &NewConsole) -> Result<Console> {
        let key = generate_key();
        let ask = Ask::new(Method::GET, format!("/dae/v1/apps/{app}/console"))
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, key.as_str());
        let response = self.begin(ask).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let body = response.bytes().await.map_err(|error| self.silent(&error))?;
            return Err(self.refused(&Answer { status, headers, body }, 1));
        }
        let accepted =
            headers.get(header::SEC_WEBSOCKET_ACCEPT).is_some_and(|value| *value == derive_accept_key(key.as_bytes()));
        if !accepted {
            return Err(Problem::new("remote.protocol", format!("remote `{}` speaks no websocket", self.name))
                .hint("is there a proxy on the way that lets none through?"));
        }
        let upgraded = response.upgrade().await.map_err(|error| self.silent(&error))?;
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        let lost = |why: &str| lost(&self.name, None, why);
        socket.send(json(new)).await.map_err(|error| lost(&error.to_string()))?;
        loop {
            match next(&mut socket).await.map_err(|why| lost(&why))? {
                Message::Text(text) => {
                    return match serde_json::from_str(&text) {
                        Ok(ConsoleEvent::Started { run, release }) => {
                            Ok(Console { run, release, socket, name: self.name.clone() })
                        }
                        Ok(ConsoleEvent::Refused { problem }) => Err(problem),
                        _ => Err(lost("it did not say that anything was started")),
                    };
                }
                Message::Close(_) => return Err(lost("it was closed")),
                _ => {}
            }
        }
    }
}

impl Console {
    pub async fn type_in(&mut self, keys: Bytes) -> Result<()> {
        let sent = self.socket.send(Message::Binary(keys)).await;
        sent.map_err(|error| self.lost(&error.to_string()))
    }

    pub async fn resize(&mut self, size: Size) -> Result<()> {
        let sent = self.socket.send(json(&ConsoleAsk::Resize(size))).await;
        sent.map_err(|error| self.lost(&error.to_string()))
    }

    /// What comes next. Given up in between, nothing is lost.
    pub async fn next(&mut self) -> Result<Came> {
        loop {
            match next(&mut self.socket).await.map_err(|why| self.lost(&why))? {
                Message::Binary(bytes) => return Ok(Came::Printed(bytes)),
                Message::Text(text) => {
                    if let Ok(ConsoleEvent::Ended { code, why, .. }) = serde_json::from_str(&text) {
                        return Ok(Came::Ended { code, why });
                    }
                }
                Message::Close(_) => return Err(self.lost("it was closed")),
                _ => {}
            }
        }
    }

    fn lost(&self, why: &str) -> Problem {
        lost(&self.name, Some(self.run), why)
    }
}

async fn next(socket: &mut WebSocketStream<Upgraded>) -> Result<Message, String> {
    match tokio::time::timeout(GONE_AFTER, socket.next()).await {
        Ok(Some(message)) => message.map_err(|error| error.to_string()),
        Ok(None) => Err("it was closed".to_owned()),
        Err(_) => Err(format!("nothing was heard of it for {} seconds", GONE_AFTER.as_secs())),
    }
}

/// A message of ours.
pub fn json(value: &impl Serialize) -> Message {
    Message::text(serde_json::to_string(value).unwrap_or_default())
}

fn lost(name: &str, run: Option<RunId>, why: &str) -> Problem {
    let problem = Problem::new("remote.lost", format!("the connection to remote `{name}` broke off"))
        .because(why)
        .exit(exit::UNREACHABLE);
    match run {
        Some(run) => problem.hint(format!("{run} ends with it")),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_on_the_wire() {
        let new = r#"{"command":["sh"],"by":"a@b","rows":24,"cols":80,"term":"xterm"}"#;
        let read: NewConsole = serde_json::from_str(new).unwrap();
        assert_eq!((read.size, read.run.release), (Size { rows: 24, cols: 80 }, None));
        assert_eq!(serde_json::to_string(&read).unwrap(), new);
        let ask = ConsoleAsk::Resize(read.size);
        assert_eq!(serde_json::to_string(&ask).unwrap(), r#"{"resize":{"rows":24,"cols":80}}"#);
        let ended = ConsoleEvent::Ended { run: RunId(3), code: 130, why: None };
        assert_eq!(serde_json::to_string(&ended).unwrap(), r#"{"event":"ended","run":"run3","code":130}"#);
    }
}
