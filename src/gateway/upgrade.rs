//! Websockets and other upgrades: after the 101, bytes both ways until the server ends, or its part is cut short.

use std::time::Duration;

use hyper::header::{CONNECTION, HeaderMap, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink, split};
use tokio::time::{sleep, timeout};

use super::Lease;
use super::frames::{Frames, RESTART};

/// As much is passed on at once, in bytes.
const CHUNK: usize = 8192;

/// How long a client whose conversation is over may go on talking.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Whether the headers ask for, or grant, another protocol.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
        && headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")))
}

/// What the two sides of a conversation speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Websocket,
    Other,
}

impl Protocol {
    /// As the headers of the answer grant it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let is_websocket = headers.get(UPGRADE).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"));
        if is_websocket { Self::Websocket } else { Self::Other }
    }
}

/// How a conversation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// By one of its sides.
    Ended,
    /// It was cut, and the client has not been told.
    Cut,
}

/// Joins the two sides. The lease is held until the server's has ended; when that is cut short, until the client of a websocket
/// has been told to come again.
pub(super) fn join(client: OnUpgrade, server: OnUpgrade, lease: Lease, protocol: Protocol) {
    tokio::spawn(async move {
        let (cut, late) = (lease.cut(), lease.cut());
        let (Ok(client), Ok(server)) = (client.await, server.await) else { return };
        let (mut from_client, mut to_client) = split(TokioIo::new(client));
        let (from_server, to_server) = split(TokioIo::new(server));
        let over = tokio::select! {
            over = outward(from_server, &mut to_client, protocol, cut) => over,
            over = inward(&mut from_client, to_server) => over,
            // A client that does not read holds up nobody.
            () = async { late.await; sleep(LAST_WORDS).await } => Over::Ended,
        };
        // Until it has been told: when nobody holds a lease any more, this process may end.
        let lease = (over == Over::Cut).then_some(lease);
        // What it has sent meanwhile is read, or the end would reach it as a connection that broke.
        let ends = async {
            if over == Over::Cut {
                to_client.write_all(&RESTART).await?;
            }
            to_client.shutdown().await?;
            copy(&mut from_client, &mut sink()).await
        };
        // There is nobody to tell.
        let _ = timeout(LAST_WORDS, ends).await;
        drop(lease);
    });
}

/// From the server to the client. A websocket is cut between two frames, anything else anywhere.
async fn outward(
    mut server: impl AsyncRead + Unpin,
    client: &mut (impl AsyncWrite + Unpin),
    protocol: Protocol,
    cut: impl Future<Output = ()>,
) -> Over {
    tokio::pin!(cut);
    let (mut frames, mut is_cut) = (Frames::default(), false);
    let mut chunk = vec![0; CHUNK];
    loop {
        match protocol {
            Protocol::Websocket if is_cut && frames.is_closed() => return Over::Ended,
            Protocol::Websocket if is_cut && frames.is_between() => return Over::Cut,
            Protocol::Other if is_cut => return Over::Ended,
            _ => {}
        }
        let count = tokio::select! {
            count = server.read(&mut chunk) => count,
            () = &mut cut, if !is_cut => {
                is_cut = true;
                continue;
            }
        };
        let Ok(count @ 1..) = count else { return Over::Ended };
        let mut bytes = &chunk[..count];
        match protocol {
            Protocol::Websocket if is_cut => bytes = &bytes[..frames.pass_one(bytes)],
            Protocol::Websocket => frames.pass(bytes),
            Protocol::Other => {}
        }
        if client.write_all(bytes).await.is_err() || client.flush().await.is_err() {
            return Over::Ended;
        }
    }
}

/// From the client to the server, whose end is the end of the conversation, not the client's.
async fn inward(client: &mut (impl AsyncRead + Unpin), mut server: impl AsyncWrite + Unpin) -> Over {
    if copy(client, &mut server).await.is_ok() && server.shutdown().await.is_ok() {
        return std::future::pending().await;
    }
    // A server that takes no more may still have something to say.
    sleep(LAST_WORDS).await;
    Over::Ended
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_websocket_is_cut_between_frames() {
        for protocol in [Protocol::Websocket, Protocol::Other] {
            let ((mut app, server), (mut client, mut to_client)) = (duplex(64), duplex(64));
            let (cut, is_cut) = oneshot::channel::<()>();
            let passing =
                tokio::spawn(
                    async move { outward(server, &mut to_client, protocol, async { drop(is_cut.await) }).await },
                );
            let mut heard = [0; 4];
            // A frame of five bytes, of which two have come when the cut does.
            app.write_all(b"\x81\x05ab").await.unwrap();
            client.read_exact(&mut heard).await.unwrap();
            drop(cut);
            if protocol == Protocol::Other {
                assert_eq!(passing.await.unwrap(), Over::Ended);
                continue;
            }
            tokio::task::yield_now().await;
            app.write_all(b"cde\x81\x01f").await.unwrap();
            assert_eq!(passing.await.unwrap(), Over::Cut);
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await.unwrap();
            // What came after the frame may have come before the cut was seen.
            assert!(rest == b"cde" || rest == b"cde\x81\x01f", "{rest:?}");
        }
    }
}
