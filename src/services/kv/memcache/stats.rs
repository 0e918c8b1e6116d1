//! What a memcached tells about itself, and the listing of its items.

use std::io::Write as _;

use super::clock::Clock;
use super::items::FETCHED;
use super::line::Line;
use super::number;
use super::session::{State, Step};
use super::slab;
use super::store::Store;
use super::text::{VERSION, say};

pub(super) fn command(store: &mut Store, line: &Line, out: &mut Vec<u8>, _: &mut State) -> Step {
    match (line.word(1), line.count()) {
        (_, 1) => {
            general(store, &mut |name, value| push(out, name, value));
            say(out, "END");
        }
        (b"reset", _) => {
            store.counts.reset();
            say(out, "RESET");
        }
        (b"settings", _) => {
            settings(store, &mut |name, value| push(out, name, value));
            say(out, "END");
        }
        (b"items", _) => {
            items(store, &mut |name, value| push(out, name, value));
            say(out, "END");
        }
        (b"slabs", _) => {
            slabs(store, &mut |name, value| push(out, name, value));
            say(out, "END");
        }
        (b"sizes", _) => {
            push(out, "sizes_status", "disabled");
            say(out, "END");
        }
        (b"conns", _) => say(out, "END"),
        (b"detail", _) => match line.word(2) {
            b"on" | b"off" => say(out, "OK"),
            b"dump" => say(out, "END"),
            _ => say(out, "CLIENT_ERROR usage: stats detail on|off|dump"),
        },
        (b"cachedump", _) => cachedump(store, line, out),
        _ => say(out, "ERROR"),
    }
    Step::Done(line.length)
}

fn push(out: &mut Vec<u8>, name: &str, value: &str) {
    // Writing to memory does not fail.
    let _ = write!(out, "STAT {name} {value}\r\n");
}

/// Of one kind: all that is told, name by name.
pub(super) fn of(store: &Store, kind: &[u8], tell: &mut dyn FnMut(&str, &str)) -> bool {
    match kind {
        b"" => general(store, tell),
        b"settings" => settings(store, tell),
        b"items" => items(store, tell),
        b"slabs" => slabs(store, tell),
        b"sizes" => tell("sizes_status", "disabled"),
        _ => return false,
    }
    true
}

fn general(store: &Store, tell: &mut dyn FnMut(&str, &str)) {
    let counts = &store.counts;
    tell("pid", &std::process::id().to_string());
    tell("uptime", &Clock::uptime(store.now).to_string());
    tell("time", &store.clock.unix(store.now).to_string());
    tell("version", VERSION);
    tell("emulator", concat!("dae/", env!("CARGO_PKG_VERSION")));
    tell("pointer_size", &usize::BITS.to_string());
    if let Some([user, system]) = rusage() {
        tell("rusage_user", &user);
        tell("rusage_system", &system);
    }
    let bytes: u64 = (0..store.items.slots())
        .filter_map(|slot| store.items.nth(slot))
        .map(|id| store.items.get(id))
        .map(|item| number::length(slab::size(item.key().len(), item.value().len(), item.flags)))
        .sum();
    for (name, value) in [
        ("max_connections", number::length(store.settings.connections)),
        ("curr_connections", counts.connections),
        ("total_connections", counts.total_connections),
        ("rejected_connections", counts.rejected_connections),
        ("connection_structures", counts.connections),
        ("cmd_get", counts.cmd_get),
        ("cmd_set", counts.cmd_set),
        ("cmd_flush", counts.cmd_flush),
        ("cmd_touch", counts.cmd_touch),
        ("cmd_meta", counts.cmd_meta),
        ("get_hits", counts.get_hits),
        ("get_misses", counts.get_misses),
        ("get_expired", counts.get_expired),
        ("get_flushed", counts.get_flushed),
        ("delete_misses", counts.delete_misses),
        ("delete_hits", counts.delete_hits),
        ("incr_misses", counts.incr_misses),
        ("incr_hits", counts.incr_hits),
        ("decr_misses", counts.decr_misses),
        ("decr_hits", counts.decr_hits),
        ("cas_misses", counts.cas_misses),
        ("cas_hits", counts.cas_hits),
        ("cas_badval", counts.cas_badval),
        ("touch_hits", counts.touch_hits),
        ("touch_misses", counts.touch_misses),
        ("store_too_large", counts.store_too_large),
        ("store_no_memory", 0),
        ("auth_cmds", 0),
        ("auth_errors", 0),
        ("bytes_read", counts.bytes_read),
        ("bytes_written", counts.bytes_written),
        ("limit_maxbytes", number::length(store.settings.memory)),
        ("accepting_conns", 1),
        ("listen_disabled_num", 0),
        ("threads", 1),
        ("hash_power_level", store.items.buckets().ilog2().into()),
        ("hash_bytes", number::length(store.items.buckets() * size_of::<u32>())),
        ("bytes", bytes),
        ("curr_items", number::length(store.items.count())),
        ("total_items", counts.total_items),
        ("evicted_unfetched", counts.evicted_unfetched),
        ("evictions", counts.evictions),
        ("reclaimed", counts.reclaimed),
    ] {
        tell(name, &value.to_string());
    }
}

/// Seconds of this process's own and of the system's for it; where there is no `/proc`, it is not told.
fn rusage() -> Option<[String; 2]> {
    /// Ticks a second, on every Linux.
    const TICKS: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut times = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut seconds = || {
        let ticks: u64 = times.next()?.parse().ok()?;
        Some(format!("{}.{:02}0000", ticks / TICKS, ticks % TICKS))
    };
    Some([seconds()?, seconds()?])
}

fn settings(store: &Store, tell: &mut dyn FnMut(&str, &str)) {
    for (name, value) in [
        ("maxbytes", store.settings.memory),
        ("maxconns", store.settings.connections),
        ("item_size_max", store.settings.item),
        ("key_size_max", store.settings.key()),
    ] {
        tell(name, &value.to_string());
    }
    for (name, value) in [
        ("evictions", "on"),
        ("growth_factor", "1.25"),
        ("chunk_size", "48"),
        ("num_threads", "1"),
        ("stat_key_prefix", ":"),
        ("detail_enabled", "no"),
        ("cas_enabled", "yes"),
        ("binding_protocol", "auto-negotiate"),
        ("auth_enabled_sasl", "no"),
        ("auth_enabled_ascii", "no"),
        ("maxconns_fast", "yes"),
        ("slab_reassign", "no"),
        ("lru_crawler", "yes"),
        ("flush_enabled", "yes"),
        ("dump_enabled", "yes"),
        ("hash_algorithm", "siphash13"),
        ("lru_segmented", "no"),
    ] {
        tell(name, value);
    }
}

/// How many items each class has, and their bytes.
fn classes(store: &Store) -> Vec<(u8, u64, u64)> {
    let mut found = vec![(0, 0); 256];
    for id in (0..store.items.slots()).filter_map(|slot| store.items.nth(slot)) {
        let item = store.items.get(id);
        let entry = &mut found[usize::from(item.class)];
        entry.0 += 1;
        entry.1 += number::length(slab::size(item.key().len(), item.value().len(), item.flags));
    }
    let class = |(class, (count, bytes)): (usize, (u64, u64))| Some((u8::try_from(class).ok()?, count, bytes));
    found.into_iter().enumerate().filter(|(_, (count, _))| *count > 0).filter_map(class).collect()
}

fn items(store: &Store, tell: &mut dyn FnMut(&str, &str)) {
    for (class, count, bytes) in classes(store) {
        tell(&format!("items:{class}:number"), &count.to_string());
        tell(&format!("items:{class}:mem_requested"), &bytes.to_string());
    }
}

fn slabs(store: &Store, tell: &mut dyn FnMut(&str, &str)) {
    let classes = classes(store);
    for (class, count, _) in &classes {
        tell(&format!("{class}:chunk_size"), &slab::chunk(*class).to_string());
        tell(&format!("{class}:used_chunks"), &count.to_string());
    }
    tell("active_slabs", &classes.len().to_string());
    tell("total_malloced", &store.items.memory().to_string());
}

/// `stats cachedump CLASS LIMIT`.
fn cachedump(store: &Store, line: &Line, out: &mut Vec<u8>) {
    const CLASSES: u32 = 64;
    /// As much as one answer may have.
    const ROOM: usize = 2 << 20;
    if line.count() < 4 {
        return say(out, "CLIENT_ERROR bad command line");
    }
    let (Some(class), Some(limit)) = (number::unsigned(line.word(2)), number::unsigned(line.word(3))) else {
        return say(out, super::text::BAD_FORMAT);
    };
    if class >= CLASSES {
        return say(out, "CLIENT_ERROR Illegal slab id");
    }
    let limit = if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let found = (0..store.items.slots())
        .filter_map(|slot| store.items.nth(slot))
        .map(|id| store.items.get(id))
        .filter(|item| u32::from(item.class) == class && !store.is_gone(item))
        .take(limit);
    let begin = out.len();
    for item in found {
        if out.len() - begin > ROOM {
            break;
        }
        out.extend_from_slice(b"ITEM ");
        out.extend_from_slice(item.key());
        let expires = if item.expires == 0 { 0 } else { store.clock.unix(item.expires) };
        let _ = write!(out, " [{} b; {expires} s]\r\n", item.value().len());
    }
    say(out, "END");
}

/// Lists items from a slot on, until `out` is `full`; the slot to go on with, or the end is told.
pub(super) fn listing(store: &Store, from: usize, full: usize, out: &mut Vec<u8>) -> Option<usize> {
    for slot in from..store.items.slots() {
        if out.len() >= full {
            return Some(slot);
        }
        let Some(id) = store.items.nth(slot) else { continue };
        let item = store.items.get(id);
        if store.is_gone(item) {
            continue;
        }
        out.extend_from_slice(b"key=");
        for byte in item.key() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(*byte);
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        let expires = match item.expires {
            0 => -1,
            expires => store.clock.unix(expires).cast_signed(),
        };
        let _ = writeln!(
            out,
            " exp={expires} la={} cas={} fetch={} cls={} size={}",
            store.clock.unix(item.time),
            item.cas,
            if item.is(FETCHED) { "yes" } else { "no" },
            item.class,
            slab::size(item.key().len(), item.value().len(), item.flags)
        );
    }
    out.extend_from_slice(b"END\r\n");
    None
}
