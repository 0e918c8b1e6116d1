//! The data of all services of an app together: saved under a name, brought back, thrown away. Nobody may work on it meanwhile.
//!
//! What takes another's place is made whole aside and written out first. The two moves of a restore (the services' data, the
//! permanent files) are noted before the first and finished by the next start, should the machine go down between them.

mod control;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use control::{Control, SOCKET, ask, listen};

use super::copy::{copy, into_place, make_private, remove, sync};
use crate::problem::{Doing as _, Problem, Result};

/// What is done to the state of services that stand still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub enum Order {
    /// `again`: one of that name is replaced.
    Save {
        name: String,
        again: bool,
    },
    Restore {
        name: String,
    },
    Reset,
}

/// A saved state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub name: String,
    pub saved: Timestamp,
    pub bytes: u64,
}

/// Where an app's data is, and where its saved states are.
#[derive(Debug, Clone)]
pub struct States {
    /// What the services keep.
    pub data: PathBuf,
    /// The permanent files, where the app has a folder for them.
    pub permdir: Option<PathBuf>,
    /// On the same disk as `data`.
    pub folder: PathBuf,
}

const DATA: &str = "data";
const PERMDIR: &str = "permdir";
/// A restore that was begun, below the states' folder.
const RESTORING: &str = ".restoring";
/// In it: it is whole, and takes its place from now on.
const READY: &str = "ready";
const LONGEST_NAME: usize = 100;

impl Order {
    /// In the past, for whoever wants to know why everything stood still.
    pub fn told(&self) -> String {
        match self {
            Self::Save { name, .. } => format!("`{name}` saved"),
            Self::Restore { name } => format!("`{name}` restored"),
            Self::Reset => "everything begins anew".into(),
        }
    }
}

impl States {
    /// For the services whose data is in `data`.
    pub fn of(data: &Path, permdir: Option<PathBuf>) -> Self {
        let folder = data.with_file_name("states");
        Self { data: data.to_owned(), permdir, folder }
    }

    /// Why an order cannot be done, as far as that is known before anything stands still.
    pub fn refuse(&self, order: &Order) -> Result<()> {
        match order {
            Order::Save { name, again } if self.place(name)?.exists() && !again => {
                Err(Problem::new("state.there", format!("there is a state `{name}` already"))
                    .try_running(format!("dae state save --again {name}")))
            }
            Order::Restore { name } if !self.place(name)?.is_dir() => {
                let known = self.list()?.into_iter().map(|state| state.name).collect::<Vec<_>>().join(", ");
                let problem = Problem::new("state.unknown", format!("there is no state `{name}`"));
                Err(if known.is_empty() {
                    problem.try_running("dae state save NAME")
                } else {
                    problem.hint(format!("there are: {known}"))
                })
            }
            _ => Ok(()),
        }
    }

    pub fn run(&self, order: &Order) -> Result<()> {
        self.finish()?;
        self.refuse(order)?;
        match order {
            Order::Save { name, .. } => self.save(name),
            Order::Restore { name } => self.restore(name),
            Order::Reset => self.reset(),
        }
    }

    /// Copies what is here to where `other` has it and nothing is yet: whole or not at all.
    pub fn copy_to(&self, other: &Self) -> Result<()> {
        for ((_, from), (_, to)) in self.parts().into_iter().zip(other.parts()).rev() {
            into_place(&to, |aside| if from.is_dir() { copy(&from, aside) } else { Ok(()) })?;
        }
        Ok(())
    }

    fn save(&self, name: &str) -> Result<()> {
        let place = self.place(name)?;
        make_private(&self.folder)?;
        let doing = || format!("save the state `{name}`");
        let aside = tempfile::Builder::new().prefix(".making-").tempdir_in(&self.folder).doing(doing)?;
        let whole = aside.path().join("whole");
        for (part, from) in self.parts() {
            let to = whole.join(part);
            make_private(&to)?;
            if from.is_dir() {
                copy(&from, &to)?;
            }
        }
        sync(&whole)?;
        if place.exists() {
            std::fs::rename(&place, aside.path().join("before")).doing(doing)?;
        }
        std::fs::rename(&whole, &place).doing(doing)?;
        sync_folder(&self.folder)
    }

    fn restore(&self, name: &str) -> Result<()> {
        let place = self.place(name)?;
        let restoring = self.folder.join(RESTORING);
        remove(&restoring)?;
        for (part, _) in self.parts() {
            let to = restoring.join("new").join(part);
            make_private(&to)?;
            let from = place.join(part);
            if from.is_dir() {
                copy(&from, &to)?;
            }
        }
        self.replace(&restoring)
    }

    fn reset(&self) -> Result<()> {
        make_private(&self.folder)?;
        let restoring = self.folder.join(RESTORING);
        remove(&restoring)?;
        for (part, _) in self.parts() {
            make_private(&restoring.join("new").join(part))?;
        }
        self.replace(&restoring)
    }

    /// Has what is whole in `restoring` take its place.
    fn replace(&self, restoring: &Path) -> Result<()> {
        sync(&restoring.join("new"))?;
        let ready = restoring.join(READY);
        std::fs::write(&ready, "").doing(|| format!("write `{}`", ready.display()))?;
        sync_folder(restoring)?;
        sync_folder(&self.folder)?;
        self.finish()
    }

    /// Finishes a restore that was begun; without one nothing happens.
    pub fn finish(&self) -> Result<()> {
        let restoring = self.folder.join(RESTORING);
        if !restoring.join(READY).exists() {
            return Ok(());
        }
        for (part, place) in self.parts() {
            let new = restoring.join("new").join(part);
            if new.is_dir() {
                take_place(&new, &place, &restoring.join("old").join(part))?;
            }
        }
        remove(&restoring)
    }

    pub fn list(&self) -> Result<Vec<State>> {
        let entries = match self.folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.doing(|| format!("read `{}`", self.folder.display()))?,
        };
        let mut states = Vec::new();
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(meta) = entry.metadata() else { continue };
            if name.starts_with('.') || !meta.is_dir() {
                continue;
            }
            let saved =
                meta.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
            states.push(State { name, saved, bytes: size(&entry.path()) });
        }
        states.sort_by(|a, b| a.saved.cmp(&b.saved).then_with(|| a.name.cmp(&b.name)));
        Ok(states)
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let place = self.place(name)?;
        if !place.is_dir() {
            return Err(
                Problem::new("state.unknown", format!("there is no state `{name}`")).try_running("dae state list")
            );
        }
        // Half of a state must not look like one.
        let aside = self.folder.join(format!(".removing-{name}"));
        std::fs::rename(&place, &aside).doing(|| format!("remove `{}`", place.display()))?;
        remove(&aside)
    }

    fn parts(&self) -> Vec<(&'static str, PathBuf)> {
        let permdir = self.permdir.iter().map(|permdir| (PERMDIR, permdir.clone()));
        std::iter::once((DATA, self.data.clone())).chain(permdir).collect()
    }

    fn place(&self, name: &str) -> Result<PathBuf> {
        let good = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && !name.starts_with(['.', '-'])
            && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
        if good {
            return Ok(self.folder.join(name));
        }
        Err(Problem::new("state.bad-name", format!("`{name}` cannot be the name of a state"))
            .hint("letters, digits, `.`, `_` and `-`, as in `before-migration`")
            .exit(2))
    }
}

/// Moves `new` to `place`, and what is there to `old`. Done again after half of it, it does the rest.
fn take_place(new: &Path, place: &Path, old: &Path) -> Result<()> {
    let doing = || format!("put `{}` in its place", place.display());
    // A link stays one: what it leads to is replaced.
    let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
    for folder in [old.parent(), place.parent()].into_iter().flatten() {
        make_private(folder)?;
    }
    let moved = match std::fs::rename(&place, old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if old.is_dir() && !place.exists() => Err(error),
        other => other,
    };
    match moved.and_then(|()| std::fs::rename(new, &place)) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            // On another disk nothing can be moved at once.
            remove(&place)?;
            make_private(&place)?;
            copy(new, &place)?;
            sync(&place)?;
            remove(new)
        }
        other => other.doing(doing),
    }?;
    place.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(folder: &Path) -> Result<()> {
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .doing(|| format!("write out `{}`", folder.display()))
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(root: &Path) -> States {
        let (data, permdir) = (root.join(".dae/data"), root.join("permdir"));
        std::fs::create_dir_all(data.join("mysql")).unwrap();
        std::fs::create_dir_all(&permdir).unwrap();
        States::of(&data, Some(permdir))
    }

    fn write(states: &States, text: &str) {
        std::fs::write(states.data.join("mysql/rows"), text).unwrap();
        std::fs::write(states.permdir.as_ref().unwrap().join("file"), text).unwrap();
    }

    fn read(states: &States) -> [Option<String>; 2] {
        [states.data.join("mysql/rows"), states.permdir.as_ref().unwrap().join("file")]
            .map(|path| std::fs::read_to_string(path).ok())
    }

    fn save(name: &str, again: bool) -> Order {
        Order::Save { name: name.into(), again }
    }

    #[test]
    fn a_state_comes_back_whole() {
        let dir = tempfile::tempdir().unwrap();
        let states = states(dir.path());
        write(&states, "one");
        states.run(&save("a", false)).unwrap();
        write(&states, "two");
        assert_eq!(states.run(&save("a", false)).unwrap_err().code, "state.there");
        states.run(&Order::Restore { name: "a".into() }).unwrap();
        assert_eq!(read(&states), [Some("one".into()), Some("one".into())]);
        states.run(&Order::Reset).unwrap();
        assert_eq!(read(&states), [None, None]);
        assert_eq!(states.run(&Order::Restore { name: "b".into() }).unwrap_err().code, "state.unknown");
        let names: Vec<_> = states.list().unwrap().into_iter().map(|state| state.name).collect();
        assert_eq!(names, ["a"]);
        states.remove("a").unwrap();
        assert_eq!(states.list().unwrap(), []);
        assert_eq!(states.folder.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "..", ".x", "a/b", "-f", "a b"] {
            assert_eq!(states(dir.path()).run(&save(name, false)).unwrap_err().code, "state.bad-name", "{name}");
        }
    }

    #[test]
    fn a_restore_that_was_cut_short_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let states = states(dir.path());
        write(&states, "one");
        states.run(&save("a", false)).unwrap();
        write(&states, "two");
        // As it is after each of the steps: nothing moved; the old one moved; the first part in place.
        for steps in 0..3 {
            write(&states, "two");
            let restoring = states.folder.join(RESTORING);
            for (part, _) in states.parts() {
                make_private(&restoring.join("new").join(part)).unwrap();
                copy(&states.folder.join("a").join(part), &restoring.join("new").join(part)).unwrap();
            }
            std::fs::write(restoring.join(READY), "").unwrap();
            if steps > 0 {
                make_private(&restoring.join("old")).unwrap();
                std::fs::rename(&states.data, restoring.join("old/data")).unwrap();
            }
            if steps > 1 {
                std::fs::rename(restoring.join("new/data"), &states.data).unwrap();
            }
            states.finish().unwrap();
            assert_eq!(read(&states), [Some("one".into()), Some("one".into())], "{steps}");
            assert!(!restoring.exists());
        }
        // One that is not whole is nothing.
        make_private(&states.folder.join(RESTORING).join("new/data")).unwrap();
        states.finish().unwrap();
        assert_eq!(read(&states), [Some("one".into()), Some("one".into())]);
    }
}
