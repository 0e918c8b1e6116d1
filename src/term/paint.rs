//! Colours by meaning. Everything reads the same without them.

use console::Style;

use super::Tone;

/// Whether a stream takes colour, and which means what.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub color: bool,
}

/// Colours of processes, apart from the ones that carry a verdict.
const PROCESS: [u8; 6] = [39, 141, 180, 73, 176, 109];

impl Paint {
    fn with(self, style: Style, text: &str) -> String {
        if self.color { style.force_styling(true).apply_to(text).to_string() } else { text.to_owned() }
    }

    pub fn good(self, text: &str) -> String {
        self.with(Style::new().green().bold(), text)
    }

    pub fn bad(self, text: &str) -> String {
        self.with(Style::new().red().bold(), text)
    }

    pub fn warning(self, text: &str) -> String {
        self.with(Style::new().yellow().bold(), text)
    }

    pub fn bold(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with(Style::new().dim(), text)
    }

    /// Something to type or to open.
    pub fn key(self, text: &str) -> String {
        self.with(Style::new().cyan(), text)
    }

    pub fn tone(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Good => self.good(text),
            Tone::Plain => text.to_owned(),
            Tone::Quiet => self.dim(text),
            Tone::Warning => self.warning(text),
            Tone::Bad => self.bad(text),
            Tone::Process(n) => self.with(Style::new().color256(PROCESS[usize::from(n) % PROCESS.len()]), text),
        }
    }

    /// Colours each part in backticks as something to type; the backticks stay, so it reads the same without colour.
    pub fn marked(self, text: &str) -> String {
        if !self.color || text.matches('`').count() % 2 == 1 {
            return text.to_owned();
        }
        text.split('`')
            .enumerate()
            .map(|(n, part)| if n % 2 == 1 { self.key(&format!("`{part}`")) } else { part.to_owned() })
            .collect()
    }
}
