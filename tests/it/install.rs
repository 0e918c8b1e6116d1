//! Packages: install, uninstall, sync, freeze and check, with real packages from the index.

use std::path::Path;
use std::process::Stdio;

use crate::harness::{Place, Ran};

/// An app that answers nothing: what is installed is all that counts.
fn shop() -> Place {
    let place = Place::new();
    place.write("app.yaml", "application: shop\nruntime: python\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place
}

/// Index and cache of its own, and nobody who answers: a port that was closed a moment ago.
fn without_network(dae: crate::harness::Dae, place: &Place) -> crate::harness::Dae {
    let port = crate::harness::free_port();
    let index = format!("http://127.0.0.1:{port}/simple");
    dae.env("UV_DEFAULT_INDEX", &index)
        .env("PIP_INDEX_URL", &index)
        .env("PIP_RETRIES", "0")
        .env("UV_HTTP_RETRIES", "0")
        .env("UV_CACHE_DIR", place.home("empty-uv"))
        .env("PIP_CACHE_DIR", place.home("empty-pip"))
}

fn imports(place: &Place, module: &str) -> bool {
    let python = place.path("venv/bin/python");
    let mut command = std::process::Command::new(python);
    command.args(["-c", &format!("import {module}")]).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// The versions of today are not those of tomorrow.
fn names(text: &str) -> String {
    text.lines().map(|line| line.split("==").next().unwrap().to_owned() + "\n").collect()
}

#[test]
fn a_package_comes_with_what_it_needs_and_goes_with_it() {
    let place = shop();
    let ran = place.dae(["install", "web.py"]).ok();
    assert!(ran.stdout.contains("+ web.py=="), "{}", ran.raw());
    let pins = place.read("pip-req.txt");
    let first = pins.lines().next().unwrap();
    assert!(first.starts_with("web.py=="), "{pins}");
    assert!(pins.lines().skip(1).all(|line| line.contains("  # via ")), "{pins}");
    assert!(imports(&place, "web"));

    place.dae(["install", "six==1.16.0"]).ok();
    insta::assert_snapshot!(place.dae(["uninstall", "web-py", "--json"]).ok().json()["packages"], @"1");
    insta::assert_snapshot!(place.read("pip-req.txt"), @"six==1.16.0");
    assert!(!imports(&place, "web"));
}

#[test]
fn a_hand_written_file_stays_its_authors() {
    let place = shop();
    let written = "\u{feff}# what the shop needs\r\n\r\nSix==1.16.0   # not 1.17: ticket 12\r\n# the end";
    place.write("pip-req.txt", written);
    place.dae(["sync"]).ok();
    assert_eq!(place.read("pip-req.txt"), written);
    place.dae(["install", "tomli==2.0.1"]).ok();
    insta::assert_snapshot!(place.read("pip-req.txt").replace('\r', "~"), @"
    ﻿# what the shop needs~
    ~
    Six==1.16.0   # not 1.17: ticket 12~
    tomli==2.0.1~
    # the end
    ");
    place.dae(["uninstall", "tomli"]).ok();
    assert_eq!(place.read("pip-req.txt"), written);
}

#[test]
fn what_is_asked_for_with_an_extra_is_pinned_with_it() {
    let place = shop();
    place.dae(["install", "requests[socks]>=2"]).ok();
    let pins = place.read("pip-req.txt");
    insta::assert_snapshot!(names(&pins), @"
    requests[socks]
    certifi
    charset-normalizer
    idna
    PySocks
    urllib3
    ");
    assert!(imports(&place, "socks"));
    let again = place.dae(["install"]).ok();
    assert!(again.stdout.starts_with("nothing to do"), "{}", again.raw());
    assert_eq!(place.read("pip-req.txt"), pins);
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    let place = shop();
    place.dae(["install", "six==1.16.0"]).ok();
    let before = place.read("pip-req.txt");
    let said = |args: &[&str]| -> Ran {
        let ran = place.dae(args).run();
        assert_ne!(ran.code, 0);
        assert_eq!(place.read("pip-req.txt"), before);
        assert!(imports(&place, "six"));
        ran
    };
    insta::assert_snapshot!(said(&["install", "no-such-package-of-dae"]), @"
    exit: 1
    --- stderr
    error: there is no package `no-such-package-of-dae`
      because: the package index has nothing of that name

    hint: check the spelling; what is imported and what is installed may have different names (`import yaml` is `PyYAML`)
    ");
    insta::assert_snapshot!(said(&["install", "six==0.0.99"]), @"
    exit: 1
    --- stderr
    error: there is no version of `six` that fits `==[VERSION]`
      because: the package index has none for this Python

    hint: type `dae install six`
    ");
    insta::assert_snapshot!(said(&["install", "requests==2.31.0", "urllib3<1"]), @"
    exit: 1
    --- stderr
    error: the requirements contradict each other

      | Because requests==[VERSION] depends on urllib3>=1.21.1,<3 and you require requests==[VERSION], we can conclude that you require urllib3>=1.21.1,<3.
      | And because you require urllib3<1, we can conclude that your requirements are unsatisfiable.

    hint: ask for less on one side; a version that pip-req.txt pins may move when its name is typed along
    ");
    insta::assert_snapshot!(said(&["install", "six=1", "==2"]), @"
    exit: 2
    --- stderr
    error: `six=1` is no requirement
      because: one version is named with `==`

    hint: write it as pip does: `flask`, `flask==[VERSION]`, `flask[async]>=3,<4`

    error: `==[VERSION]` is no requirement
      because: it does not begin with a package's name

    hint: write it as pip does: `flask`, `flask==[VERSION]`, `flask[async]>=3,<4`

    error: 2 problems
    ");
    insta::assert_snapshot!(said(&["uninstall", "flask"]), @"
    exit: 1
    --- stderr
    error: `flask` is not in pip-req.txt

    hint: only what stands there can be taken out; `dae sync` takes out what does not
    ");
    let outside = Place::new();
    insta::assert_snapshot!(outside.dae(["install", "six"]).run(), @"
    exit: 1
    --- stderr
    error: no app.yaml here or in any folder above
      because: looked from `[DIR]` up to `/`

    hint: type `dae create NAME`
    hint: or go into an app's folder first, or name it: `dae -C FOLDER ...`
    ");
}

#[test]
fn without_a_network_it_is_said_and_the_cache_is_enough() {
    let place = shop();
    place.dae(["install", "six==1.16.0"]).ok();
    let other = shop();
    insta::assert_snapshot!(without_network(other.dae(["install", "tomli"]), &other).run(), @"
    exit: 1
    --- stderr
            Made venv, Python [VERSION], in [TIME]
    error: the package index cannot be reached
      because: http://127.0.0.1:[PORT]/simple/tomli/: Connection refused

    hint: try again with a network; another index is set with `UV_DEFAULT_INDEX` or `PIP_INDEX_URL`; nothing was changed
    ");
    assert!(!other.path("pip-req.txt").exists());

    std::fs::remove_dir_all(place.path("venv")).unwrap();
    let offline = place.dae(["sync"]).env("UV_OFFLINE", "1").ok();
    assert!(offline.stdout.contains("+ six==1.16.0"), "{}", offline.raw());
}

#[test]
fn freeze_tells_and_takes_over_what_was_done_by_hand() {
    let place = shop();
    place.write("pip-req.txt", "# mine\nsix==1.16.0\ntomli==2.0.1\n");
    place.dae(["sync"]).ok();
    assert_eq!(place.dae(["freeze", "--check"]).ok().code, 0);
    let site = std::fs::read_dir(place.path("venv/lib")).unwrap().next().unwrap().unwrap().path().join("site-packages");
    std::fs::remove_dir_all(site.join("tomli-2.0.1.dist-info")).unwrap();
    by_hand(&site, "homemade", "1.5");
    let ran = place.dae(["freeze", "--check"]).run();
    insta::assert_snapshot!(ran, @"
    exit: 1
    --- stdout
    + homemade==[VERSION]
    - tomli==[VERSION]
    pip-req.txt differs from the virtualenv: type `dae sync` to follow the file, `dae freeze` to follow the virtualenv
    ");
    place.dae(["freeze"]).ok();
    insta::assert_snapshot!(place.read("pip-req.txt"), @"
    # mine
    six==1.16.0
    homemade==1.5
    ");
}

/// A distribution that no installer put there.
fn by_hand(site: &Path, name: &str, version: &str) {
    let info = site.join(format!("{name}-{version}.dist-info"));
    std::fs::create_dir(&info).unwrap();
    std::fs::write(info.join("METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"))
        .unwrap();
}

#[test]
fn check_tells_everything_at_once() {
    let place = shop();
    place.write("app.yaml", "application: Shop\nruntime: python\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place.write("pip-req.txt", "six=1\nflask\nFlask==3.0\n");
    insta::assert_snapshot!(place.dae(["check"]).run(), @"
    exit: 1
    --- stderr
    error: the app name `Shop` does not begin with a lowercase letter
     --> app.yaml:1:14
      |
    1 | application: Shop
      |              ^^^^

    hint: write `application: shop`

    error: `six=1` is no requirement
     --> pip-req.txt:1:1
      |
    1 | six=1
      | ^^^^^
      because: one version is named with `==`

    hint: write it as pip does: `flask`, `flask==[VERSION]`, `flask[async]>=3,<4`

    error: `Flask` is there twice
     --> pip-req.txt:3:1
      |
    3 | Flask==[VERSION]
      | ^^^^^^^^^^
      because: `flask` stands above it

    hint: take one of the two out

    error: 3 problems
    ");
    place.write("app.yaml", "application: shop\nruntime: python\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place.write("pip-req.txt", "six>=1\nflask==3.0\n");
    insta::assert_snapshot!(place.dae(["check"]).ok(), @"
    exit: 0
    --- stdout
    app.yaml is good: shop, Python [VERSION]
    pip-req.txt is good: 2 requirements
    --- stderr
         warning pip-req.txt leaves the version open of six>=1; `dae freeze` pins what is installed
    ");
}

#[test]
fn two_at_once_take_turns() {
    let place = shop();
    std::fs::create_dir(place.path(".dae")).unwrap();
    let lock = std::fs::File::create(place.path(".dae/install.lock")).unwrap();
    lock.lock().unwrap();
    let mut waiting = place.dae(["install", "six"]).spawn();
    waiting.until("Waiting");
    assert!(!place.path("venv").exists());
    lock.unlock().unwrap();
    let ran = waiting.wait();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(place.path("venv").exists());
}

#[test]
fn an_interrupted_install_leaves_the_old_state_or_one_that_heals() {
    let place = shop();
    place.dae(["install", "six==1.16.0"]).ok();
    let before = place.read("pip-req.txt");
    let mut installing = place.dae(["install", "web.py", "--json"]).spawn();
    installing.event("installing");
    let ran = installing.stop();
    let after = place.read("pip-req.txt");
    assert!(after == before || (ran.code == 0 && after.contains("web.py==")), "{}\n{after}", ran.raw());
    place.dae(["sync"]).ok();
    assert_eq!(imports(&place, "web"), after.contains("web.py=="));
    assert!(imports(&place, "six"));
    let left: Vec<String> = place.files().into_iter().filter(|file| file.starts_with(".dae-")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_virtualenv_whose_interpreter_is_gone_is_made_again() {
    let place = shop();
    place.dae(["install", "six==1.16.0"]).ok();
    std::fs::remove_file(place.path("venv/bin/python")).unwrap();
    std::os::unix::fs::symlink("/gone/python3", place.path("venv/bin/python")).unwrap();
    place.dae(["sync"]).ok();
    assert!(imports(&place, "six"));
}

/// Where no uv can be had, pip does the work: an index that has wheels, and no uv among them.
#[test]
fn pip_does_it_where_uv_cannot_be_had() {
    let place = shop();
    let wheels = place.home("wheels");
    std::fs::create_dir(&wheels).unwrap();
    for (name, version, needs) in
        [("lamp", "1.0", "bulb>=2"), ("bulb", "2.0", ""), ("bulb", "2.1", ""), ("chair", "1", "")]
    {
        wheel(&wheels, name, version, needs);
    }
    let dae = |args: &[&str]| {
        place
            .dae(args)
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", &wheels)
            .env("XDG_CACHE_HOME", place.home("cache"))
            .env("PATH", without_uv())
    };
    let ran = dae(&["install", "lamp"]).ok();
    assert!(ran.stderr.contains("Using pip"), "{}", ran.raw());
    assert!(ran.stdout.contains("+ bulb==2.1\n+ lamp==1.0\n"), "{}", ran.raw());
    insta::assert_snapshot!(place.read("pip-req.txt"), @"
    lamp==1.0
    bulb==2.1  # via lamp
    ");
    assert!(imports(&place, "lamp, bulb"));

    dae(&["install", "bulb==2.0", "chair"]).ok();
    insta::assert_snapshot!(place.read("pip-req.txt"), @"
    lamp==1.0
    bulb==2.0
    chair==1
    ");
    dae(&["uninstall", "lamp"]).ok();
    insta::assert_snapshot!(place.read("pip-req.txt"), @"
    bulb==2.0
    chair==1
    ");
    assert!(imports(&place, "bulb") && !imports(&place, "lamp"));
    let unknown = dae(&["install", "sofa"]).run();
    assert!(unknown.stderr.contains("there is no package `sofa`"), "{}", unknown.raw());
}

fn without_uv() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let python = crate::harness::python().parent().unwrap().to_owned();
    let others =
        std::env::split_paths(&path).filter(|folder| !folder.ends_with("shims") && !folder.join("uv").exists());
    std::env::join_paths(std::iter::once(python).chain(others)).unwrap()
}

/// A wheel with one empty module.
fn wheel(folder: &Path, name: &str, version: &str, needs: &str) {
    const MAKE: &str = "
import sys, zipfile
folder, name, version, needs = sys.argv[1:]
info = f'{name}-{version}.dist-info/'
with zipfile.ZipFile(f'{folder}/{name}-{version}-py3-none-any.whl', 'w') as wheel:
    wheel.writestr(f'{name}.py', '')
    need = f'Requires-Dist: {needs}\\n' if needs else ''
    wheel.writestr(info + 'METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{need}')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', f'{name}.py,,\\n{info}METADATA,,\\n{info}WHEEL,,\\n{info}RECORD,,\\n')
";
    let mut python = std::process::Command::new(crate::harness::python());
    assert!(python.args(["-c", MAKE]).arg(folder).args([name, version, needs]).status().unwrap().success());
}

#[test]
fn a_repository_is_pinned_by_its_revision() {
    let place = shop();
    let repository = place.home("lib");
    std::fs::create_dir(&repository).unwrap();
    std::fs::write(
        repository.join("pyproject.toml"),
        "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n\
         [project]\nname = 'Own_Lib'\nversion = '1.2'\ndependencies = ['six==1.16.0']\n[tool.setuptools]\npy-modules = ['own_lib']\n",
    )
    .unwrap();
    std::fs::write(repository.join("own_lib.py"), "").unwrap();
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        let mut git = std::process::Command::new("git");
        let output = git.current_dir(&repository).args(who).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "x"]);
    let revision = git(&["rev-parse", "HEAD"]);
    let address = format!("git+file://{}", repository.display());

    place.dae(["install", &address]).ok();
    let pins = place.read("pip-req.txt");
    assert_eq!(pins, format!("own-lib @ {address}@{}  # follows main\nsix==1.16.0  # via own-lib\n", revision.trim()));
    assert!(imports(&place, "own_lib, six"));
    place.dae(["install", "tomli==2.0.1"]).ok();
    assert!(place.read("pip-req.txt").starts_with(pins.lines().next().unwrap()));
    assert_eq!(place.dae(["freeze", "--check"]).ok().code, 0);
}

/// An index of five wheels in a folder, and a dae that knows no other.
fn with_wheels(place: &Place) -> impl Fn(&[&str]) -> crate::harness::Dae {
    let wheels = place.home("wheels");
    std::fs::create_dir(&wheels).unwrap();
    for (name, version, needs) in
        [("lamp", "1.0", "bulb>=2"), ("bulb", "2.0", ""), ("bulb", "2.1", ""), ("chair", "1", ""), ("chair", "2", "")]
    {
        wheel(&wheels, name, version, needs);
    }
    let place = place.clone();
    move |args| {
        let dae = place.dae(args).env("UV_NO_INDEX", "1").env("UV_FIND_LINKS", &wheels);
        dae.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", &wheels)
    }
}

#[test]
fn pins_are_moved_by_name_or_all_at_once() {
    let place = shop();
    let dae = with_wheels(&place);
    place.write("pip-req.txt", "# mine\nlamp==1.0\nchair==1  # the old one\nbulb==2.0  # via lamp\n");
    dae(&["sync"]).ok();
    dae(&["update", "bulb"]).ok();
    assert_eq!(place.read("pip-req.txt"), "# mine\nlamp==1.0\nchair==1  # the old one\nbulb==2.1  # via lamp\n");
    dae(&["update"]).ok();
    assert_eq!(place.read("pip-req.txt"), "# mine\nlamp==1.0\nchair==2  # the old one\nbulb==2.1  # via lamp\n");
    insta::assert_snapshot!(dae(&["update", "sofa"]).run(), @"
    exit: 1
    --- stderr
    error: `sofa` is not in pip-req.txt

    hint: type `dae install sofa`
    ");
}

#[test]
fn what_is_there_and_why() {
    let place = shop();
    let dae = with_wheels(&place);
    place.write("pip-req.txt", "lamp==1.0\nchair==1\nbulb==2.0  # via lamp\n");
    dae(&["sync"]).ok();
    insta::assert_snapshot!(dae(&["tree"]).ok(), @"
    exit: 0
    --- stdout
    chair==[VERSION]
    lamp==[VERSION]
        bulb==[VERSION]
    ");
    insta::assert_snapshot!(dae(&["why", "bulb"]).ok(), @"
    exit: 0
    --- stdout
    lamp==[VERSION] needs bulb==[VERSION]
    ");
    insta::assert_snapshot!(dae(&["why", "Chair"]).ok(), @"
    exit: 0
    --- stdout
    chair==[VERSION] is in pip-req.txt for its own sake
    ");
    insta::assert_snapshot!(dae(&["why", "sofa"]).run(), @"
    exit: 1
    --- stderr
    error: `sofa` is not there
      because: neither pip-req.txt nor the virtualenv has it

    hint: type `dae install sofa`
    ");
    insta::assert_snapshot!(dae(&["outdated"]).ok(), @"
    exit: 0
    --- stdout
    bulb 2.0 -> 2.1
    chair 1 -> 2
    type `dae update` to move there
    ");
    insta::assert_snapshot!(dae(&["outdated", "--json"]).ok().json(), @r#"{"outdated":[{"latest":"2.1","name":"bulb","version":"2.0"},{"latest":"2","name":"chair","version":"1"}]}"#);
    insta::assert_snapshot!(dae(&["why", "bulb", "--json"]).ok().json(), @r#"{"package":"bulb","ways":[["lamp==1.0","bulb==2.0"]]}"#);
}

#[test]
fn a_command_runs_inside_and_its_exit_code_is_the_answer() {
    let place = shop();
    let dae = with_wheels(&place);
    place.write("pip-req.txt", "chair==1\n");
    let ran = dae(&["venv", "--", "python", "-c", "import chair, sys; print(sys.prefix); sys.exit(7)"]).run();
    let last = ran.stdout.lines().last().unwrap_or_default().to_owned();
    assert_eq!((ran.code, last), (7, place.path("venv").display().to_string()), "{}", ran.raw());
    let json = dae(&["venv", "--json", "--", "python", "-c", "print('aside'); raise SystemExit(5)"]).run();
    assert_eq!((json.code, json.json().to_string()), (5, r#"{"exit":5}"#.to_owned()), "{}", json.raw());
    let none = dae(&["venv", "no-such-program"]).run();
    assert!(none.code == 127 && none.stderr.contains("could not run `no-such-program`"), "{}", none.raw());
}

#[test]
fn hashes_are_recorded_and_required() {
    let place = shop();
    let dae = with_wheels(&place);
    dae(&["install", "chair==1", "--hashes"]).ok();
    let pins = place.read("pip-req.txt");
    assert!(pins.starts_with("chair==1 \\\n    --hash=sha256:"), "{pins}");
    dae(&["install", "lamp"]).ok();
    assert_eq!(place.read("pip-req.txt").matches("--hash=sha256:").count(), 3, "once recorded, always recorded");
    std::fs::remove_dir_all(place.path("venv")).unwrap();
    let digest = pins.trim().rsplit(':').next().unwrap();
    place.write("pip-req.txt", pins.replace(digest, &"0".repeat(64)));
    let ran = dae(&["sync"]).run();
    assert!(ran.code == 1 && ran.stderr.to_lowercase().contains("hash"), "{}", ran.raw());
}

#[test]
fn what_a_nested_file_pins_is_not_pinned_again() {
    let place = shop();
    let dae = with_wheels(&place);
    place.write("base/lights.txt", "lamp==1.0\nbulb==2.0\n").write("base.txt", "-r base/lights.txt\n");
    place.write("pip-req.txt", "-r base.txt\n");
    dae(&["install", "chair==1"]).ok();
    assert_eq!(place.read("pip-req.txt"), "-r base.txt\nchair==1\n");
    assert!(imports(&place, "lamp, bulb, chair"));
    assert_eq!(dae(&["freeze", "--check"]).ok().code, 0);
    // A change of the innermost file is noticed too.
    place.write("base/lights.txt", "lamp==1.0\nbulb==2.1\n");
    let ran =
        dae(&["venv", "--", "python", "-c", "from importlib.metadata import version; print(version('bulb'))"]).ok();
    assert!(ran.stdout.ends_with("2.1\n"), "{}", ran.raw());
}
