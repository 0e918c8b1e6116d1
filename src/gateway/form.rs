//! What a page of the gateway's own reads of a request: form fields, one cookie, where to go afterwards, whose page it came from.

use std::collections::BTreeMap;

use axum::extract::Query;
use hyper::Uri;
use hyper::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};

/// What a form or a query holds.
pub fn fields(encoded: &str) -> BTreeMap<String, String> {
    let pairs = format!("/?{encoded}").parse::<Uri>().ok().and_then(|uri| Query::try_from_uri(&uri).ok());
    pairs.map(|Query(pairs): Query<Vec<(String, String)>>| pairs.into_iter().collect()).unwrap_or_default()
}

/// Where the field `dest` leads to after login or logout: a path of this host that is none of theirs.
pub fn dest(fields: &BTreeMap<String, String>) -> String {
    let wanted = fields.get("dest").and_then(|wanted| inside(wanted));
    wanted.filter(|wanted| !wanted.starts_with("/_dae/log")).unwrap_or("/").to_owned()
}

/// `wanted`, where it is a path of this host; a browser may read others as another site's address.
fn inside(wanted: &str) -> Option<&str> {
    let inside = wanted.starts_with('/') && !wanted.starts_with("//") && !wanted.contains(['\\', '\r', '\n', '\t']);
    inside.then_some(wanted)
}

/// A form that another site's page has sent.
pub fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !["same-origin", "none"].contains(&site);
    }
    text(ORIGIN.as_str()).is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != text(HOST.as_str()))
}

/// Takes the cookie of this name out of a request, whose other cookies stay.
pub fn take_cookie(headers: &mut HeaderMap, name: &str) -> Option<String> {
    let mut found = None;
    let mut others: Vec<HeaderValue> = Vec::new();
    for value in headers.get_all(COOKIE) {
        let Ok(text) = value.to_str() else {
            others.push(value.clone());
            continue;
        };
        let meant = |pair: &&str| pair.trim().split('=').next() == Some(name);
        let (ours, rest): (Vec<&str>, Vec<&str>) = text.split(';').partition(meant);
        if let Some((_, word)) = ours.first().and_then(|pair| pair.split_once('=')) {
            found = found.or_else(|| Some(word.trim().to_owned()));
        }
        let rest = rest.join(";");
        if let (false, Ok(rest)) = (rest.trim().is_empty(), HeaderValue::from_str(rest.trim())) {
            others.push(rest);
        }
    }
    headers.remove(COOKIE);
    for value in others {
        headers.append(COOKIE, value);
    }
    found
}

/// Takes out what only dae itself may say. A server behind us may read `_` as `-`.
pub fn withhold(headers: &mut HeaderMap, name: &str) {
    let same = |(a, b): (u8, u8)| a == b || (a == b'_' && b == b'-');
    let is_ours = |known: &&HeaderName| {
        known.as_str().len() == name.len() && std::iter::zip(known.as_str().bytes(), name.bytes()).all(same)
    };
    let ours: Vec<HeaderName> = headers.keys().filter(is_ours).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for (wanted, is_inside) in [
            ("/a?b=c", true),
            ("/", true),
            ("", false),
            ("a", false),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("/\t/evil.example", false),
            ("https://evil.example", false),
        ] {
            assert_eq!(inside(wanted), is_inside.then_some(wanted), "{wanted}");
        }
        let dest = |wanted: &str| dest(&BTreeMap::from([("dest".into(), wanted.into())]));
        assert_eq!((dest("/a?b=c"), dest("//e"), dest("/_dae/logout")), ("/a?b=c".into(), "/".into(), "/".into()));
    }

    #[test]
    fn one_cookie_is_taken_and_the_others_stay() {
        let take = |cookies: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in cookies {
                headers.append(COOKIE, HeaderValue::from_str(value).unwrap());
            }
            let taken = take_cookie(&mut headers, "me");
            let left: Vec<_> = headers.get_all(COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
            (taken, left.join("|"))
        };
        assert_eq!(take(&["a=b; me=x=y; c=d", "me=z"]), (Some("x=y".into()), "a=b; c=d".into()));
        assert_eq!(take(&["me=x"]), (Some("x".into()), String::new()));
        assert_eq!(take(&["mean=x; e=f"]), (None, "mean=x; e=f".into()));
    }

    #[test]
    fn a_header_is_withheld_however_it_is_spelt() {
        let mut headers = HeaderMap::new();
        for name in ["x-dae-user", "x_dae_user", "x-dae_user", "x-dae-users"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        withhold(&mut headers, "x-dae-user");
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-dae-users"]);
    }
}
