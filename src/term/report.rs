//! What a command answers: one value, for a person on stdout or as one JSON object.

use serde::Serialize;
use serde_json::Value;

use super::Paint;

/// The wording of an answer.
pub trait Text {
    /// What a person reads, without the last line's end; empty prints nothing.
    fn text(&self, paint: Paint) -> String;

    /// The exit code; 0 unless the answer itself is a "no" or a child's own code.
    fn exit(&self) -> u8 {
        0
    }
}

/// A command's answer. Comes by itself with [`Text`] and `Serialize`.
pub trait Report {
    fn text(&self, paint: Paint) -> String;
    fn json(&self) -> Value;
    fn exit(&self) -> u8;
}

impl<T: Text + Serialize> Report for T {
    fn text(&self, paint: Paint) -> String {
        Text::text(self, paint)
    }

    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|error| Value::String(error.to_string()))
    }

    fn exit(&self) -> u8 {
        Text::exit(self)
    }
}

/// The answer of a command whose story was already told; carries an exit code.
#[derive(Debug, Default, Serialize)]
pub struct Done {
    #[serde(skip)]
    pub exit: u8,
}

impl Text for Done {
    fn text(&self, _: Paint) -> String {
        String::new()
    }

    fn exit(&self) -> u8 {
        self.exit
    }
}
