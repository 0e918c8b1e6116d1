//! The only place that writes to stdout and stderr. Work returns a [`Report`] and sends [`Event`]s; nothing here knows what
//! the work was.

mod diagnostics;
mod edit;
mod event;
mod keys;
mod paint;
mod prompt;
mod raw;
mod report;
mod terminal;

pub use diagnostics::draw;
pub use edit::{Edit, Typed};
pub use event::{Event, Line, Progress, Shown, Tone, Unit};
pub use keys::{Keys, give_back, terminal_mode};
pub use paint::Paint;
pub use prompt::{ask, ask_secret, choose, confirm, show_cursor};
pub use raw::Raw;
pub use report::{Done, Report, Text};
pub use terminal::{ColorWhen, Format, Terminal, Verbosity};
