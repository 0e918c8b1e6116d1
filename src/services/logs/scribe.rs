//! Scribe's protocol: calls in framed Thrift, binary, with fb303's about the server itself. Bytes in, bytes out.
//! (`service scribe extends fb303.FacebookService { ResultCode Log(1: list<LogEntry> messages) }`)

use std::io::Cursor;

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol, TMapIdentifier, TMessageIdentifier,
    TMessageType, TOutputProtocol, TStructIdentifier, TType,
};
use thrift::{ApplicationError, ApplicationErrorKind, TConfiguration};

/// A larger frame is none.
pub const LARGEST: usize = 16 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    pub category: String,
    /// As it came: often, but not always, one line with its end.
    pub message: Vec<u8>,
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    name: String,
    sequence: i32,
    /// Nobody waits for an answer.
    oneway: bool,
    pub wants: Wants,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    Log(Vec<Entry>),
    /// One of fb303's, with its argument if it has one.
    Status(Option<String>),
}

/// Of the entries of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// They could not be kept.
    TryLater,
}

/// What fb303 asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Seconds since 1970.
    pub alive_since: i64,
    pub counters: Vec<(String, i64)>,
}

/// Reads the call in a frame. `Err` says why it is none.
pub fn read(frame: &[u8]) -> Result<Call, String> {
    read_call(frame).map_err(|error| error.to_string())
}

fn read_call(frame: &[u8]) -> thrift::Result<Call> {
    let limits = TConfiguration::builder()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        // What is not there cannot be that long.
        .max_string_size(Some(frame.len()))
        .max_container_size(Some(frame.len()))
        .max_recursion_depth(Some(16))
        .build()?;
    let mut from = TBinaryInputProtocol::with_config(Cursor::new(frame), false, limits);
    let begin = from.read_message_begin()?;
    let (mut entries, mut argument) = (Vec::new(), None);
    from.read_struct_begin()?;
    loop {
        let field = from.read_field_begin()?;
        match (field.field_type, field.id) {
            (TType::Stop, _) => break,
            (TType::List, Some(1)) if begin.name == "Log" => {
                let list = from.read_list_begin()?;
                if list.element_type != TType::Struct && list.size > 0 {
                    return Err(thrift::Error::Application(ApplicationError::new(
                        ApplicationErrorKind::ProtocolError,
                        "the entries are no structs",
                    )));
                }
                for _ in 0..list.size {
                    entries.push(entry(&mut from)?);
                }
                from.read_list_end()?;
            }
            (TType::String, Some(1)) => argument = Some(String::from_utf8_lossy(&from.read_bytes()?).into_owned()),
            (other, _) => from.skip(other)?,
        }
        from.read_field_end()?;
    }
    from.read_struct_end()?;
    from.read_message_end()?;
    let wants = if begin.name == "Log" { Wants::Log(entries) } else { Wants::Status(argument) };
    let oneway = begin.message_type == TMessageType::OneWay;
    Ok(Call { name: begin.name, sequence: begin.sequence_number, oneway, wants })
}

fn entry(from: &mut TBinaryInputProtocol<Cursor<&[u8]>>) -> thrift::Result<Entry> {
    let mut entry = Entry::default();
    from.read_struct_begin()?;
    loop {
        let field = from.read_field_begin()?;
        match (field.field_type, field.id) {
            (TType::Stop, _) => break,
            (TType::String, Some(1)) => entry.category = String::from_utf8_lossy(&from.read_bytes()?).into_owned(),
            (TType::String, Some(2)) => entry.message = from.read_bytes()?,
            (other, _) => from.skip(other)?,
        }
        from.read_field_end()?;
    }
    from.read_struct_end()?;
    Ok(entry)
}

/// The frame that answers a call; `None` where nobody waits for one.
pub fn answer(call: &Call, outcome: Outcome, about: &About) -> Option<Vec<u8>> {
    if call.oneway || ["reinitialize", "shutdown"].contains(&call.name.as_str()) {
        return None;
    }
    // A vector takes all that is written to it.
    write_answer(call, outcome, about).ok()
}

fn write_answer(call: &Call, outcome: Outcome, about: &About) -> thrift::Result<Vec<u8>> {
    let mut to = TBinaryOutputProtocol::new(Vec::new(), true);
    let mut value = Vec::new();
    let mut result = TBinaryOutputProtocol::new(&mut value, true);
    let argument = match &call.wants {
        Wants::Status(argument) => argument.clone().unwrap_or_default(),
        Wants::Log(_) => String::new(),
    };
    let kind = match call.name.as_str() {
        "Log" => {
            result.write_i32(i32::from(outcome == Outcome::TryLater))?;
            Some(TType::I32)
        }
        "getName" => {
            result.write_string("dae")?;
            Some(TType::String)
        }
        "getVersion" => {
            result.write_string(env!("CARGO_PKG_VERSION"))?;
            Some(TType::String)
        }
        "getStatus" => {
            // ALIVE
            result.write_i32(2)?;
            Some(TType::I32)
        }
        "getStatusDetails" | "getOption" | "getCpuProfile" => {
            result.write_string("")?;
            Some(TType::String)
        }
        "aliveSince" => {
            result.write_i64(about.alive_since)?;
            Some(TType::I64)
        }
        "getCounter" => {
            let counter = about.counters.iter().find(|(name, _)| *name == argument);
            result.write_i64(counter.map_or(0, |(_, count)| *count))?;
            Some(TType::I64)
        }
        "getCounters" => {
            let size = i32::try_from(about.counters.len()).unwrap_or(i32::MAX);
            result.write_map_begin(&TMapIdentifier::new(TType::String, TType::I64, size))?;
            for (name, count) in &about.counters {
                result.write_string(name)?;
                result.write_i64(*count)?;
            }
            Some(TType::Map)
        }
        "getOptions" => {
            result.write_map_begin(&TMapIdentifier::new(TType::String, TType::String, 0))?;
            Some(TType::Map)
        }
        "setOption" => None,
        unknown => {
            let message = TMessageIdentifier::new(unknown, TMessageType::Exception, call.sequence);
            to.write_message_begin(&message)?;
            let error =
                ApplicationError::new(ApplicationErrorKind::UnknownMethod, format!("there is no method `{unknown}`"));
            thrift::Error::write_application_error_to_out_protocol(&error, &mut to)?;
            to.write_message_end()?;
            return Ok(framed(&to.transport));
        }
    };
    to.write_message_begin(&TMessageIdentifier::new(&call.name, TMessageType::Reply, call.sequence))?;
    to.write_struct_begin(&TStructIdentifier::new("result"))?;
    if let Some(kind) = kind {
        to.write_field_begin(&TFieldIdentifier::new("success", kind, 0))?;
        to.transport.extend_from_slice(&value);
        to.write_field_end()?;
    }
    to.write_field_stop()?;
    to.write_struct_end()?;
    to.write_message_end()?;
    Ok(framed(&to.transport))
}

/// The frame of a call that logs `entries`: what a client sends.
pub fn log(entries: &[Entry]) -> Option<Vec<u8>> {
    let write = || -> thrift::Result<Vec<u8>> {
        let mut to = TBinaryOutputProtocol::new(Vec::new(), true);
        to.write_message_begin(&TMessageIdentifier::new("Log", TMessageType::Call, 0))?;
        to.write_field_begin(&TFieldIdentifier::new("messages", TType::List, 1))?;
        let size = i32::try_from(entries.len()).unwrap_or(i32::MAX);
        to.write_list_begin(&thrift::protocol::TListIdentifier::new(TType::Struct, size))?;
        for entry in entries {
            to.write_field_begin(&TFieldIdentifier::new("category", TType::String, 1))?;
            to.write_string(&entry.category)?;
            to.write_field_begin(&TFieldIdentifier::new("message", TType::String, 2))?;
            to.write_bytes(&entry.message)?;
            to.write_field_stop()?;
        }
        to.write_field_stop()?;
        to.write_message_end()?;
        Ok(framed(&to.transport))
    };
    write().ok()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { alive_since: 7, counters: vec![("received".into(), 3)] }
    }

    #[test]
    fn a_call_is_read_and_answered() {
        let entries = [
            Entry { category: "app".into(), message: b"hello\n".to_vec() },
            Entry { category: "b".into(), message: vec![0xff] },
        ];
        let frame = log(&entries).unwrap();
        let call = read(&frame[4..]).unwrap();
        assert_eq!(call.wants, Wants::Log(entries.to_vec()));
        let reply = answer(&call, Outcome::TryLater, &about()).unwrap();
        // A reply named Log, a field 0 of i32: 1, and the struct's end.
        assert_eq!(&reply[4..], b"\x80\x01\x00\x02\x00\x00\x00\x03Log\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x01\x00");
        let status = Call { name: "noSuch".into(), sequence: 1, oneway: false, wants: Wants::Status(None) };
        assert_eq!(answer(&status, Outcome::Ok, &about()).unwrap()[7], 3);
    }

    #[test]
    fn what_is_no_call_is_no_call() {
        let frame = log(&[Entry { category: "app".into(), message: b"hello".to_vec() }]).unwrap();
        for end in 0..frame.len() - 5 {
            assert!(read(&frame[4..4 + end]).is_err(), "{end}");
        }
        // A list of 2^31-1 entries that are not there.
        let bomb = b"\x80\x01\x00\x01\x00\x00\x00\x03Log\x00\x00\x00\x00\x0f\x00\x01\x0c\x7f\xff\xff\xff";
        assert!(read(bomb).is_err());
        assert!(read(b"GET / HTTP/1.1\r\n").is_err());
    }
}
