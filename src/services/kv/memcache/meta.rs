//! The meta commands, `mg` to `me`: what each answers.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::flags::{Flags, Wrong};
use super::items::{FETCHED, Id, Item, KEY_BINARY, STALE, TOKEN_SENT};
use super::line::Line;
use super::number;
use super::session::{State, Step};
use super::slab;
use super::store::{Direction, Mode, New, Store, Stored, Sum};
use super::text::{BAD_CHUNK, BAD_FORMAT, Data, NOT_NUMERIC, TOO_LARGE, announced, data, say};

const LONG_OPAQUE: &str = "CLIENT_ERROR opaque token too long";
const BAD_FLAG: &str = "CLIENT_ERROR invalid or duplicate flag";
/// More words than this are no command.
const WORDS: usize = 19;

pub(super) fn command(store: &mut Store, line: &Line, after: &[u8], out: &mut Vec<u8>, state: &mut State) -> Step {
    let word = line.word(0);
    if word == b"mn" {
        say(out, "MN");
        return Step::Done(line.length);
    }
    if line.count() < 2 {
        say(out, if word == b"me" { BAD_FORMAT } else { "ERROR" });
        return Step::Done(line.length);
    }
    if line.word(1).len() > store.settings.key() {
        say(out, BAD_FORMAT);
        return Step::Done(line.length);
    }
    if word == b"me" {
        debug(store, line, out);
        return Step::Done(line.length);
    }
    if word == b"ms" {
        return set(store, line, after, out, state);
    }
    if line.count() > WORDS {
        let get = word == b"mg";
        say(out, if get { "CLIENT_ERROR options flags are too long" } else { "CLIENT_ERROR options flags too long" });
        return Step::Done(line.length);
    }
    let flags = match Flags::of(line, 2) {
        Ok(flags) => flags,
        Err(wrong) => {
            say(out, if word == b"mg" { wrong.message } else { BAD_FLAG });
            return Step::Done(line.length);
        }
    };
    if flags.words().any(|word| word[0] == b'O' && word.len() > 32) {
        say(out, LONG_OPAQUE);
        return Step::Done(line.length);
    }
    match word {
        b"mg" => get(store, &flags, out),
        b"md" => delete(store, &flags, out),
        _ => arithmetic(store, &flags, out),
    }
    Step::Done(line.length)
}

/// ` k` and the key, as it was sent.
fn push_key(out: &mut Vec<u8>, key: &[u8], binary: bool) {
    out.extend_from_slice(b" k");
    if binary {
        out.extend_from_slice(BASE64_STANDARD.encode(key).as_bytes());
        out.extend_from_slice(b" b");
    } else {
        out.extend_from_slice(key);
    }
}

fn push_flag(out: &mut Vec<u8>, flag: u8, value: u64) {
    out.extend_from_slice(&[b' ', flag]);
    number::push(out, value);
}

fn push_opaque(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(word);
}

fn push_left(out: &mut Vec<u8>, store: &Store, item: &Item) {
    match store.left(item) {
        Some(left) => push_flag(out, b't', left.into()),
        None => out.extend_from_slice(b" t-1"),
    }
}

/// What every answer gives back: the opaque word and the key.
fn push_echoes(out: &mut Vec<u8>, flags: &Flags) {
    for word in flags.words() {
        match word[0] {
            b'O' => push_opaque(out, word),
            b'k' => push_key(out, flags.key(), flags.binary),
            _ => {}
        }
    }
}

fn binary_mark(flags: &Flags) -> u8 {
    if flags.binary { KEY_BINARY } else { 0 }
}

fn get(store: &mut Store, flags: &Flags, out: &mut Vec<u8>) {
    store.counts.cmd_meta += 1;
    store.counts.cmd_get += 1;
    let key = flags.key();
    let mut found = store.find(key);
    let vivified = found.is_none() && flags.vivify.is_some();
    if let Some(ttl) = flags.vivify.filter(|_| vivified) {
        let expires = store.expiry(ttl.into());
        found = Some(store.vivify(key, b"", expires));
    }
    let Some(id) = found else {
        store.counts.get_misses += 1;
        if !flags.quiet {
            out.extend_from_slice(b"EN");
            push_echoes(out, flags);
            out.extend_from_slice(b"\r\n");
        }
        return;
    };
    store.counts.get_hits += 1;
    // Without a flag that asks for the state before this fetch, the fetch counts first.
    if !flags.no_bump && !flags.is_late() {
        store.fetched(id);
    }
    let item = store.items.get(id);
    if flags.value {
        out.extend_from_slice(b"VA ");
        number::push(out, number::length(item.value().len()));
    } else {
        out.extend_from_slice(b"HD");
    }
    let won = push_item(store, id, flags, vivified, out);
    let item = store.items.get_mut(id);
    if item.is(TOKEN_SENT) {
        out.extend_from_slice(b" Z");
    }
    if item.is(STALE) {
        out.extend_from_slice(b" X");
    }
    if won || item.is(STALE) && !item.is(TOKEN_SENT) {
        out.extend_from_slice(b" W");
        item.marks |= TOKEN_SENT;
    }
    out.extend_from_slice(b"\r\n");
    if flags.value {
        out.extend_from_slice(item.value());
        out.extend_from_slice(b"\r\n");
    }
    if !flags.no_bump && flags.is_late() {
        store.fetched(id);
    }
}

/// What the flags ask of an item; whether the client is to renew it.
fn push_item(store: &mut Store, id: Id, flags: &Flags, vivified: bool, out: &mut Vec<u8>) -> bool {
    let mut won = vivified;
    for word in flags.words() {
        let item = store.items.get(id);
        match word[0] {
            b'T' => {
                let expires = store.expiry(flags.ttl.unwrap_or_default().into());
                store.items.get_mut(id).expires = expires;
            }
            b'R' => {
                let before = store.expiry(flags.renew.unwrap_or_default().into());
                won |= !vivified && !item.is(TOKEN_SENT) && item.expires != 0 && item.expires < before;
            }
            b's' => push_flag(out, b's', number::length(item.value().len())),
            b't' => push_left(out, store, item),
            b'c' => push_flag(out, b'c', item.cas),
            b'f' => push_flag(out, b'f', item.flags.into()),
            b'l' => push_flag(out, b'l', store.now.saturating_sub(item.time).into()),
            b'h' => push_flag(out, b'h', u64::from(item.is(FETCHED))),
            b'O' => push_opaque(out, word),
            b'k' => push_key(out, item.key(), item.is(KEY_BINARY)),
            _ => {}
        }
    }
    won
}

fn set(store: &mut Store, line: &Line, after: &[u8], out: &mut Vec<u8>, state: &mut State) -> Step {
    let length = number::signed(line.word(2)).and_then(announced);
    let Some(length) = length.filter(|_| line.count() > 2) else {
        say(out, BAD_FORMAT);
        return Step::Done(line.length);
    };
    if line.count() > WORDS {
        say(out, "CLIENT_ERROR options flags too long");
        return Step::Done(line.length);
    }
    let mut refuse = |out: &mut Vec<u8>, why: &str| {
        say(out, why);
        *state = State::Swallow(number::length(length) + 2);
        Step::Done(line.length)
    };
    let flags = match Flags::of(line, 3) {
        Ok(flags) => flags,
        Err(Wrong { message }) => return refuse(out, message),
    };
    let mode = match flags.mode {
        None | Some(b'S') => Mode::Set,
        Some(b'E') => Mode::Add,
        Some(b'A') => Mode::Append,
        Some(b'P') => Mode::Prepend,
        Some(b'R') => Mode::Replace,
        Some(_) => return refuse(out, "CLIENT_ERROR invalid mode for ms M token"),
    };
    if flags.words().any(|word| word[0] == b'O' && word.len() > 32) {
        return refuse(out, LONG_OPAQUE);
    }
    let key = flags.key();
    if !store.fits(key.len(), length, flags.of_client) {
        store.refuse(key);
        return refuse(out, TOO_LARGE);
    }
    let value = match data(line, after, length) {
        Data::Missing(step) => return step,
        Data::Bad => {
            say(out, BAD_CHUNK);
            return Step::Done(line.length + length + 2);
        }
        Data::Value(value) => value,
    };
    let swaps = flags.cas.is_some() && matches!(mode, Mode::Set | Mode::Replace);
    let mode = if swaps { Mode::Cas } else { mode };
    let expires = store.expiry(flags.ttl.unwrap_or_default().into());
    store.counts.cmd_meta += 1;
    let stored = store.store(&New {
        mode,
        key,
        value,
        flags: flags.of_client,
        expires,
        cas: flags.cas.unwrap_or_default(),
        may_be_stale: flags.stale && mode == Mode::Cas,
        marks: binary_mark(&flags),
    });
    let (code, cas) = match stored {
        Stored::Done(cas) => (&b"HD"[..], cas),
        Stored::Refused => (&b"NS"[..], 0),
        Stored::Exists => (&b"EX"[..], 0),
        Stored::NotFound => (&b"NF"[..], 0),
    };
    if !(flags.quiet && matches!(stored, Stored::Done(_))) {
        out.extend_from_slice(code);
        for word in flags.words() {
            match word[0] {
                b'O' => push_opaque(out, word),
                b'k' => push_key(out, key, flags.binary),
                b'c' => push_flag(out, b'c', cas),
                _ => {}
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    Step::Done(line.length + length + 2)
}

fn delete(store: &mut Store, flags: &Flags, out: &mut Vec<u8>) {
    store.counts.cmd_meta += 1;
    let code = match store.find(flags.key()) {
        None => {
            store.counts.delete_misses += 1;
            b"NF"
        }
        Some(id) if flags.cas.is_some_and(|cas| cas != store.items.get(id).cas) => {
            store.counts.delete_misses += 1;
            b"EX"
        }
        Some(id) => {
            if flags.stale {
                let expires = flags.ttl.map(|ttl| store.expiry(ttl.into()));
                store.spoil(id, expires);
            } else {
                store.remove(id);
            }
            if flags.quiet {
                return;
            }
            b"HD"
        }
    };
    out.extend_from_slice(code);
    push_echoes(out, flags);
    out.extend_from_slice(b"\r\n");
}

fn arithmetic(store: &mut Store, flags: &Flags, out: &mut Vec<u8>) {
    store.counts.cmd_meta += 1;
    let direction = match flags.mode {
        None | Some(b'I' | b'+') => Direction::Up,
        Some(b'D' | b'-') => Direction::Down,
        Some(_) => return say(out, "CLIENT_ERROR invalid mode for ma M token"),
    };
    let key = flags.key();
    let cas = flags.cas.unwrap_or_default();
    let (value, id, vivified) = match store.add_delta(key, direction, flags.delta, cas) {
        Sum::NotANumber => return say(out, NOT_NUMERIC),
        Sum::Now(value, id) => (value, id, false),
        Sum::NotFound => {
            let Some(ttl) = flags.vivify else { return push_code(out, b"NF", flags) };
            let mut digits = Vec::new();
            number::push(&mut digits, flags.initial);
            let expires = store.expiry(ttl.into());
            (flags.initial, store.vivify(key, &digits, expires), true)
        }
        Sum::Exists => return push_code(out, b"EX", flags),
    };
    let told = out.len();
    let mut digits = Vec::new();
    number::push(&mut digits, value);
    if flags.value {
        out.extend_from_slice(b"VA ");
        number::push(out, number::length(digits.len()));
    } else {
        out.extend_from_slice(b"HD");
    }
    if vivified {
        // The item has its time to live when its flag comes, and none before.
        store.items.get_mut(id).expires = 0;
    }
    for word in flags.words() {
        match word[0] {
            b'c' => push_flag(out, b'c', store.items.get(id).cas),
            b't' => push_left(out, store, store.items.get(id)),
            b'T' => store.items.get_mut(id).expires = store.expiry(flags.ttl.unwrap_or_default().into()),
            b'N' if vivified => {
                store.items.get_mut(id).expires = store.expiry(flags.vivify.unwrap_or_default().into());
            }
            b'O' => push_opaque(out, word),
            b'k' => push_key(out, key, flags.binary),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    if flags.value {
        out.extend_from_slice(&digits);
        out.extend_from_slice(b"\r\n");
    }
    if flags.quiet && !vivified {
        out.truncate(told);
    }
}

fn push_code(out: &mut Vec<u8>, code: &[u8], flags: &Flags) {
    out.extend_from_slice(code);
    push_echoes(out, flags);
    out.extend_from_slice(b"\r\n");
}

/// `me`: all that is known of an item, for people.
fn debug(store: &mut Store, line: &Line, out: &mut Vec<u8>) {
    store.counts.cmd_meta += 1;
    let decoded;
    let mut key = line.word(1);
    if line.word(2) == b"b" {
        match super::flags::decode(key) {
            Some(found) => decoded = found,
            None => return say(out, BAD_FORMAT),
        }
        key = &decoded;
    }
    let Some(id) = store.find(key) else { return say(out, "EN") };
    let item = store.items.get(id);
    out.extend_from_slice(b"ME ");
    if item.is(KEY_BINARY) {
        out.extend_from_slice(BASE64_STANDARD.encode(item.key()).as_bytes());
    } else {
        out.extend_from_slice(item.key());
    }
    let expires = match item.expires {
        0 => -1,
        expires => i64::from(store.now) - i64::from(expires),
    };
    let size = slab::size(item.key().len(), item.value().len(), item.flags);
    let told = format!(
        " exp={expires} la={} cas={} fetch={} cls={} size={size}\r\n",
        store.now.saturating_sub(item.time),
        item.cas,
        if item.is(FETCHED) { "yes" } else { "no" },
        item.class,
    );
    out.extend_from_slice(told.as_bytes());
}
