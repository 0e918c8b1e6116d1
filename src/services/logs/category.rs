//! One log file for each category that Scribe's clients name.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use super::file::LogFile;
use super::scribe::Entry;

/// More categories share one.
const MOST: usize = 100;
const OTHERS: &str = "others";

#[derive(Debug)]
pub struct Categories {
    folder: PathBuf,
    files: HashMap<String, LogFile>,
}

impl Categories {
    /// In `folder`, which is made with the first entry.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, files: HashMap::new() }
    }

    /// A message of several lines becomes several; what it is not text of shows as such.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut name = name(&entry.category);
        if !self.files.contains_key(&name) {
            if self.files.len() >= MOST {
                OTHERS.clone_into(&mut name);
            }
            std::fs::create_dir_all(&self.folder)?;
            let file = LogFile::open(&self.folder.join(format!("{name}.log")))?;
            self.files.insert(name.clone(), file);
        }
        let Some(file) = self.files.get_mut(&name) else { return Ok(()) };
        let text = String::from_utf8_lossy(&entry.message);
        for line in text.trim_end_matches(['\n', '\r']).split('\n') {
            file.write(line)?;
        }
        Ok(())
    }
}

/// A category's name for a file: nothing that leads elsewhere.
fn name(category: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = category.chars().take(64).map(safe).collect();
    if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_a_file_in_its_folder() {
        for (category, file) in [("app", "app"), ("../../x", "_.._.._x"), ("", "_"), ("a/b\0c", "a_b_c"), ("你", "_")]
        {
            assert_eq!(name(category), file);
        }
        let dir = tempfile::tempdir().unwrap();
        let mut categories = Categories::new(dir.path().join("scribe"));
        for number in 0..MOST + 5 {
            let entry = Entry { category: format!("c{number}"), message: b"one\ntwo\n".to_vec() };
            categories.write(&entry).unwrap();
        }
        let text = std::fs::read_to_string(dir.path().join("scribe/c7.log")).unwrap();
        assert_eq!(text.lines().map(|line| &line[25..]).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(std::fs::read_dir(dir.path().join("scribe")).unwrap().count(), MOST + 1);
    }
}
