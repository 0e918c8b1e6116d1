//! The SQL files in an app's `databases/`, loaded into a database that has just been made.

use std::path::{Path, PathBuf};

use super::client::{Client, Fault};
use super::dump::quoted;
use super::script::statements;
use crate::problem::{Doing as _, Place, Problem, Result};

/// `schema.sql` first, then the others by their names.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = root.join("databases").read_dir() else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "sql") && path.is_file()).collect();
    files.sort_by_key(|path| (path.file_name().is_none_or(|name| name != "schema.sql"), path.clone()));
    files
}

/// Runs every statement of `files` and returns how many there were; the first that fails ends it, told by its place. `root`
/// shortens their names.
pub fn load(client: &mut Client, root: &Path, files: &[PathBuf]) -> Result<usize> {
    let mut statements = 0;
    for path in files {
        let bytes = std::fs::read(path).doing(|| format!("read `{}`", path.display()))?;
        statements += run(client, path.strip_prefix(root).unwrap_or(path), &bytes)?;
    }
    Ok(statements)
}

/// Makes the database `name` anew, with nothing in it but what the app of `root` has in `databases/`.
pub fn reset(client: &mut Client, name: &str, root: &Path) -> Result<usize> {
    let name = quoted(name);
    let made = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
    for sql in [format!("DROP DATABASE IF EXISTS {name}"), made, format!("USE {name}")] {
        client.query(sql.as_bytes()).map_err(|fault| fault.problem("could not make the database anew"))?;
    }
    load(client, root, &files(root))
}

/// Runs every statement of one script and returns how many there were.
pub fn run(client: &mut Client, name: &Path, script: &[u8]) -> Result<usize> {
    let statements = statements(script);
    for statement in &statements {
        if let Err(fault) = client.query(statement.sql) {
            let doing = format!("could not load `{}`", name.display());
            let problem = fault_at(fault, doing, name, script, statement.line);
            return Err(problem);
        }
    }
    Ok(statements.len())
}

fn fault_at(fault: Fault, doing: String, name: &Path, script: &[u8], line: usize) -> Problem {
    let problem = fault.problem(&doing);
    let text = script.split(|byte| *byte == b'\n').nth(line - 1).unwrap_or_default();
    let text: String = String::from_utf8_lossy(text).trim_end().chars().take(200).collect();
    let length = text.chars().count();
    problem.at(Place { file: name.to_owned(), line, column: 1, length, text })
}
