//! `dae status`.

use std::fmt::Write as _;

use serde::Serialize;

use super::online::block_on;
use super::{Context, Outcome};
use crate::app;
use crate::dev_server::{Process, Session, Status};
use crate::term::{Paint, Text};

/// Tell whether the app is being served, where, and by which processes
///
/// Exit code 0 when it is, 1 when it is not.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Report {
    serving: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

impl Text for Report {
    fn text(&self, paint: Paint) -> String {
        match &self.status {
            Some(Status { app, url, pid, since, processes }) => {
                let since = since.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %T");
                let mut text = format!("{app}  {}  process {pid}, since {since}", paint.key(url));
                for Process { process, pid } in processes {
                    let _ = write!(text, "\n  {process:20}{pid:>8}");
                }
                text
            }
            None => "not being served".into(),
        }
    }

    fn exit(&self) -> u8 {
        u8::from(!self.serving)
    }
}

pub fn run(_: Args, context: &Context) -> Outcome {
    let status = match Session::server(&app::find(&context.cwd)?)? {
        Some(server) => Some(block_on(server.status())?),
        None => None,
    };
    Ok(Box::new(Report { serving: status.is_some(), status }))
}
