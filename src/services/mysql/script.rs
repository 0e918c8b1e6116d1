//! An SQL script cut into its statements, as MySQL's own client does it: quotes, comments and `DELIMITER` lines.

/// One statement of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    pub sql: &'a [u8],
    /// Of its first character, counted from 1.
    pub line: usize,
}

/// The statements of `script`, in their order; what is empty or only a comment is left out.
pub fn statements(script: &[u8]) -> Vec<Statement<'_>> {
    let script = script.strip_prefix(b"\xef\xbb\xbf").unwrap_or(script);
    let mut found = Vec::new();
    let mut delimiter: &[u8] = b";";
    let (mut start, mut at) = (0, 0);
    while at < script.len() {
        let rest = &script[at..];
        if is_line_start(script, at)
            && is_blank(&script[start..at])
            && let Some(word) = delimiter_line(rest)
        {
            delimiter = word;
            at += line_length(rest);
            start = at;
        } else if rest.starts_with(delimiter) {
            push(&mut found, script, start, at);
            at += delimiter.len();
            start = at;
        } else {
            at += token(rest);
        }
    }
    push(&mut found, script, start, script.len());
    found
}

fn push<'a>(found: &mut Vec<Statement<'a>>, script: &'a [u8], start: usize, end: usize) {
    let mut start = start;
    // What stands before a statement is not its own; a comment with a `!` is run.
    loop {
        let rest = &script[start..end];
        match rest.first() {
            Some(byte) if byte.is_ascii_whitespace() => start += 1,
            Some(_) if is_comment(rest) => start += token(rest).min(rest.len()),
            Some(_) => break,
            None => return,
        }
    }
    let line = script[..start].split(|byte| *byte == b'\n').count();
    found.push(Statement { sql: script[start..end].trim_ascii_end(), line });
}

/// The length of what begins here and cannot hold a delimiter that counts.
fn token(rest: &[u8]) -> usize {
    match rest[0] {
        quote @ (b'\'' | b'"' | b'`') => quoted(rest, quote),
        _ if is_comment(rest) && !rest.starts_with(b"/*") => line_length(rest),
        b'/' if rest.starts_with(b"/*") => find(rest, b"*/", 2).map_or(rest.len(), |end| end + 2),
        _ => 1,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' if quote != b'`' => at += 2,
            // A doubled quote opens again at once.
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A comment that is not run: `--` wants a blank behind it.
fn is_comment(rest: &[u8]) -> bool {
    rest.starts_with(b"#")
        || rest.starts_with(b"--") && rest.get(2).is_none_or(u8::is_ascii_whitespace)
        || rest.starts_with(b"/*") && !rest.starts_with(b"/*!") && !rest.starts_with(b"/*M!")
}

fn is_line_start(script: &[u8], at: usize) -> bool {
    at == 0 || script[at - 1] == b'\n'
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// The new delimiter of a `DELIMITER` line.
fn delimiter_line(rest: &[u8]) -> Option<&[u8]> {
    let line = &rest[..line_length(rest)];
    let (word, after) = line.split_at_checked("delimiter".len())?;
    let good = word.eq_ignore_ascii_case(b"delimiter") && after.first().is_some_and(u8::is_ascii_whitespace);
    let delimiter = after.trim_ascii();
    (good && !delimiter.is_empty()).then_some(delimiter)
}

fn line_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1)
}

fn find(rest: &[u8], what: &[u8], from: usize) -> Option<usize> {
    rest.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(script: &str) -> Vec<(usize, String)> {
        let text = |statement: &Statement| String::from_utf8_lossy(statement.sql).into_owned();
        statements(script.as_bytes()).iter().map(|statement| (statement.line, text(statement))).collect()
    }

    #[test]
    fn a_script_is_cut_where_its_client_would() {
        for (script, wanted) in [
            ("a;b", vec![(1, "a"), (1, "b")]),
            ("-- x;\n\na ';' ;\n# y;\nb", vec![(3, "a ';'"), (5, "b")]),
            ("a 'it''s; \\'; ' \"x;\"\"\" `q;``` ; b;", vec![(1, "a 'it''s; \\'; ' \"x;\"\"\" `q;```"), (1, "b")]),
            ("/* a; */ b; /*!40101 SET x */;", vec![(1, "b"), (1, "/*!40101 SET x */")]),
            ("a--1;b", vec![(1, "a--1"), (1, "b")]),
            (
                "a;\nDELIMITER ;;\ncreate trigger begin x; y; end ;;\ndelimiter ;\nb;",
                vec![(1, "a"), (3, "create trigger begin x; y; end"), (5, "b")],
            ),
            ("select 'open; ", vec![(1, "select 'open;")]),
            (";;\n ; -- nothing", vec![]),
            ("\u{feff}a", vec![(1, "a")]),
        ] {
            let wanted: Vec<_> = wanted.into_iter().map(|(line, sql)| (line, sql.to_owned())).collect();
            assert_eq!(cut(script), wanted, "{script:?}");
        }
    }
}
