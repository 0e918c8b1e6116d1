//! Questions. Each is asked only when somebody sits there, and each has a flag that answers it.

use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Password, Select};

use super::Terminal;
use crate::problem::{Problem, Result};

fn theme(terminal: &Terminal) -> Box<dyn Theme> {
    if terminal.stderr_is_colored() { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) }
}

fn interrupted(error: dialoguer::Error) -> Problem {
    show_cursor();
    Problem::new("interrupted", "stopped while asking").because(error).exit(130)
}

/// dialoguer hides the cursor, and does not show it again when a question ends without an answer.
pub fn show_cursor() {
    let stderr = console::Term::stderr();
    if stderr.is_term() {
        // There is nobody to see it when that fails.
        let _ = stderr.show_cursor();
    }
}

/// Asks for a text that `check` accepts; its `Err` is shown and the question asked again.
pub fn ask(
    terminal: &Terminal,
    question: &str,
    default: Option<&str>,
    check: impl Fn(&str) -> std::result::Result<(), String>,
) -> Result<String> {
    terminal.still();
    let theme = theme(terminal);
    let mut input = Input::<String>::with_theme(theme.as_ref()).with_prompt(question);
    if let Some(default) = default {
        input = input.default(default.to_owned());
    }
    input.validate_with(|text: &String| check(text)).interact_text().map_err(interrupted)
}

/// Asks for what is not shown while it is typed.
pub fn ask_secret(terminal: &Terminal, question: &str) -> Result<String> {
    terminal.still();
    Password::with_theme(theme(terminal).as_ref()).with_prompt(question).interact().map_err(interrupted)
}

/// Asks for one of `choices`; the answer is its index.
pub fn choose(terminal: &Terminal, question: &str, choices: &[&str]) -> Result<usize> {
    terminal.still();
    Select::with_theme(theme(terminal).as_ref())
        .with_prompt(question)
        .items(choices)
        .default(0)
        .interact()
        .map_err(interrupted)
}

/// Asks yes or no.
pub fn confirm(terminal: &Terminal, question: &str, default: bool) -> Result<bool> {
    terminal.still();
    Confirm::with_theme(theme(terminal).as_ref()).with_prompt(question).default(default).interact().map_err(interrupted)
}
