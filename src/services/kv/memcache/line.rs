//! One command line, cut into words.

/// So many words are told apart, as memcached does; a `get` may have more keys, which are read as they come.
const WORDS: usize = 23;

#[derive(Debug)]
pub(super) struct Line<'a> {
    words: [&'a [u8]; WORDS],
    count: usize,
    input: &'a [u8],
    /// Bytes of the input, the line's end among them.
    pub length: usize,
}

impl<'a> Line<'a> {
    /// `length` is that of the whole line with its newline. What follows a NUL is not seen.
    pub(super) fn of(input: &'a [u8], length: usize) -> Self {
        let text = content(&input[..length]);
        let mut line = Self { words: [&[]; WORDS], count: 0, input, length };
        for word in text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).take(WORDS) {
            line.words[line.count] = word;
            line.count += 1;
        }
        line
    }

    pub(super) fn words(&self) -> &[&'a [u8]] {
        &self.words[..self.count]
    }

    /// A word, or nothing.
    pub(super) fn word(&self, index: usize) -> &'a [u8] {
        self.words.get(index).copied().unwrap_or_default()
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Where in the input the first words end.
    pub(super) fn after(&self, words: usize) -> usize {
        let last = self.words()[..words.min(self.count)].last();
        last.map_or(0, |word| word.as_ptr().addr() - self.input.as_ptr().addr() + word.len())
    }

    /// All words behind the first ones, however many there are.
    pub(super) fn words_after(&self, words: usize) -> impl Iterator<Item = &'a [u8]> {
        content(&self.input[self.after(words)..self.length]).split(|byte| *byte == b' ').filter(|word| !word.is_empty())
    }

    /// The last word is `noreply`.
    pub(super) fn is_noreply(&self) -> bool {
        self.words().last().is_some_and(|word| *word == b"noreply")
    }
}

/// A line without its end; an empty line keeps its `\r`.
pub(super) fn content(line: &[u8]) -> &[u8] {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = if text.len() > 1 { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
    text.iter().position(|byte| *byte == 0).map_or(text, |nul| &text[..nul])
}

/// Where the first newline is.
pub(super) fn newline(input: &[u8]) -> Option<usize> {
    // The standard library looks at bytes one by one; lines are short, so that is good enough.
    input.iter().position(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_blanks() {
        for (input, words) in [
            ("get a\r\n", vec!["get", "a"]),
            ("  set  k 0\n", vec!["set", "k", "0"]),
            ("set k 0 0 1 \r\n", vec!["set", "k", "0", "0", "1"]),
            ("\r\n", vec!["\r"]),
            ("\n", vec![]),
            ("get a\0 b\r\n", vec!["get", "a"]),
            ("get\ta\r\n", vec!["get\ta"]),
        ] {
            let line = Line::of(input.as_bytes(), input.len());
            let found: Vec<_> = line.words().iter().map(|word| std::str::from_utf8(word).unwrap()).collect();
            assert_eq!(found, words, "{input:?}");
            for (index, word) in words.iter().enumerate() {
                assert!(input[..line.after(index + 1)].ends_with(word));
            }
        }
    }
}
