//! A message as a person reads it: its headers decoded, its parts unpacked.

use std::borrow::Cow;

use mail_parser::{Address, MessageParser, MessagePart, MimeHeaders as _, PartType};
use serde::Serialize;

/// The headers shown for a message in full.
const HEADERS: &[&str] =
    &["From", "To", "Cc", "Reply-To", "Date", "Subject", "Message-ID", "List-Unsubscribe", "Auto-Submitted"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who the server was told it is from; this may be empty.
    pub sender: String,
    /// Who gets it, those not named in the message among them.
    pub recipients: Vec<String>,
    pub from: String,
    pub to: String,
    pub subject: String,
    /// The headers that say something to a person, decoded.
    pub headers: Vec<(String, String)>,
    pub text: Option<String>,
    pub html: Option<String>,
    pub attachments: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    pub name: String,
    /// As `image/png`.
    pub kind: String,
    pub size: usize,
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl Message {
    /// Whatever bytes come: what makes no sense is left out.
    pub fn read(bytes: &[u8]) -> Self {
        let parser = MessageParser::default();
        let Some(message) = parser.parse(bytes) else {
            return Self {
                sender: String::new(),
                recipients: Vec::new(),
                from: String::new(),
                to: String::new(),
                subject: String::new(),
                headers: Vec::new(),
                text: Some(String::from_utf8_lossy(bytes).into_owned()),
                html: None,
                attachments: Vec::new(),
            };
        };
        let raw = |name: &str| -> Vec<String> {
            let values = message.headers_raw().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            values.map(|(_, value)| value.trim().to_owned()).collect()
        };
        let decoded = |name: &str| -> Option<String> {
            let value = message.header(name)?;
            if let Some(address) = value.as_address() {
                return Some(addresses(address));
            }
            let text = value.as_text().map(str::to_owned);
            Some(text.unwrap_or_else(|| raw(name).join(", ").split_whitespace().collect::<Vec<_>>().join(" ")))
        };
        // A part that is only there as the other form of one is not taken for both.
        let body = |mut parts: Box<dyn Iterator<Item = &MessagePart<'_>> + '_>, html: bool| {
            parts.find_map(|part| match &part.body {
                PartType::Text(text) if !html => Some(text.to_string()),
                PartType::Html(text) if html => Some(text.to_string()),
                _ => None,
            })
        };
        let sender = raw("Return-Path").first().map(|path| path.trim_matches(['<', '>']).to_owned());
        Self {
            sender: sender.unwrap_or_default(),
            recipients: raw("Delivered-To"),
            from: decoded("From").unwrap_or_default(),
            to: decoded("To").unwrap_or_default(),
            subject: decoded("Subject").unwrap_or_default(),
            headers: HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), decoded(name)?))).collect(),
            text: body(Box::new(message.text_bodies()), false),
            html: body(Box::new(message.html_bodies()), true),
            attachments: message.attachments().map(part).collect(),
        }
    }
}

fn part(part: &MessagePart<'_>) -> Part {
    let kind = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()),
        None => kind.ctype().to_owned(),
    });
    let bytes = part.contents().to_vec();
    Part {
        name: part.attachment_name().unwrap_or("unnamed").to_owned(),
        kind: kind.unwrap_or_else(|| "application/octet-stream".into()),
        size: bytes.len(),
        bytes,
    }
}

fn addresses(list: &Address<'_>) -> String {
    let one = |address: &mail_parser::Addr<'_>| match (&address.name, &address.address) {
        (Some(name), Some(at)) => Cow::Owned(format!("{name} <{at}>")),
        (_, Some(at)) => Cow::Owned(at.to_string()),
        (Some(name), None) => Cow::Owned(name.to_string()),
        (None, None) => Cow::Borrowed(""),
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_decoded() {
        let text = "Return-Path: <bounce@b>\r\nDelivered-To: c@d\r\nDelivered-To: hidden@d\r\n\
            From: =?utf-8?b?5bCP5piO?= <a@b>\r\nTo: c@d\r\nSubject: =?utf-8?q?=E4=BD=A0=E5=A5=BD?=\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=gb2312\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nxOO6ww==\r\n--x\r\nContent-Type: image/png; name=a.png\r\n\
            Content-Disposition: attachment; filename=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n";
        let message = Message::read(text.as_bytes());
        assert_eq!((message.from.as_str(), message.subject.as_str()), ("小明 <a@b>", "你好"));
        assert_eq!(
            (message.sender.as_str(), message.recipients.as_slice()),
            ("bounce@b", &["c@d".into(), "hidden@d".into()][..])
        );
        assert_eq!(message.text.as_deref().map(str::trim), Some("你好"));
        assert_eq!(message.html, None);
        let found: Vec<_> =
            message.attachments.iter().map(|part| (part.name.as_str(), part.kind.as_str(), part.size)).collect();
        assert_eq!(found, [("a.png", "image/png", 3)]);
        assert_eq!(Message::read(b"").subject, "");
        assert_eq!(Message::read(b"\xff\xfe\r\n\r\n\0").from, "");
    }
}
