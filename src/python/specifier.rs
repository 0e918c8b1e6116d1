//! Versions and what is asked of them, checked as PEP 440 has it: `>=3,<4`, `~=1.4`, `==2.*`. Compares nothing.

use std::sync::OnceLock;

use regex_lite::Regex;

const OPERATORS: [&str; 8] = ["===", "==", "!=", "<=", ">=", "~=", "<", ">"];

/// Whether `part` is one such demand; why not, otherwise.
pub fn check(part: &str) -> Result<(), String> {
    let Some(operator) = OPERATORS.iter().find(|operator| part.starts_with(**operator)) else {
        return Err(match part.chars().next() {
            Some('=') if part.starts_with("=>") || part.starts_with("=<") => {
                format!("`{}` is written `{}=`", &part[..2], &part[1..2])
            }
            Some('=') => "one version is named with `==`".to_owned(),
            None => "nothing stands between two commas".to_owned(),
            _ => format!("`{part}` is no version"),
        });
    };
    let version = part[operator.len()..].trim();
    let none = || Err(format!("`{part}` names no version"));
    match *operator {
        // Compared letter by letter.
        "===" if !version.is_empty() && !version.contains(|c: char| c == '=' || c.is_whitespace()) => Ok(()),
        "==" | "!=" => {
            let bare = version.strip_suffix(".*").unwrap_or(version);
            let open = bare.len() < version.len();
            if is_version(bare) && !(open && (bare.contains('+') || bare.to_lowercase().contains("dev"))) {
                Ok(())
            } else {
                none()
            }
        }
        "===" => none(),
        _ if version.ends_with(".*") && is_version(&version[..version.len() - 2]) => {
            Err(format!("`.*` goes with `==` and `!=` only, not with `{operator}`"))
        }
        _ if !is_version(version) || version.contains('+') => none(),
        "~=" if !version.contains('.') => Err(format!("`{part}` needs two numbers: `{part}.0`")),
        _ => Ok(()),
    }
}

fn is_version(text: &str) -> bool {
    static VERSION: OnceLock<Option<Regex>> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let pre = r"[-_.]?(a|b|c|rc|alpha|beta|pre|preview)([-_.]?\d+)?";
        let post = r"-\d+|[-_.]?(post|rev|r)([-_.]?\d+)?";
        let dev = r"[-_.]?dev([-_.]?\d+)?";
        let local = r"\+[a-z0-9]+([-_.][a-z0-9]+)*";
        Regex::new(&format!(r"(?i)^v?(\d+!)?\d+(\.\d+)*({pre})?({post})?({dev})?({local})?$")).ok()
    });
    version.as_ref().is_some_and(|version| version.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demands_are_told_from_slips() {
        for good in [
            "==1",
            ">=1.0",
            "~=1.4",
            "== 2.*",
            "!=1.5.*",
            "===whatever",
            "<2!1.0",
            ">1.0a1",
            "==1.0.post2.dev3",
            "==1.0+local.7",
            "==v1",
            "==1.0-1",
            "==1.0-beta.2",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let said = ["=1", "=>1", "==", ">=1.*", "~=1", ">=1+x", "==1.0.x", "==1.0+x.*", "1.0", "===", ""]
            .map(|bad| check(bad).unwrap_err());
        insta::assert_snapshot!(said.join("\n"), @"
        one version is named with `==`
        `=>` is written `>=`
        `==` names no version
        `.*` goes with `==` and `!=` only, not with `>=`
        `~=1` needs two numbers: `~=1.0`
        `>=1+x` names no version
        `==1.0.x` names no version
        `==1.0+x.*` names no version
        `1.0` is no version
        `===` names no version
        nothing stands between two commas
        ");
    }
}
