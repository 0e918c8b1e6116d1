//! Who deploys, and from which revision.

use std::path::Path;

use super::api::GitState;

/// `user@host`.
pub fn by() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
    let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok());
    format!("{}@{}", user.as_deref().unwrap_or("somebody"), host.as_deref().unwrap_or("somewhere"))
}

/// The revision the app's repository is at; `None` without a repository or a first commit.
pub fn git(root: &Path) -> Option<GitState> {
    let repository = git2::Repository::discover(root).ok()?;
    let revision = repository.head().ok()?.peel_to_commit().ok()?.id().to_string();
    let mut options = git2::StatusOptions::new();
    options.include_untracked(true).include_ignored(false).exclude_submodules(true);
    // Only the app's own folder counts, where the repository holds more.
    let below = repository.workdir().and_then(|top| {
        let top = top.canonicalize().ok()?;
        root.strip_prefix(top).ok().map(Path::to_owned)
    });
    if let Some(below) = below.filter(|below| !below.as_os_str().is_empty()) {
        options.pathspec(below);
    }
    let dirty = repository.statuses(Some(&mut options)).is_ok_and(|statuses| !statuses.is_empty());
    Some(GitState { revision, dirty })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_no_commit_holds_is_seen_in_the_apps_folder_alone() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        assert_eq!(git(&top), None);
        let repository = git2::Repository::init(&top).unwrap();
        assert_eq!(git(&top), None, "no commit yet");
        std::fs::create_dir(top.join("app")).unwrap();
        std::fs::write(top.join("app/x"), "1").unwrap();
        let mut index = repository.index().unwrap();
        index.add_path(Path::new("app/x")).unwrap();
        index.write().unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let who = git2::Signature::now("a", "a@b").unwrap();
        let id = repository.commit(Some("HEAD"), &who, &who, "one", &tree, &[]).unwrap();
        let state = |dirty| Some(GitState { revision: id.to_string(), dirty });
        assert_eq!(git(&top.join("app")), state(false));
        std::fs::write(top.join("other"), "").unwrap();
        assert_eq!((git(&top.join("app")), git(&top)), (state(false), state(true)));
        std::fs::write(top.join("app/new"), "").unwrap();
        assert_eq!(git(&top.join("app")), state(true));
    }
}
