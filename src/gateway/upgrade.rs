//! Websockets and other upgrades: after the 101, bytes both ways until either side ends.

use std::time::Duration;

use hyper::header::{CONNECTION, HeaderMap, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, copy, copy_bidirectional, sink};

use super::Lease;

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

/// Joins the two sides. The lease is held until both have ended.
pub(super) fn join(client: OnUpgrade, server: OnUpgrade, lease: Lease) {
    tokio::spawn(async move {
        let cut = lease.cut();
        if let (Ok(client), Ok(server)) = (client.await, server.await) {
            let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
            // An end by either side, clean or not, is the end of the conversation; there is nobody to tell.
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                () = cut => {
                    drop((server, lease));
                    // What it has sent meanwhile is read, or the end would reach it as a connection that broke.
                    let ends = async {
                        let _ = client.shutdown().await;
                        let _ = copy(&mut client, &mut sink()).await;
                    };
                    let _ = tokio::time::timeout(LAST_WORDS, ends).await;
                }
            }
        }
    });
}
