//! The text protocol: what each command of it answers. Facts: memcached's doc/protocol.txt, and the answers of memcached 1.6.18,
//! beside which tests/it/memcache.rs runs it.

use super::items::{Id, Item};
use super::line::Line;
use super::meta;
use super::number;
use super::session::{Keys, State, Step};
use super::stats;
use super::store::{Direction, Mode, New, Store, Stored, Sum};

/// The version whose protocol is spoken. Clients look at it.
pub(super) const VERSION: &str = "1.6.18";

pub(super) const BAD_FORMAT: &str = "CLIENT_ERROR bad command line format";
pub(super) const BAD_CHUNK: &str = "CLIENT_ERROR bad data chunk";
pub(super) const TOO_LARGE: &str = "SERVER_ERROR object too large for cache";
pub(super) const NOT_NUMERIC: &str = "CLIENT_ERROR cannot increment or decrement non-numeric value";
const BAD_EXPTIME: &str = "CLIENT_ERROR invalid exptime argument";

/// Answers one line. `after` is the input behind it: a command's data, as far as it has come.
pub(super) fn command(store: &mut Store, line: &Line, after: &[u8], out: &mut Vec<u8>, state: &mut State) -> Step {
    let count = line.count();
    let quiet = line.is_noreply();
    let answer = match line.word(0) {
        b"get" | b"bget" if count > 1 => return keys(store, line, Keys { with_cas: false, touch: None }, out, state),
        b"gets" if count > 1 => return keys(store, line, Keys { with_cas: true, touch: None }, out, state),
        b"gat" if count > 1 => return get_and_touch(store, line, false, out, state),
        b"gats" if count > 1 => return get_and_touch(store, line, true, out, state),
        b"set" if matches!(count, 5 | 6) => return update(store, line, Mode::Set, after, out, state),
        b"add" if matches!(count, 5 | 6) => return update(store, line, Mode::Add, after, out, state),
        b"replace" if matches!(count, 5 | 6) => return update(store, line, Mode::Replace, after, out, state),
        b"append" if matches!(count, 5 | 6) => return update(store, line, Mode::Append, after, out, state),
        b"prepend" if matches!(count, 5 | 6) => return update(store, line, Mode::Prepend, after, out, state),
        b"cas" if matches!(count, 6 | 7) => return update(store, line, Mode::Cas, after, out, state),
        b"mg" | b"ms" | b"md" | b"ma" | b"mn" | b"me" => return meta::command(store, line, after, out, state),
        b"incr" if matches!(count, 3 | 4) => add_delta(store, line, Direction::Up, out),
        b"decr" if matches!(count, 3 | 4) => add_delta(store, line, Direction::Down, out),
        b"delete" if (2..=4).contains(&count) => return delete(store, line, out),
        b"touch" if matches!(count, 3 | 4) => Some(touch(store, line)),
        b"flush_all" if (1..=3).contains(&count) => Some(flush(store, line)),
        b"version" => {
            out.extend_from_slice(b"VERSION ");
            say(out, VERSION);
            None
        }
        b"verbosity" if matches!(count, 2 | 3) => Some(number::unsigned(line.word(1)).map_or(BAD_FORMAT, |_| "OK")),
        b"quit" => return Step::Close,
        b"stats" => return stats::command(store, line, out, state),
        b"lru_crawler" => return crawler(line, out, state),
        b"cache_memlimit" if matches!(count, 2 | 3) => Some(memory_limit(store, line)),
        b"shutdown" => Some("ERROR: shutdown not enabled"),
        b"watch" => Some("CLIENT_ERROR watch commands not allowed"),
        b"slabs" => Some(slabs(line)),
        b"lru" => Some(lru(line)),
        _ => {
            say(out, "ERROR");
            return Step::Done(line.length);
        }
    };
    let takes_noreply = line.word(0) != b"shutdown";
    if let Some(answer) = answer
        && !(quiet && takes_noreply)
    {
        say(out, answer);
    }
    Step::Done(line.length)
}

pub(super) fn say(out: &mut Vec<u8>, answer: &str) {
    out.extend_from_slice(answer.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn is_too_long(store: &Store, key: &[u8]) -> bool {
    key.len() > store.settings.key()
}

/// Begins a `get`: its keys are read one by one from the input, whatever their number.
fn keys(store: &Store, line: &Line, keys: Keys, out: &mut Vec<u8>, state: &mut State) -> Step {
    let first = if keys.touch.is_some() { 2 } else { 1 };
    if line.words_after(first).any(|key| is_too_long(store, key)) {
        say(out, BAD_FORMAT);
        return Step::Done(line.length);
    }
    *state = State::Keys(keys);
    Step::Done(line.after(first))
}

fn get_and_touch(store: &mut Store, line: &Line, with_cas: bool, out: &mut Vec<u8>, state: &mut State) -> Step {
    let Some(ttl) = number::signed(line.word(1)) else {
        say(out, BAD_EXPTIME);
        return Step::Done(line.length);
    };
    let touch = Some(store.expiry(ttl.into()));
    keys(store, line, Keys { with_cas, touch }, out, state)
}

/// One key of a `get`.
pub(super) fn get(store: &mut Store, key: &[u8], keys: Keys, out: &mut Vec<u8>) {
    let found = match keys.touch {
        Some(expires) => store.touch(key, expires),
        None => fetch(store, key),
    };
    if let Some(id) = found {
        push_value(out, store.items.get(id), keys.with_cas);
    }
}

/// An item for a client, counted.
pub(super) fn fetch(store: &mut Store, key: &[u8]) -> Option<Id> {
    store.counts.cmd_get += 1;
    let found = store.find(key);
    match found {
        Some(id) => {
            store.counts.get_hits += 1;
            store.fetched(id);
        }
        None => store.counts.get_misses += 1,
    }
    found
}

fn push_value(out: &mut Vec<u8>, item: &Item, with_cas: bool) {
    out.reserve(item.key().len() + item.value().len() + 64);
    out.extend_from_slice(b"VALUE ");
    out.extend_from_slice(item.key());
    out.push(b' ');
    number::push(out, item.flags.into());
    out.push(b' ');
    number::push(out, number::length(item.value().len()));
    if with_cas {
        out.push(b' ');
        number::push(out, item.cas);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(item.value());
    out.extend_from_slice(b"\r\n");
}

/// The data behind a line, when all of it is there; else how the conversation goes on.
pub(super) enum Data<'a> {
    Value(&'a [u8]),
    /// It does not end where it was said to.
    Bad,
    Missing(Step),
}

/// `length` bytes and a line's end.
pub(super) fn data<'a>(line: &Line, after: &'a [u8], length: usize) -> Data<'a> {
    match after.get(..length + 2) {
        None => Data::Missing(Step::Wants(line.length + length + 2)),
        Some(block) if block.ends_with(b"\r\n") => Data::Value(&block[..length]),
        Some(_) => Data::Bad,
    }
}

fn update(store: &mut Store, line: &Line, mode: Mode, after: &[u8], out: &mut Vec<u8>, state: &mut State) -> Step {
    let quiet = line.is_noreply();
    let tell = |out: &mut Vec<u8>, answer: &str| {
        if !quiet {
            say(out, answer);
        }
    };
    let key = line.word(1);
    let cas = if mode == Mode::Cas { number::wide(line.word(5)) } else { Some(0) };
    let numbers = (number::unsigned(line.word(2)), number::signed(line.word(3)), number::signed(line.word(4)), cas);
    let (Some(flags), Some(ttl), Some(length), Some(cas)) = numbers else {
        tell(out, BAD_FORMAT);
        return Step::Done(line.length);
    };
    let Some(length) = announced(length).filter(|_| !is_too_long(store, key)) else {
        tell(out, BAD_FORMAT);
        return Step::Done(line.length);
    };
    if !store.fits(key.len(), length, flags) {
        tell(out, TOO_LARGE);
        if mode == Mode::Set {
            store.refuse(key);
        } else {
            store.counts.store_too_large += 1;
        }
        *state = State::Swallow(number::length(length) + 2);
        return Step::Done(line.length);
    }
    match data(line, after, length) {
        Data::Missing(step) => return step,
        Data::Bad => tell(out, BAD_CHUNK),
        Data::Value(value) => {
            let expires = store.expiry(ttl.into());
            let new = New { mode, key, value, flags, expires, cas, may_be_stale: false, marks: 0 };
            let answer = match store.store(&new) {
                Stored::Done(_) => "STORED",
                Stored::Refused => "NOT_STORED",
                Stored::Exists => "EXISTS",
                Stored::NotFound => "NOT_FOUND",
            };
            tell(out, answer);
        }
    }
    Step::Done(line.length + length + 2)
}

/// The length of a value that a client announces, where there can be one.
pub(super) fn announced(length: i32) -> Option<usize> {
    usize::try_from(length).ok().filter(|_| length <= i32::MAX - 2)
}

fn add_delta(store: &mut Store, line: &Line, direction: Direction, out: &mut Vec<u8>) -> Option<&'static str> {
    let key = line.word(1);
    if is_too_long(store, key) {
        return Some(BAD_FORMAT);
    }
    let Some(delta) = number::wide(line.word(2)) else {
        return Some("CLIENT_ERROR invalid numeric delta argument");
    };
    match store.add_delta(key, direction, delta, 0) {
        Sum::Now(value, _) => {
            if !line.is_noreply() {
                number::push(out, value);
                out.extend_from_slice(b"\r\n");
            }
            None
        }
        Sum::NotANumber => Some(NOT_NUMERIC),
        Sum::NotFound | Sum::Exists => Some("NOT_FOUND"),
    }
}

fn delete(store: &mut Store, line: &Line, out: &mut Vec<u8>) -> Step {
    let quiet = line.count() > 2 && line.is_noreply();
    let zero = line.word(2) == b"0";
    let valid = match line.count() {
        2 => true,
        3 => zero || quiet,
        _ => zero && quiet,
    };
    let key = line.word(1);
    let answer = if !valid {
        "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"
    } else if is_too_long(store, key) {
        BAD_FORMAT
    } else if store.delete(key) {
        "DELETED"
    } else {
        "NOT_FOUND"
    };
    if !quiet {
        say(out, answer);
    }
    Step::Done(line.length)
}

fn touch(store: &mut Store, line: &Line) -> &'static str {
    let key = line.word(1);
    if is_too_long(store, key) {
        return BAD_FORMAT;
    }
    let Some(ttl) = number::signed(line.word(2)) else { return BAD_EXPTIME };
    let expires = store.expiry(ttl.into());
    if store.touch(key, expires).is_some() { "TOUCHED" } else { "NOT_FOUND" }
}

fn flush(store: &mut Store, line: &Line) -> &'static str {
    let bare = if line.is_noreply() { 2 } else { 1 };
    let delay = if line.count() == bare { Some(0) } else { number::signed(line.word(1)) };
    let Some(delay) = delay else { return BAD_EXPTIME };
    store.flush(delay.into());
    "OK"
}

fn memory_limit(store: &mut Store, line: &Line) -> &'static str {
    match number::unsigned(line.word(1)) {
        None => "ERROR",
        Some(0..8) => "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m",
        Some(1_000_000_001..) => "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes",
        Some(megabytes) => {
            store.settings.memory = usize::try_from(megabytes).unwrap_or(usize::MAX).saturating_mul(1 << 20);
            "OK"
        }
    }
}

/// There are no slabs here to be moved.
fn slabs(line: &Line) -> &'static str {
    match (line.word(1), line.count()) {
        (b"reassign", 4) => "CLIENT_ERROR slab reassignment disabled",
        (b"automove", 3) => match number::unsigned(line.word(2)) {
            None => BAD_FORMAT,
            Some(0..=2) => "OK",
            Some(_) => "ERROR",
        },
        _ => "ERROR",
    }
}

/// There is one list of uses here; what is said of several is heard and changes nothing.
fn lru(line: &Line) -> &'static str {
    match (line.word(1), line.word(2), line.count()) {
        (b"mode", b"flat" | b"segmented", 3..) => "OK",
        (b"temp_ttl", ttl, 3..) if number::signed(ttl).is_some() => "OK",
        _ => "ERROR",
    }
}

fn crawler(line: &Line, out: &mut Vec<u8>, state: &mut State) -> Step {
    let answer = match (line.word(1), line.count()) {
        (b"metadump", 3) => {
            if matches!(line.word(2), b"all" | b"hash") {
                *state = State::Listing(0);
                return Step::Done(line.length);
            }
            "BADCLASS invalid class id"
        }
        (b"crawl", 3) | (b"enable" | b"disable", 2) => "OK",
        (b"tocrawl", 3) => number::unsigned(line.word(2)).map_or(BAD_FORMAT, |_| "OK"),
        (b"sleep", 3) => match number::unsigned(line.word(2)) {
            None => BAD_FORMAT,
            Some(0..=1_000_000) => "OK",
            Some(_) => "CLIENT_ERROR sleep must be one second or less",
        },
        _ => "ERROR",
    };
    say(out, answer);
    Step::Done(line.length)
}
