//! Tells those whom an app names under `report_observer_emails` of its new errors, and of those that are back, by mail: of one error
//! at most once an hour, and of one app not without end.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::backends::MailServer;
use super::releases::Told;
use super::{Server, mailer};
use crate::app::{Address, AppName};
use crate::problem::{Problem, Result};
use crate::services::NewError;

/// Of one error so often at most.
const AGAIN: Duration = Duration::from_hours(1);
/// So many mails an app and hour: a loop that makes up errors must not fill anybody's box.
const MOST: usize = 20;
/// A mail server that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was sent lately.
#[derive(Default)]
struct Sent(HashMap<(AppName, u64), Instant>);

impl Sent {
    /// Whether to send, which is then noted.
    fn may(&mut self, app: &AppName, error: u64, now: Instant) -> bool {
        self.0.retain(|_, sent| now.duration_since(*sent) < AGAIN);
        let of_app = self.0.keys().filter(|(of, _)| of == app).count();
        let key = (app.clone(), error);
        let may = of_app < MOST && !self.0.contains_key(&key);
        if may {
            self.0.insert(key, now);
        }
        may
    }
}

/// Until the node goes down.
pub async fn watch(server: Weak<Server>, mut errors: mpsc::UnboundedReceiver<(AppName, NewError)>) {
    let mut sent = Sent::default();
    while let Some((app, error)) = errors.recv().await {
        let Some(server) = server.upgrade() else { return };
        if let Err(problem) = server.tell_observers(&app, &error, &mut sent).await {
            server.releases.told(Told::Observers { app, problem });
        }
    }
}

impl Server {
    async fn tell_observers(
        self: &std::sync::Arc<Self>,
        app: &AppName,
        error: &NewError,
        sent: &mut Sent,
    ) -> Result<()> {
        let Some(live) = self.store.live(app)? else { return Ok(()) };
        let mut to = self.assemble(app, &live).await?.file.manifest.report_observer_emails;
        // Nothing else is said to a mail server.
        to.retain(|one| one.contains('@') && !one.contains(|c: char| c.is_control() || " <>,".contains(c)));
        if to.is_empty() || !sent.may(app, error.number, Instant::now()) {
            return Ok(());
        }
        let own = self.platforms.told(app).await.into_iter().find(|(name, _)| name == "DAE_SMTP");
        let own = own.and_then(|(_, address)| Address::try_from(address).ok()).map(MailServer::plain);
        let Some(mail_server) = self.smtp.clone().or(own) else { return Ok(()) };
        let from = format!("dae@{}", self.domain);
        let mail = message(app, error, &from, &to, &self.host_of(app));
        let done = tokio::time::timeout(PATIENCE, mailer::send(&mail_server, &from, &to, &mail)).await;
        done.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(|why| {
            Problem::new("observers.mail", format!("a mail of an error of `{app}` could not be sent"))
                .because(format!("the mail server at {}: {why}", mail_server.address))
        })
    }
}

fn message(app: &AppName, error: &NewError, from: &str, to: &[String], host: &str) -> String {
    let NewError { number, kind, message, place, back } = error;
    let line = |text: &str, most: usize| text.replace(char::is_control, " ").chars().take(most).collect::<String>();
    let word = if *back { "is back" } else { "is new" };
    let subject = format!("[{app}] {}: {}", line(kind, 60), line(message, 80));
    // Other than ASCII goes as RFC 2047 wants it.
    let subject = if subject.is_ascii() {
        subject
    } else {
        use base64::Engine as _;
        let words = subject.chars().collect::<Vec<_>>();
        let word = |part: &[char]| {
            let text: String = part.iter().collect();
            format!("=?utf-8?b?{}?=", base64::engine::general_purpose::STANDARD.encode(text))
        };
        words.chunks(10).map(word).collect::<Vec<_>>().join("\r\n ")
    };
    let date = jiff::Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z").to_string();
    let place = if place.is_empty() { String::new() } else { format!("\r\nat {}", line(place, 500)) };
    format!(
        "From: {from}\r\nTo: {}\r\nSubject: {subject}\r\nDate: {date}\r\nAuto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Error {number} of {app} ({host}) {word}:\r\n\r\n{}: {}{place}\r\n\r\n\
         To see all of it:     dae errors show {number} --remote NAME --app {app}\r\n\
         Once it is done with: dae errors resolve {number} --remote NAME --app {app}\r\n",
        to.join(", "),
        line(kind, 200),
        line(message, 700),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_flooded() {
        let mut sent = Sent::default();
        let (app, other) = (AppName::parse("a").unwrap(), AppName::parse("b").unwrap());
        let now = Instant::now();
        assert!(sent.may(&app, 1, now) && !sent.may(&app, 1, now) && sent.may(&other, 1, now));
        let more = (2..100).filter(|error| sent.may(&app, *error, now)).count();
        assert_eq!(more, MOST - 1);
        assert!(sent.may(&app, 1, now + AGAIN));
    }

    #[test]
    fn what_an_error_says_is_no_header() {
        let error = NewError {
            number: 3,
            kind: "KeyError".into(),
            message: "x\r\nBcc: eve@example.com\r\n.\r\nQUIT".into(),
            place: "app.py:7 in f".into(),
            back: true,
        };
        let text = |error| message(&AppName::parse("a").unwrap(), error, "dae@h", &["o@example.com".into()], "a.h");
        let mail = text(&error);
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("\r\nBcc") && !mail.contains("\r\n."), "{mail}");
        assert!(
            body.starts_with("Error 3 of a (a.h) is back:\r\n\r\nKeyError: x  Bcc:") && body.contains("at app.py:7")
        );
        let chinese = text(&NewError { message: "你好".into(), ..error.clone() });
        assert!(chinese.split("\r\n\r\n").next().unwrap().is_ascii(), "{chinese}");
    }
}
