//! `dae create`.

use crate::harness::Place;

#[test]
fn an_app_is_made_whole() {
    let place = Place::new();
    insta::assert_snapshot!(place.dae(["create", "daetest", "--no-venv"]).run(), @"
    exit: 0
    --- stdout
    Created `daetest` in [DIR]/daetest

      cd daetest
      dae serve
    --- stderr
       Committed the first version, in a git repository of its own
    ");
    insta::assert_snapshot!(place.files().join("\n"), @"
    daetest/.git/
    daetest/.gitignore
    daetest/README.md
    daetest/app.py
    daetest/app.yaml
    daetest/pip-req.txt
    ");
    let log = place.command("git", ["log", "--format=%an %s", "--stat=60"]).dir("daetest").ok();
    insta::assert_snapshot!(log, @"
    exit: 0
    --- stdout
    dae daetest: made by dae create from the blank template

     .gitignore  | 6 ++++++
     README.md   | 7 +++++++
     app.py      | 3 +++
     app.yaml    | 8 ++++++++
     pip-req.txt | 0
     5 files changed, 24 insertions(+)
    ");
}

#[test]
fn it_goes_where_it_is_told_and_into_an_empty_folder() {
    let place = Place::new();
    let ran = place.dae(["create", "dj", "-t", "django", "--dir", "a/b c", "--no-venv", "--no-git", "--json"]).ok();
    assert_eq!(ran.json()["next"][0], "cd 'a/b c'");
    assert!(place.path("a/b c/project/settings.py").is_file());
    assert!(!place.path("a/b c/.git").exists());

    std::fs::create_dir(place.path("here")).unwrap();
    let ran = place.dae(["create", "here", "--dir", ".", "--no-venv"]).dir("here").ok();
    insta::assert_snapshot!(ran, @"
    exit: 0
    --- stdout
    Created `here` in [DIR]/here

      dae serve
    --- stderr
       Committed the first version, in a git repository of its own
    ");
}

#[test]
fn inside_a_repository_no_second_one_is_made() {
    let place = Place::new();
    place.command("git", ["init", "-q"]).ok();
    insta::assert_snapshot!(place.dae(["create", "inner", "--no-venv"]).run(), @"
    exit: 0
    --- stdout
    Created `inner` in [DIR]/inner

      cd inner
      dae serve
    --- stderr
         Skipped git: `[DIR]/` is a repository already
    ");
    assert!(!place.path("inner/.git").exists());
}

#[test]
fn what_stands_in_the_way_is_left_alone() {
    let place = Place::new();
    place.write("full/notes.txt", "mine").write("file", "mine");
    insta::assert_snapshot!(place.dae(["create", "full", "-t", "flask"]).run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/full` is there and not empty

    hint: type `dae create full --template flask --dir OTHER_FOLDER`
    ");
    insta::assert_snapshot!(place.dae(["create", "file"]).run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/file` is there and is no folder

    hint: type `dae create file --dir OTHER_FOLDER`
    ");
    place.write("old/app.yaml", "application: old\n");
    insta::assert_snapshot!(place.dae(["create", "old"]).run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/old` is there and not empty

    hint: type `dae create old --dir OTHER_FOLDER`
    hint: it is an app already: `dae -C [DIR]/old serve` runs it
    ");
    assert_eq!(place.files(), ["file", "full/notes.txt", "old/app.yaml"]);
}

#[test]
fn a_name_that_cannot_be_gets_one_that_can() {
    let place = Place::new();
    for (name, nearest) in [("My-Blog", "my_blog"), ("1st", "st"), ("averyveryverylongname", "averyveryverylon")] {
        let ran = place.dae(["create", name]).run();
        assert_eq!(ran.code, 2, "{}", ran.raw());
        assert!(ran.stderr.contains(&format!("type `dae create {nearest}`")), "{}", ran.raw());
    }
    for name in ["", "init", "你好", "../x"] {
        let ran = place.dae(["create", name]).run();
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.raw());
        assert!(ran.stderr.contains("hint: "), "{}", ran.raw());
    }
    insta::assert_snapshot!(place.dae(["create"]).run(), @"
    exit: 2
    --- stderr
    error: a new app needs a name

    hint: type `dae create NAME`
    ");
    insta::assert_snapshot!(place.dae(["create", "Up", "-t", "flask"]).run(), @"
    exit: 2
    --- stderr
    error: the app name `Up` does not begin with a lowercase letter

    hint: type `dae create up --template flask`
    ");
    assert!(place.files().is_empty());
}
