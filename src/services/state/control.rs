//! Orders for the state of services that run: a line of JSON over a unix socket, from `dae state` to whoever hosts them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

use super::Order;
use crate::problem::{Doing as _, Problem, Result};
use crate::services::Space;

/// The variable that says where the socket is.
pub const SOCKET: &str = "DAE_STATE";

/// An order, and where its outcome goes.
#[derive(Debug)]
pub struct Control {
    pub order: Order,
    pub done: oneshot::Sender<Result<()>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Done,
    Problem(Box<Problem>),
}

/// Hears orders until nobody takes them any more; returns where.
pub fn listen(space: &Space, orders: mpsc::Sender<Control>) -> Result<String> {
    let listener = space.guarded_unix("state")?;
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                () = orders.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let orders = orders.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut line = String::new();
                // Whoever goes away again wants nothing.
                let _ = tokio::io::BufReader::new(read).read_line(&mut line).await;
                let Ok(order) = serde_json::from_str(&line) else { return };
                let (done, outcome) = oneshot::channel();
                if orders.send(Control { order, done }).await.is_err() {
                    return;
                }
                let Ok(outcome) = outcome.await else { return };
                let outcome = outcome.map_or_else(|problem| Outcome::Problem(Box::new(problem)), |()| Outcome::Done);
                let _ = write.write_all(format!("{}\n", serde_json::json!(outcome)).as_bytes()).await;
            });
        }
    });
    Ok(space.run.join("state").to_string_lossy().into_owned())
}

/// Gives an order to whoever hosts the services, and waits until it is done.
pub fn ask(socket: &Path, order: &Order) -> Result<()> {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(format!("{}\n", serde_json::json!(order)).as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    };
    let line = ask().doing(|| "ask the process that hosts this app's services")?;
    match serde_json::from_str(&line) {
        Ok(Outcome::Done) => Ok(()),
        Ok(Outcome::Problem(problem)) => Err(*problem),
        Err(_) => {
            Err(Problem::new("state.ended", "the process that hosts this app's services ended before it was done")
                .try_running("dae state list"))
        }
    }
}
