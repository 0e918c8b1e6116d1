//! Several apps behind one port: each under its own name, and a page that names them where a name is missing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::HOST;

use super::OWN_NAMES;
use super::browser::Browser;
use crate::gateway::{Front, Request, Response, plain};

/// The fronts of all apps, by their hosts.
pub struct Several {
    fronts: HashMap<String, Arc<Browser>>,
    urls: Vec<String>,
}

impl Several {
    /// Each app's URL, its hosts and its front.
    pub fn new(apps: impl IntoIterator<Item = (String, Vec<String>, Arc<Browser>)>) -> Self {
        let (mut fronts, mut urls) = (HashMap::new(), Vec::new());
        for (url, hosts, browser) in apps {
            fronts.extend(hosts.into_iter().map(|host| (host, browser.clone())));
            urls.push(url);
        }
        Self { fronts, urls }
    }
}

impl Front for Several {
    fn of(&self, host: &str) -> Option<&dyn Front> {
        self.fronts.get(host).map(|front| &**front as &dyn Front)
    }

    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Result<Response, Request>> + Send + '_>> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let answer = if OWN_NAMES.iter().any(|name| host.strip_prefix(name).is_some_and(|rest| !rest.contains('.'))) {
            let mut text = "several apps are served here:\n".to_owned();
            for url in &self.urls {
                let _ = write!(text, "\n{url}");
            }
            Ok(plain(StatusCode::NOT_FOUND, &text))
        } else {
            Err(request)
        };
        Box::pin(std::future::ready(answer))
    }
}
