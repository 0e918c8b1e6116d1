//! Sentry's envelope: a line of JSON, then items, each a line of JSON and a payload. Types nobody knows yet are items too.
//! (develop.sentry.dev/sdk/data-model/envelopes)

use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
pub struct Envelope<'a> {
    pub header: Map<String, Value>,
    pub items: Vec<Item<'a>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Item<'a> {
    /// `event`, `transaction`, `session` and what else there may be.
    pub kind: String,
    pub payload: &'a [u8],
}

/// More items are no envelope.
const MOST_ITEMS: usize = 1000;

impl<'a> Envelope<'a> {
    /// `Err` says what is wrong, and at which byte.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let (first, mut rest) = line_of(bytes);
        let header = object(first).map_err(|why| format!("the first line is no JSON object: {why}"))?;
        let mut items = Vec::new();
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let (head, after) = line_of(rest);
            if head.trim_ascii().is_empty() {
                rest = after;
                continue;
            }
            let head = object(head).map_err(|why| format!("the item at byte {at} has no header: {why}"))?;
            let Some(Value::String(kind)) = head.get("type") else {
                return Err(format!("the item at byte {at} has no `type`"));
            };
            let (payload, after) = match head.get("length") {
                None | Some(Value::Null) => line_of(after),
                Some(length) => {
                    let length = length.as_u64().and_then(|length| usize::try_from(length).ok());
                    let length = length.ok_or_else(|| format!("the item at byte {at} has a `length` that is none"))?;
                    let Some((payload, after)) = after.split_at_checked(length) else {
                        let there = after.len();
                        return Err(format!("the item at byte {at} is cut: {there} of {length} bytes are there"));
                    };
                    match after.strip_prefix(b"\r\n").or_else(|| after.strip_prefix(b"\n")) {
                        Some(after) => (payload, after),
                        None if after.is_empty() => (payload, after),
                        None => return Err(format!("the item at byte {at} is longer than its `length`, {length}")),
                    }
                }
            };
            items.push(Item { kind: kind.clone(), payload });
            if items.len() > MOST_ITEMS {
                return Err(format!("there are more than {MOST_ITEMS} items"));
            }
            rest = after;
        }
        Ok(Self { header, items })
    }
}

/// Up to the next line's end, and what is behind it.
fn line_of(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

fn object(line: &[u8]) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_with_a_length_and_without() {
        let text = b"{\"event_id\":\"a\"}\n{\"type\":\"attachment\",\"length\":3}\n\n{\n\n{\"type\":\"event\"}\n{\"x\":1}\n{\"type\":\"replay_video\",\"length\":0}\n\n{\"type\":\"x\",\"length\":1}\ny";
        let envelope = Envelope::read(text).unwrap();
        let items: Vec<_> = envelope.items.iter().map(|item| (item.kind.as_str(), item.payload)).collect();
        assert_eq!(items, [("attachment", &b"\n{\n"[..]), ("event", b"{\"x\":1}"), ("replay_video", b""), ("x", b"y")]);
        assert_eq!(envelope.header["event_id"], "a");
        assert_eq!(Envelope::read(b"{}").unwrap().items, []);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said: Vec<String> = [
            &b""[..],
            b"[]\n",
            b"{}\nx\n",
            b"{}\n{\"length\":1}\n",
            b"{}\n{\"type\":\"event\",\"length\":9}\n{}",
            b"{}\n{\"type\":\"event\",\"length\":-1}\n{}",
            b"{}\n{\"type\":\"event\",\"length\":1}\n{}",
            b"{}\n{\"type\":\"event\",\"length\":18446744073709551615}\n{}",
        ]
        .into_iter()
        .map(|text| Envelope::read(text).unwrap_err())
        .collect();
        insta::assert_snapshot!(said.join("\n"), @"
        the first line is no JSON object: EOF while parsing a value at line 1 column 0
        the first line is no JSON object: invalid type: sequence, expected a map at line 1 column 0
        the item at byte 3 has no header: expected value at line 1 column 1
        the item at byte 3 has no `type`
        the item at byte 3 is cut: 2 of 9 bytes are there
        the item at byte 3 has a `length` that is none
        the item at byte 3 is longer than its `length`, 1
        the item at byte 3 is cut: 2 of 18446744073709551615 bytes are there
        ");
    }
}
