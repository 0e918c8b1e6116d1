//! The terminal: who is there, what they asked to see, and the only writes to stdout and stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{Event, Line, Paint, Progress, Report, Shown, Tone, Unit, draw};
use crate::problem::Problem;

/// How wide the gutter is that an event's word stands in.
const GUTTER: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Human,
    /// One JSON value a line on stdout: events first, the answer or the problem last.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug)]
pub struct Terminal {
    pub format: Format,
    pub verbosity: Verbosity,
    /// Somebody sits there who can be asked.
    pub interactive: bool,
    stdout: Paint,
    stderr: Paint,
    /// The one moving line, while there is one.
    moving: Mutex<Option<ProgressBar>>,
    /// The line at the bottom in which somebody types, while there is one: all else goes above it.
    bottom: Mutex<Option<String>>,
    animates: bool,
}

impl Terminal {
    /// `no_color` and `ci` are the environment's words of those names.
    pub fn new(format: Format, verbosity: Verbosity, color: ColorWhen, no_color: bool, ci: bool) -> Self {
        let colored = |tty: bool| Paint {
            color: match color {
                ColorWhen::Always => true,
                ColorWhen::Never => false,
                ColorWhen::Auto => tty && !no_color,
            },
        };
        let (stdin, stdout, stderr) =
            (io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            format,
            verbosity,
            interactive: stdin && stderr && !ci && format == Format::Human,
            stdout: colored(stdout),
            stderr: colored(stderr),
            moving: Mutex::new(None),
            bottom: Mutex::new(None),
            animates: stderr && !ci && format == Format::Human && verbosity >= Verbosity::Normal,
        }
    }

    /// Prints a command's answer and returns the exit code.
    pub fn answer(&self, report: &dyn Report) -> u8 {
        self.still();
        match self.format {
            Format::Human => {
                let text = report.text(self.stdout);
                if !text.is_empty() {
                    self.write_out(&text);
                }
            }
            Format::Json => match report.json() {
                Value::Object(map) if map.is_empty() => {}
                value => self.write_out(&value.to_string()),
            },
        }
        report.exit()
    }

    /// Shows why a command ended and returns the exit code.
    pub fn fail(&self, problem: &Problem) -> u8 {
        self.still();
        match self.format {
            Format::Human => self.write_err(&draw(problem, self.stderr)),
            Format::Json => self.write_out(&json!({ "error": problem }).to_string()),
        }
        problem.exit
    }

    /// Shows what happened.
    pub fn tell(&self, event: &dyn Event) {
        if self.format == Format::Json {
            return self.write_out(&event.json().to_string());
        }
        match event.show() {
            Shown::Nothing => {}
            Shown::Line(line) => self.line(&line),
            Shown::Answer(text) => {
                self.still();
                // An empty line is a line.
                self.write_out(&format!("{text}\n"));
            }
            Shown::Progress(progress) => self.moving(&progress),
            Shown::Problem(problem) => self.write_err(&draw(problem, self.stderr)),
        }
    }

    /// A line in the gutter form on stderr. With `--json` only what warns is told, as an event of that name.
    pub fn line(&self, line: &Line) {
        let loud = matches!(line.tone, Tone::Warning | Tone::Bad);
        if self.format == Format::Json {
            if loud {
                self.write_out(&json!({ "event": line.word, "text": line.text }).to_string());
            }
            return;
        }
        if self.verbosity == Verbosity::Quiet && !loud
            || self.verbosity < Verbosity::Verbose && line.word.is_empty() && line.tone == Tone::Quiet
        {
            return;
        }
        let pad = " ".repeat(GUTTER.saturating_sub(console::measure_text_width(&line.word)));
        let text = self.stderr.marked(&line.text);
        self.write_err(&format!("{pad}{} {text}\n", self.stderr.tone(line.tone, &line.word)));
    }

    /// From now on `text`, a question and what is typed to it, is the line at the bottom.
    pub fn prompt(&self, text: &str) {
        self.still();
        let mut bottom = self.bottom();
        let before = bottom.replace(text.to_owned());
        write(&format!("{}{text}", before.as_deref().map(erase).unwrap_or_default()));
    }

    /// What is typed is whole: the line stays where it is, and is the bottom no more.
    pub fn settle(&self) {
        if self.bottom().take().is_some() {
            write("\n");
        }
    }

    /// Nothing is to be typed after all.
    pub fn unprompt(&self) {
        if let Some(before) = self.bottom().take() {
            write(&erase(&before));
        }
    }

    fn bottom(&self) -> MutexGuard<'_, Option<String>> {
        self.bottom.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moving(&self, progress: &Progress) {
        if !self.animates || self.bottom().is_some() {
            return;
        }
        // A poisoned lock means another thread died while drawing; what it guards is only a picture.
        let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = moving.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let word = format!("{:>GUTTER$}", progress.word);
        let known = progress.total > 0;
        let template = match (known, progress.unit) {
            (false, _) => "{prefix} {msg} {spinner}",
            (true, Unit::Items) => "{prefix} [{bar:24}] {pos}/{len} {msg}",
            (true, Unit::Bytes) => "{prefix} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(self.stderr.key(&word));
        bar.set_message(progress.text.clone());
        if known {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    }

    pub(super) fn stderr_is_colored(&self) -> bool {
        self.stderr.color
    }

    /// Takes the moving line away, if there is one.
    pub fn still(&self) {
        let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = moving.take() {
            bar.finish_and_clear();
        }
    }

    fn write_err(&self, text: &str) {
        self.still();
        match &*self.bottom() {
            None => write(text),
            Some(bottom) => {
                let end = if text.ends_with('\n') { "" } else { "\n" };
                write(&format!("{}{text}{end}{bottom}", erase(bottom)));
            }
        }
    }

    /// A reader that has gone (`| head`) is a quiet end of the whole program.
    fn write_out(&self, text: &str) {
        let bottom = self.bottom();
        bottom.as_ref().inspect(|line| write(&erase(line)));
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
            .and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                let _ = writeln!(io::stderr(), "error: could not write to stdout: {error}");
                std::process::exit(1);
            }
            Ok(()) => {}
        }
        bottom.as_ref().inspect(|line| write(line));
    }
}

fn write(text: &str) {
    // Nobody reads stderr any more: there is nobody left to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What takes a line away again that ends at the cursor, in as many rows as it has.
fn erase(line: &str) -> String {
    let columns = usize::from(console::Term::stderr().size().1.max(1));
    match console::measure_text_width(line).saturating_sub(1) / columns {
        0 => "\r\x1b[J".to_owned(),
        rows => format!("\x1b[{rows}A\r\x1b[J"),
    }
}
