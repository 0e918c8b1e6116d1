//! Draws a [`Problem`]: message, the line underlined, causes, verbatim detail, hints.

use std::fmt::Write as _;

use super::Paint;
use crate::problem::{Hint, Place, Problem};

/// The whole picture of a problem and of those found with it, ending in a line's end.
pub fn draw(problem: &Problem, paint: Paint) -> String {
    let mut out = String::new();
    draw_one(&mut out, problem, paint);
    for other in &problem.others {
        out.push('\n');
        draw_one(&mut out, other, paint);
    }
    let count = problem.others.len() + 1;
    if count > 1 {
        let _ = writeln!(out, "\n{} {count} problems", paint.bad("error:"));
    }
    out
}

fn draw_one(out: &mut String, problem: &Problem, paint: Paint) {
    let _ = writeln!(out, "{} {}", paint.bad("error:"), paint.marked(&problem.message));
    if let Some(place) = &problem.place {
        draw_place(out, place, paint);
    }
    for cause in &problem.causes {
        let mut lines = cause.lines();
        let _ = writeln!(out, "  {} {}", paint.dim("because:"), lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(out, "           {line}");
        }
    }
    if !problem.detail.is_empty() {
        out.push('\n');
        for line in problem.detail.trim_end().lines() {
            let _ = writeln!(out, "  {} {line}", paint.dim("|"));
        }
    }
    if !problem.hints.is_empty() {
        out.push('\n');
    }
    for hint in &problem.hints {
        let text = match hint {
            Hint::Run(command) => format!("type `{command}`"),
            Hint::Say(text) => text.clone(),
        };
        let _ = writeln!(out, "{} {}", paint.key("hint:"), paint.marked(&text));
    }
}

fn draw_place(out: &mut String, place: &Place, paint: Paint) {
    let file = place.file.display();
    let gutter = place.line.to_string().len();
    let bar = paint.dim("|");
    let _ = writeln!(out, "{:gutter$}{} {file}:{}:{}", "", paint.dim("-->"), place.line, place.column);
    if place.text.is_empty() {
        return;
    }
    // A tab is as wide as the terminal likes; shown as one blank, the mark stands under what it means.
    // Nothing in a file may steer the terminal.
    let text = place.text.replace('\t', " ").replace(char::is_control, "\u{fffd}");
    let lead: String = text.chars().take(place.column.saturating_sub(1)).collect();
    let meant: String = text.chars().skip(place.column.saturating_sub(1)).take(place.length.max(1)).collect();
    let mark = "^".repeat(console::measure_text_width(&meant).max(1));
    let _ = writeln!(out, "{:gutter$} {bar}", "");
    let _ = writeln!(out, "{} {bar} {text}", paint.dim(&place.line.to_string()));
    let indent = console::measure_text_width(&lead);
    let _ = writeln!(out, "{:gutter$} {bar} {:indent$}{}", "", "", paint.bad(&mark));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_wide_line_is_underlined_where_it_is_wrong() {
        let text = "a: 1\n名字: yes # x\n";
        let problem = Problem::new("a.b", "`名字` is no key")
            .at(Place::in_text(Path::new("app.yaml"), text, 5, 2))
            .because("it is not")
            .hint("take it out");
        insta::assert_snapshot!(draw(&problem, Paint { color: false }), @r"
        error: `名字` is no key
         --> app.yaml:2:1
          |
        2 | 名字: yes # x
          | ^^^^
          because: it is not

        hint: take it out
        ");
    }
}
