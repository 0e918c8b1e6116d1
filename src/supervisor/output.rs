//! What a process prints, cut into lines.

use std::io::Read;

/// A line longer than this is cut: nobody reads on, and memory is bounded.
const LONGEST: usize = 64 * 1024;

/// Reads to the end of `from` and gives every line, without its end, to `hear`.
pub(super) fn read_lines(mut from: impl Read, mut hear: impl FnMut(String)) {
    let mut line = Vec::new();
    let mut chunk = [0; 8192];
    // A pseudo-terminal whose last writer has gone gives an error where a pipe gives an end.
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        for byte in &chunk[..count] {
            match byte {
                b'\n' => hear(take(&mut line)),
                _ if line.len() < LONGEST => line.push(*byte),
                _ => {}
            }
        }
    }
    if !line.is_empty() {
        hear(take(&mut line));
    }
}

fn take(line: &mut Vec<u8>) -> String {
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines() {
        let mut heard = Vec::new();
        super::read_lines(&b"a\r\n\n\xffb\nlast"[..], |line| heard.push(line));
        assert_eq!(heard, ["a", "", "\u{fffd}b", "last"]);
    }
}
