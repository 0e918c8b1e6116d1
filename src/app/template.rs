//! `static_files`: a path in which `\1` or `\g<name>` stands for a group of the handler's `url`, as Python's `expand` has it.

use regex::Regex;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// What this group matched; nothing where it took no part.
    Group(usize),
}

/// The pieces of `template`, whose groups are those of `url`; or what is wrong with it.
pub fn pieces(template: &str, url: &Regex) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('\\') {
            text.push('\\');
            rest = after;
            continue;
        }
        let (group, after) = group(after, url)?;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Group(group));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// The group meant at the beginning of `text`, which follows a `\`, and the rest.
fn group<'t>(text: &'t str, url: &Regex) -> Result<(usize, &'t str), String> {
    let (name, rest) = if let Some(found) = text.strip_prefix("g<").and_then(|text| text.split_once('>')) {
        found
    } else {
        let digits = text.chars().take(2).take_while(char::is_ascii_digit).count();
        text.split_at(digits)
    };
    let number = match name.parse::<usize>() {
        Ok(0) | Err(_) if name.starts_with('0') => None,
        Ok(number) => Some(number),
        Err(_) => url.capture_names().position(|known| known == Some(name)),
    };
    let groups = url.captures_len() - 1;
    match number {
        Some(number) if number <= groups => Ok((number, rest)),
        _ => Err(match (name, groups) {
            ("", _) => "a `\\` wants the number of a group after it".to_owned(),
            (name, 0) => format!("`\\{name}` stands for a group, and `url` has none"),
            (name, 1) => format!("`\\{name}` stands for a group, and `url` has only one"),
            (name, groups) => format!("`\\{name}` stands for a group, and `url` has {groups}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_checked() {
        let url = crate::app::pattern::whole("/(?P<kind>a|b)/(.*)").unwrap();
        let said = |template: &str| pieces(template, &url).map_or_else(|why| why, |pieces| format!("{pieces:?}"));
        insta::assert_snapshot!([r"s/\1/\2", r"\g<kind>.css", "plain", r"\\x", r"\3", r"\g<no>", r"a\", r"\0"].map(said).join("\n"), @r#"
        [Text("s/"), Group(1), Text("/"), Group(2)]
        [Group(1), Text(".css")]
        [Text("plain")]
        [Text("\\x")]
        `\3` stands for a group, and `url` has 2
        `\no` stands for a group, and `url` has 2
        a `\` wants the number of a group after it
        `\0` stands for a group, and `url` has 2
        "#);
    }
}
