//! SMTP connections in, messages into the store.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Message;
use super::smtp::{Action, Session};
use super::store::{Coming, Store};
use crate::problem::Problem;
use crate::services::{Guarded, Tell};

/// A message may have so many bytes.
pub const LARGEST: u64 = 32 << 20;
/// So many clients at once.
const MOST_CLIENTS: usize = 200;
/// RFC 5321 wants five minutes.
const IDLE: Duration = Duration::from_mins(5);
/// Read at once, in bytes.
const PIECE: usize = 64 << 10;

/// Takes mail until `stop`.
pub async fn serve(listener: impl Into<Guarded<TcpListener>>, store: Arc<Store>, tell: Tell, stop: CancellationToken) {
    let listener = listener.into();
    let (clients, places) = (TaskTracker::new(), Arc::new(Semaphore::new(MOST_CLIENTS)));
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stop, place) = (stop.clone(), places.clone().try_acquire_owned());
        let desk = Desk { store: store.clone(), tell: tell.clone(), coming: None };
        clients.spawn(async move {
            let Ok(_place) = place else {
                let mut stream = stream;
                return drop(stream.write_all(b"421 4.3.2 too many clients at once\r\n").await);
            };
            // How a connection ends is the client's business; a message that was not whole was never there.
            tokio::select! { _ = talk(stream, desk) => {}, () = stop.cancelled() => {} }
        });
    }
    clients.close();
    clients.wait().await;
}

async fn talk(mut stream: TcpStream, mut desk: Desk) -> io::Result<()> {
    // A socket option that does not take only costs speed.
    let _ = stream.set_nodelay(true);
    let mut session = Session::new(LARGEST);
    if let Action::Reply(text) = Session::greeting() {
        stream.write_all(text.as_bytes()).await?;
    }
    let mut bytes = vec![0; PIECE];
    loop {
        let count = match tokio::time::timeout(IDLE, stream.read(&mut bytes)).await {
            Ok(count) => count?,
            Err(_) => return stream.write_all(b"421 4.4.2 you said nothing for too long\r\n").await,
        };
        if count == 0 {
            return Ok(());
        }
        let actions = session.read(&bytes[..count]);
        // The disk may be slow, and others are served by this thread.
        let (replies, closes);
        (desk, replies, closes) = tokio::task::spawn_blocking(move || desk.handle(actions)).await?;
        stream.write_all(replies.as_bytes()).await?;
        if closes {
            return stream.shutdown().await;
        }
    }
}

/// Where one connection's message is put together.
struct Desk {
    store: Arc<Store>,
    tell: Tell,
    coming: Option<io::Result<Coming>>,
}

impl Desk {
    /// Does what was asked; the replies, and whether the connection ends.
    fn handle(mut self, actions: Vec<Action>) -> (Self, String, bool) {
        let (mut replies, mut closes) = (String::new(), false);
        for action in actions {
            match action {
                Action::Reply(text) => replies.push_str(&text),
                Action::Begin(envelope) => self.coming = Some(self.store.begin(&envelope, &jiff::Zoned::now())),
                Action::Data(piece) => {
                    if let Some(Ok(coming)) = &mut self.coming
                        && let Err(error) = coming.write(&piece)
                    {
                        self.coming = Some(Err(error));
                    }
                }
                Action::Finish => {
                    let kept = self.coming.take().map(|coming| coming.and_then(|coming| self.store.keep(coming)));
                    let reply = match kept {
                        Some(Ok(number)) => {
                            self.announce(number);
                            format!("250 2.0.0 kept as {number}\r\n")
                        }
                        Some(Err(error)) => {
                            let problem = Problem::new("mail.not-kept", "a mail could not be kept").because(&error);
                            self.tell.failed("mail", problem);
                            format!("452 4.3.1 it could not be kept: {error}\r\n")
                        }
                        None => "451 4.3.0 there is no message\r\n".into(),
                    };
                    replies.push_str(&reply);
                }
                Action::Abandon => self.coming = None,
                Action::Close => closes = true,
            }
        }
        (self, replies, closes)
    }

    fn announce(&self, number: u64) {
        if let Ok(bytes) = self.store.read(number) {
            let Message { recipients, subject, .. } = Message::read(&bytes);
            let line = format!("{number}: to {}: {subject}", recipients.join(", "));
            self.tell.note("mail", line.replace(char::is_control, " "));
        }
    }
}
