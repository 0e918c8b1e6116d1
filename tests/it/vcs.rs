//! Requirements from repositories: real ones of git and Mercurial, made on disk and served on loopback.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use dae::python::{Installer, Interpreter};

use crate::harness::{Place, Running, python, shared_cache};

fn shop() -> Place {
    let place = Place::new();
    place.write("app.yaml", "application: shop\nruntime: python\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn git(folder: &Path, args: &[&str]) -> String {
    let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
    run(Command::new("git").current_dir(folder).args(who).args(args))
}

/// Mercurial as a package, fetched once for all tests; dae fetches its own.
fn hg(folder: &Path, args: &[&str]) -> Command {
    static HG: OnceLock<PathBuf> = OnceLock::new();
    let place = HG.get_or_init(|| {
        let place = shared_cache().join("hg-for-tests");
        if !place.join("bin/hg").is_file() {
            let interpreter = Interpreter::probe(python()).unwrap();
            let installer = Installer::find(&interpreter, &shared_cache().join("dae"), &|_| ());
            std::fs::create_dir_all(&place).unwrap();
            installer.into_folder(&interpreter, "mercurial>=6.9,<8\n", &place, &|_| ()).unwrap();
        }
        place
    });
    let mut command = Command::new(python());
    command.arg(place.join("bin/hg")).args(["--config", "ui.username=a"]).args(args).current_dir(folder);
    command.env("PYTHONPATH", place).env("HGPLAIN", "1");
    command
}

/// Writes a package with one module, `lamp`, whose `SHINES` is `shines`.
fn package(folder: &Path, name: &str, shines: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(
        folder.join("pyproject.toml"),
        format!(
            "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n\
             [project]\nname = '{name}'\nversion = '1.0'\n[tool.setuptools]\npy-modules = ['lamp']\n"
        ),
    )
    .unwrap();
    std::fs::write(folder.join("lamp.py"), format!("SHINES = '{shines}'\n")).unwrap();
}

/// A repository with two commits on `main` (tagged v1), and the branch `next` with one more.
fn git_repository(folder: &Path) -> Vec<String> {
    package(folder, "Table_Lamp", "one");
    git(folder, &["init", "-q"]);
    let mut revisions = Vec::new();
    for (shines, branch) in [("one", "main"), ("two", "main"), ("three", "next")] {
        std::fs::write(folder.join("lamp.py"), format!("SHINES = '{shines}'\n")).unwrap();
        if branch == "next" {
            git(folder, &["checkout", "-q", "-b", "next"]);
        }
        git(folder, &["add", "-A"]);
        git(folder, &["commit", "-q", "-m", &format!("it shines {shines}")]);
        revisions.push(git(folder, &["rev-parse", "HEAD"]));
        if shines == "one" {
            git(folder, &["tag", "-a", "v1", "-m", "the first"]);
        }
    }
    git(folder, &["checkout", "-q", "main"]);
    revisions
}

/// One more commit on `main`.
fn commit(folder: &Path, shines: &str) -> String {
    std::fs::write(folder.join("lamp.py"), format!("SHINES = '{shines}'\n")).unwrap();
    git(folder, &["commit", "-q", "-a", "-m", &format!("it shines {shines}")]);
    git(folder, &["rev-parse", "HEAD"])
}

fn shines(place: &Place) -> String {
    run(Command::new(place.path("venv/bin/python"))
        .args(["-c", "import lamp; print(lamp.SHINES)"])
        .env("PYTHONDONTWRITEBYTECODE", "1"))
}

#[test]
fn a_branch_a_tag_and_a_short_revision_become_whole_ones_and_a_branch_is_followed() {
    let place = shop();
    let folder = place.home("lamp");
    let revisions = git_repository(&folder);
    let address = format!("git+file://{}", folder.display());
    for (what, line) in [
        (String::new(), format!("{}  # follows main", revisions[1])),
        ("@next".to_owned(), format!("{}  # follows next", revisions[2])),
        ("@v1".to_owned(), revisions[0].clone()),
        (format!("@{}", &revisions[0][..9]), revisions[0].clone()),
        (format!("@{}", revisions[1]), revisions[1].clone()),
        ("@main".to_owned(), format!("{}  # follows main", revisions[1])),
    ] {
        place.dae(["install", &format!("{address}{what}")]).ok();
        assert_eq!(place.read("pip-req.txt"), format!("table-lamp @ {address}@{line}\n"), "{what}");
    }
    assert_eq!(shines(&place), "two");

    let newest = commit(&folder, "four");
    place.dae(["sync"]).ok();
    assert_eq!(shines(&place), "two", "pinned is pinned");
    let ran = place.dae(["update", "table.lamp"]).ok();
    assert!(ran.stdout.starts_with(&format!(
        "table-lamp along main from {} to {}\n",
        &revisions[1][..12],
        &newest[..12]
    )));
    assert!(ran.stdout.contains(" it shines four\n") && !ran.stdout.contains("it shines two"), "{}", ran.raw());
    assert_eq!(place.read("pip-req.txt"), format!("table-lamp @ {address}@{newest}  # follows main\n"));
    assert_eq!(shines(&place), "four");
    let again = place.dae(["update", "--json"]).ok().json();
    assert_eq!((again["followed"].as_array().unwrap().len(), again["added"].as_array().unwrap().len()), (0, 0));
    assert_eq!(place.dae(["freeze", "--check"]).ok().code, 0);
}

#[test]
fn an_editable_one_is_a_working_copy_that_is_not_lost() {
    let place = shop();
    let folder = place.home("lamp");
    let revisions = git_repository(&folder);
    git(&folder, &["update-server-info"]);
    let mut server =
        place.command(python(), ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]).dir(&folder).spawn();
    let port = server.until_some("port", |line| Some(line.split_once(" port ")?.1.split(' ').next()?.to_owned()));
    let address = format!("git+http://127.0.0.1:{port}/.git");
    place.dae(["install", "-e", &format!("{address}@main#egg=Table_Lamp")]).ok();
    let pins = place.read("pip-req.txt");
    assert_eq!(pins, format!("-e {address}@{}#egg=Table_Lamp  # follows main\n", revisions[1]));
    assert_eq!(shines(&place), "two");
    assert_eq!(place.dae(["freeze", "--check"]).ok().code, 0);
    // What pip itself says of it is the same line.
    let freeze =
        run(Command::new(python()).args(["-m", "pip", "--python"]).arg(place.path("venv/bin/python")).arg("freeze"));
    assert_eq!(
        freeze.to_lowercase().replace('-', "_"),
        pins.split("  #").next().unwrap().to_lowercase().replace('-', "_")
    );

    // Worked in, it stays as it is, also where the virtualenv is made again.
    place.write("venv/src/Table_Lamp/lamp.py", "SHINES = 'mine'\n");
    std::fs::remove_file(place.path("venv/bin/python")).unwrap();
    place.dae(["sync"]).ok();
    assert_eq!(shines(&place), "mine");
    commit(&folder, "four");
    git(&folder, &["update-server-info"]);
    let ran = place.dae(["update"]).run();
    assert!(ran.code == 1 && ran.stderr.contains("is not moved to another revision"), "{}", ran.raw());
    assert!(ran.stderr.contains("`lamp.py` was changed there"), "{}", ran.raw());
    assert_eq!((place.read("pip-req.txt"), shines(&place)), (pins, "mine".to_owned()));

    git(&place.path("venv/src/Table_Lamp"), &["checkout", "-q", "lamp.py"]);
    place.dae(["update"]).ok();
    assert_eq!(shines(&place), "four");
    // A commit of one's own, which is nowhere else.
    let copy = place.path("venv/src/Table_Lamp");
    let own = commit(&copy, "own");
    let frozen = place.dae(["freeze", "--check"]).run();
    assert!(frozen.code == 1 && frozen.stdout.contains(&own), "{}", frozen.raw());
    let ran = place.dae(["sync"]).run();
    assert!(ran.code == 1 && ran.stderr.contains("is nowhere else"), "{}", ran.raw());
    server.stop();
}

#[test]
fn mercurial_is_carried_by_a_working_copy() {
    let place = shop();
    let folder = place.home("hello");
    package(&folder.join("py"), "Hello_HG", "one");
    run(&mut hg(&folder, &["init"]));
    let commit = |shines: &str| {
        std::fs::write(folder.join("py/lamp.py"), format!("SHINES = '{shines}'\n")).unwrap();
        run(&mut hg(&folder, &["commit", "-q", "-A", "-m", &format!("it shines {shines}")]));
        run(&mut hg(&folder, &["log", "-r", ".", "-T", "{node}"]))
    };
    let first = commit("one");
    let mut serving = serve(&place, &folder);
    let port = serving
        .until_some("port", |line| Some(line.rsplit_once(" (bound to 127.0.0.1:")?.1.split(')').next()?.to_owned()));
    let address = format!("hg+http://127.0.0.1:{port}/");
    let wanted = format!("{address}#egg=Hello_HG&subdirectory=py");
    place.dae(["install", "-e", &wanted]).ok();
    assert_eq!(
        place.read("pip-req.txt"),
        format!("-e {address}@{first}#egg=Hello_HG&subdirectory=py  # follows default\n")
    );
    assert_eq!(shines(&place), "one");
    let second = commit("two");
    let ran = place.dae(["update", "Hello_HG"]).ok();
    assert!(ran.stdout.contains(&format!("{} it shines two\n", &second[..12])), "{}", ran.raw());
    assert_eq!(shines(&place), "two");

    // Not editable: installed from a copy in the cache, and known by its revision all the same.
    place.dae(["uninstall", "Hello_HG"]).ok();
    place.dae(["install", &format!("{address}@{}#subdirectory=py", &first[..10])]).ok();
    let pins = place.read("pip-req.txt");
    assert_eq!(pins, format!("hello-hg @ {address}@{first}#subdirectory=py\n"));
    assert_eq!(shines(&place), "one");
    assert_eq!(place.dae(["freeze", "--check"]).ok().code, 0);
    let freeze =
        run(Command::new(python()).args(["-m", "pip", "--python"]).arg(place.path("venv/bin/python")).arg("freeze"));
    assert_eq!(freeze.to_lowercase().replace('_', "-"), pins.trim());
    serving.stop();
}

fn serve(place: &Place, folder: &Path) -> Running {
    let command = hg(folder, &["serve", "--address", "127.0.0.1", "--port", "0", "--verbose"]);
    let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut serving = place.command(command.get_program(), args).dir(folder);
    for (name, value) in command.get_envs() {
        serving = serving.env(&name.to_string_lossy(), value.unwrap());
    }
    serving.env("PYTHONUNBUFFERED", "1").spawn()
}

#[test]
fn what_cannot_be_pinned_is_refused_with_what_to_type() {
    let place = shop();
    let folder = place.home("lamp");
    let revisions = git_repository(&folder);
    let shown = |ran: &crate::harness::Ran| ran.to_string().replace(&revisions[0], "[REV]");
    let address = format!("git+file://{}", folder.display());
    insta::assert_snapshot!(shown(&place.dae(["install", &format!("{address}@no/such")]).run()), @"
    exit: 1
    --- stderr
            Made venv, Python [VERSION], in [TIME]
    error: `file://[HOME]/lamp` has no revision `no/such`
      because: no branch, no tag and no commit there is called that

    hint: see what there is (`git ls-remote file://[HOME]/lamp`), or take its main branch: `dae install git+file://[HOME]/lamp`
    ");
    let gone = "0123456789abcdef0123456789abcdef01234567";
    insta::assert_snapshot!(shown(&place.dae(["install", &format!("{address}@{gone}")]).run()), @"
    exit: 1
    --- stderr
    error: `file://[HOME]/lamp` has no revision `0123456789abcdef0123456789abcdef01234567`
      because: no branch, no tag and no commit there is called that

    hint: see what there is (`git ls-remote file://[HOME]/lamp`), or take its main branch: `dae install git+file://[HOME]/lamp`
    ");
    let port = crate::harness::free_port();
    insta::assert_snapshot!(shown(&place.dae(["install", &format!("git+http://127.0.0.1:{port}/lamp")]).run()), @"
    exit: 1
    --- stderr
    error: the repository `http://127.0.0.1:[PORT]/lamp` cannot be reached
      because: fatal: unable to access 'http://127.0.0.1:[PORT]/lamp/': Failed to connect to 127.0.0.1 port [PORT] after [TIME]: Couldn't connect to server

    hint: check the address and that `git ls-remote http://127.0.0.1:[PORT]/lamp` works here; nothing was changed
    ");
    assert!(!place.path("pip-req.txt").exists());

    place.write("pip-req.txt", format!("lamp @ {address}@next\n-e {address}@{}#egg=Other\n", &revisions[0][..7]));
    insta::assert_snapshot!(shown(&place.dae(["sync"]).run()).replace(&revisions[0][..7], "[SHORT]").replace('^', ""), @"
    exit: 1
    --- stderr
    error: `lamp` is not pinned to one revision
     --> pip-req.txt:1:1
      |
    1 | lamp @ git+file://[HOME]/lamp@next
      | 
      because: `next` is a branch or a tag, and they move

    hint: type `dae update lamp`

    error: `Other` is not pinned to one revision
     --> pip-req.txt:2:1
      |
    2 | -e git+file://[HOME]/lamp@[SHORT]#egg=Other
      | 
      because: `[SHORT]` is the short form of a revision, which may come to mean another one

    hint: type `dae update Other`

    error: 2 problems
    ");
    place.write("pip-req.txt", format!("table-lamp @ {address}@next\n"));
    place.dae(["update"]).ok();
    assert_eq!(place.read("pip-req.txt"), format!("table-lamp @ {address}@{}  # follows next\n", revisions[2]));
    place.write("pip-req.txt", format!("table-lamp @ {address}@{}  # the good one\n", revisions[0]));
    insta::assert_snapshot!(shown(&place.dae(["update", "table-lamp"]).run()), @r#"
    exit: 1
    --- stderr
    error: `table-lamp` follows no branch
      because: its line has a revision and no `# follows BRANCH` behind it

    hint: name the branch once: `dae install "table-lamp @ git+file://[HOME]/lamp@BRANCH"`
    "#);
    // What is pinned to a commit that is gone, or in a repository that is.
    let before = place.read("pip-req.txt").replace(&revisions[0], gone);
    place.write("pip-req.txt", &before);
    insta::assert_snapshot!(shown(&place.dae(["sync"]).run()), @"
    exit: 1
    --- stderr
    error: `table-lamp` is pinned to a revision that is not there any more
      because: `file://[HOME]/lamp` has no commit `0123456789abcdef0123456789abcdef01234567`; somebody rewrote its history, or it was mistyped

    hint: type `dae update table-lamp`
    hint: which pins the newest revision of what it follows; nothing was changed
    ");
    place.write("pip-req.txt", before.replace("/lamp@", "/no-lamp@"));
    insta::assert_snapshot!(shown(&place.dae(["sync"]).run()), @"
    exit: 1
    --- stderr
    error: the repository `file://[HOME]/no-lamp` of `table-lamp` cannot be reached
      because: '[HOME]/no-lamp' does not appear to be a git repository

    hint: check the address and that `git ls-remote file://[HOME]/no-lamp` works here; nothing was changed
    ");
    place.write("pip-req.txt", format!("table-lamp @ {address}@{}\n", revisions[0]));
    insta::assert_snapshot!(shown(&place.dae(["install", "--hashes", "markupsafe"]).run()), @"
    exit: 1
    --- stderr
    error: `table-lamp` comes from a repository, and hashes cannot be asked of those
      because: `pip install -r pip-req.txt` refuses a file that has hashes on some lines and a repository on another

    hint: leave `--hashes` away (a full revision fixes the content as well), or install a released version of it
    ");
}
