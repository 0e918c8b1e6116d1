//! What a node itself says to an app's visitors, as a page or as text.

use hyper::StatusCode;
use minijinja::context;

use crate::gateway::{Response, Wants, html, plain};
use crate::problem::Problem;

const NOTICE: &str = include_str!("../../../templates/page/notice.html");

/// A link at the end of a page.
pub struct Link<'a> {
    pub to: &'a str,
    pub label: &'a str,
}

/// A page of a few words.
pub fn notice(status: StatusCode, message: &str, more: Vec<String>, link: Option<Link<'_>>) -> Response {
    let mut environment = minijinja::Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    let (to, label) = link.map(|Link { to, label }| (to, label)).unzip();
    let page = environment.render_str(NOTICE, context! { message, more, to, label });
    html(status, page.unwrap_or_else(|error| error.to_string()))
}

/// Where an app has no answer. Why is for its owner; a visitor is told what they can do about it.
pub fn stand_in(status: StatusCode, problem: &Problem, wants: Wants) -> Response {
    let (message, more) = match &*problem.code {
        "gateway.full" => ("Too much is going on here just now", "Try again in a moment.".to_owned()),
        "gateway.not-ready" => ("This is about to start", "Try again in a moment.".to_owned()),
        // It names a size and nothing else.
        "gateway.too-large" => ("This is too large", format!("{}.", problem.message)),
        "gateway.unknown-host" => ("There is nothing here", "Is the address right?".to_owned()),
        _ => ("Something went wrong here", "It is not your fault. Try again later.".to_owned()),
    };
    match wants {
        Wants::Html => notice(status, message, vec![more], None),
        Wants::Text => {
            let reason = status.canonical_reason().unwrap_or("error");
            plain(
                status,
                &if status == StatusCode::PAYLOAD_TOO_LARGE { format!("{reason}: {more}") } else { reason.to_owned() },
            )
        }
    }
}
