//! What is wrong is said with its place and with what to type next, and everything stays as it was. No network, no panic.

use std::fmt::Write as _;

use crate::harness::Place;

/// The whole transcript of some command lines in one folder.
fn transcript(place: &Place, lines: &[&[&str]]) -> String {
    let mut text = String::new();
    for line in lines {
        let ran = place.dae(*line).run();
        assert!(!ran.stderr.contains("panicked"), "{}", ran.raw());
        let _ = writeln!(text, "$ dae {}\n{ran}\n", line.join(" "));
    }
    text
}

/// What `dae check` says of this app.yaml.
fn checked(yaml: &[u8]) -> String {
    let place = Place::new();
    place.write("app.yaml", yaml);
    let said = transcript(&place, &[&["check"]]);
    assert_eq!(std::fs::read(place.path("app.yaml")).unwrap(), yaml, "it was changed");
    assert_eq!(place.files(), ["app.yaml"], "something was left behind");
    said
}

#[test]
fn outside_of_an_app() {
    let place = Place::new();
    let lines: &[&[&str]] = &[
        &["check"],
        &["install", "flask"],
        &["sync"],
        &["serve"],
        &["package"],
        &["-C", "nowhere", "check"],
        &["check", "--json"],
    ];
    insta::assert_snapshot!(transcript(&place, lines), @r#"
    $ dae check
    exit: 1
    --- stderr
    error: no app.yaml here or in any folder above
      because: looked from `[DIR]` up to `/`

    hint: type `dae create NAME`
    hint: or go into an app's folder first, or name it: `dae -C FOLDER ...`

    $ dae install flask
    exit: 1
    --- stderr
    error: no app.yaml here or in any folder above
      because: looked from `[DIR]` up to `/`

    hint: type `dae create NAME`
    hint: or go into an app's folder first, or name it: `dae -C FOLDER ...`

    $ dae sync
    exit: 1
    --- stderr
    error: no app.yaml here or in any folder above
      because: looked from `[DIR]` up to `/`

    hint: type `dae create NAME`
    hint: or go into an app's folder first, or name it: `dae -C FOLDER ...`

    $ dae serve
    exit: 1
    --- stderr
    error: no app.yaml here or in any folder above
      because: looked from `[DIR]` up to `/`

    hint: type `dae create NAME`
    hint: or go into an app's folder first, or name it: `dae -C FOLDER ...`

    $ dae package
    exit: 1
    --- stderr
    error: no app.yaml here or in any folder above
      because: looked from `[DIR]` up to `/`

    hint: type `dae create NAME`
    hint: or go into an app's folder first, or name it: `dae -C FOLDER ...`

    $ dae -C nowhere check
    exit: 1
    --- stderr
    error: could not go to `nowhere`
      because: No such file or directory (os error 2)

    $ dae check --json
    exit: 1
    --- stdout
    {"error":{"causes":["looked from `[DIR]` up to `/`"],"code":"app.not-found","hints":[{"run":"dae create NAME"},{"say":"or go into an app's folder first, or name it: `dae -C FOLDER ...`"}],"message":"no app.yaml here or in any folder above"}}
    "#);
    assert!(place.files().is_empty());
}

#[test]
fn usage() {
    let place = Place::new();
    let lines: &[&[&str]] =
        &[&["sevre"], &["create", "a", "b"], &["check", "--frobnicate"], &["-q", "-v", "check"], &["man", "nothing"]];
    insta::assert_snapshot!(transcript(&place, lines), @"
    $ dae sevre
    exit: 2
    --- stderr
    error: unrecognized subcommand 'sevre'

      tip: some similar subcommands exist: 'service', 'serve'

    Usage: dae [OPTIONS] <COMMAND>

    For more information, try '--help'.

    $ dae create a b
    exit: 2
    --- stderr
    error: unexpected argument 'b' found

    Usage: dae create [OPTIONS] [NAME]

    For more information, try '--help'.

    $ dae check --frobnicate
    exit: 2
    --- stderr
    error: unexpected argument '--frobnicate' found

    Usage: dae check [OPTIONS]

    For more information, try '--help'.

    $ dae -q -v check
    exit: 2
    --- stderr
    error: the argument '--quiet' cannot be used with '--verbose'

    Usage: dae --quiet <COMMAND>

    For more information, try '--help'.

    $ dae man nothing
    exit: 2
    --- stderr
    error: there is no command `nothing`

    hint: type `dae --help`
    ");
}

#[test]
fn an_app_yaml_that_is_none() {
    let cases: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("blanks", b"\n\n  \n"),
        ("words", b"just words\n"),
        ("a list", b"- application: a\n"),
        ("not closed", b"handlers: [1\n"),
        ("tabs", b"application: a\nhandlers:\n\t- url: /\n"),
        ("not UTF-8", b"application: caf\xe9\n"),
        ("an escape", b"application: \x1b[31mred\n"),
        ("two documents", b"application: a\n---\napplication: b\n"),
    ];
    let said = cases.iter().fold(String::new(), |said, (name, yaml)| format!("{said}# {name}\n{}", checked(yaml)));
    insta::assert_snapshot!(said, @r"
    # empty
    $ dae check
    exit: 1
    --- stderr
    error: `app.yaml` is empty
     --> app.yaml:1:1

    hint: the least it needs is `application: NAME` and one handler; `dae create` writes both

    # blanks
    $ dae check
    exit: 1
    --- stderr
    error: `app.yaml` is empty
     --> app.yaml:1:1

    hint: the least it needs is `application: NAME` and one handler; `dae create` writes both

    # words
    $ dae check
    exit: 1
    --- stderr
    error: app.yaml wants keys, and there is a text
     --> app.yaml:1:1
      |
    1 | just words
      | ^^^^^^^^^^

    hint: write `key: value`, one a line

    # a list
    $ dae check
    exit: 1
    --- stderr
    error: app.yaml wants keys, and there is a list
     --> app.yaml:1:1
      |
    1 | - application: a
      | ^

    hint: write `key: value`, one a line

    # not closed
    $ dae check
    exit: 1
    --- stderr
    error: `app.yaml` is not readable as YAML
     --> app.yaml:1:11
      |
    1 | handlers: [1
      |           ^
      because: unclosed bracket '['

    hint: look at the indentation and the colons near that line

    # tabs
    $ dae check
    exit: 1
    --- stderr
    error: `app.yaml` is not readable as YAML
     --> app.yaml:3:2
      |
    3 |  - url: /
      |  ^
      because: tabs disallowed within this context (block indentation)

    hint: YAML is indented with blanks, never with tabs

    # not UTF-8
    $ dae check
    exit: 1
    --- stderr
    error: `app.yaml` is not UTF-8
     --> app.yaml:1:17
      |
    1 | application: caf
      |                 ^
      because: the byte 0xe9 after that cannot be read

    hint: save it as UTF-8

    # an escape
    $ dae check
    exit: 1
    --- stderr
    error: `app.yaml` is not readable as YAML
     --> app.yaml:1:14
      |
    1 | application: �[31mred
      |              ^
      because: unexpected character: `\u{1b}'

    hint: look at the indentation and the colons near that line

    # two documents
    $ dae check
    exit: 1
    --- stderr
    error: `app.yaml` is not readable as YAML
     --> app.yaml:3:1
      |
    3 | application: b
      | ^
      because: a second document begins after `---`

    hint: take the `---` out, or what follows it
    ");
}

#[test]
fn an_app_yaml_of_wrong_types() {
    insta::assert_snapshot!(checked(
        b"application: [a]\nversion: {}\nruntime: 3\nworker: fast\nnworkers: 0\nprotected_files: secret\nhandlers:\n\
          - url: /(.*\n  wsgi_app: app:app\n- wsgi_app: app:app\n- url: /.*\n- url: /x\n  wsgi_app: app\n- nothing\n"
    ), @"
    $ dae check
    exit: 1
    --- stderr
    error: `application` wants a text, and there is a list
     --> app.yaml:1:14
      |
    1 | application: [a]
      |              ^

    hint: write `application: ...` with a plain word

    error: `version` wants a number or a word, and there is a set of keys
     --> app.yaml:2:10
      |
    2 | version: {}
      |          ^

    hint: write `version: 1`

    error: `3` is no runtime
     --> app.yaml:3:10
      |
    3 | runtime: 3
      |          ^

    hint: write `python3`

    error: `fast` is no kind of worker
     --> app.yaml:4:9
      |
    4 | worker: fast
      |         ^^^^

    hint: write `async`, `sync` or `asgi`

    error: `nworkers` wants a number, and there is `0`
     --> app.yaml:5:11
      |
    5 | nworkers: 0
      |           ^

    hint: write a whole number from 1 to 1024

    error: `protected_files` wants a list, and there is a text
     --> app.yaml:6:18
      |
    6 | protected_files: secret
      |                  ^^^^^^

    hint: write `protected_files: [...]`

    error: `/(.*` is not taken as a `url`
     --> app.yaml:8:12
      |
    8 | - url: /(.*
      |            ^
      because: a `(` without its `)`

    hint: mend the pattern

    error: this handler has no `url`
      --> app.yaml:10:3
       |
    10 | - wsgi_app: app:app
       |   ^^^^^^^^^^^^^^^^^

    hint: add `url: /.*`

    error: the handler of `/.*` does not say what answers
      --> app.yaml:11:3
       |
    11 | - url: /.*
       |   ^

    hint: give it one of `wsgi_app`, `asgi_app`, `websocket`, `static_files`, `static_dir`

    error: `app` does not name a callable
      --> app.yaml:13:13
       |
    13 |   wsgi_app: app
       |             ^^^

    hint: write `module:callable`, as in `app:app`

    error: a handler wants keys, and there is a text
      --> app.yaml:14:3
       |
    14 | - nothing
       |   ^^^^^^^

    hint: write `key: value`, one a line

    error: 11 problems
    ");
}

#[test]
fn an_app_yaml_that_is_a_folder_or_cannot_be_read() {
    let place = Place::new();
    std::fs::create_dir(place.path("app.yaml")).unwrap();
    insta::assert_snapshot!(transcript(&place, &[&["check"]]), @"
    $ dae check
    exit: 1
    --- stderr
    error: no app.yaml here or in any folder above
      because: looked from `[DIR]` up to `/`

    hint: type `dae create NAME`
    hint: or go into an app's folder first, or name it: `dae -C FOLDER ...`
    ");
}

#[test]
fn an_app_yaml_of_great_depth_or_size_is_an_answer_too() {
    for yaml in ["[".repeat(100_000), format!("a: {}", "&x [*x, ".repeat(5000)), "a: 1\n".repeat(20_000)] {
        let place = Place::new();
        let ran = place.write("app.yaml", yaml).dae(["check"]).run();
        assert_eq!(ran.code, 1, "{:.2000}", ran.raw());
        assert!(ran.stderr.contains("error: "), "{:.2000}", ran.raw());
    }
}

#[test]
fn a_pip_req_txt_that_is_wrong() {
    let place = Place::new();
    place.write("app.yaml", "application: a\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place.write("pip-req.txt", "flask=1\n# fine\n==2\nweb.py==0.62\nflask[x\n");
    insta::assert_snapshot!(transcript(&place, &[&["check"], &["install", "flask=>3"]]), @"
    $ dae check
    exit: 1
    --- stderr
    error: `flask=1` is no requirement
     --> pip-req.txt:1:1
      |
    1 | flask=1
      | ^^^^^^^
      because: one version is named with `==`

    hint: write it as pip does: `flask`, `flask==[VERSION]`, `flask[async]>=3,<4`

    error: `==[VERSION]` is no requirement
     --> pip-req.txt:3:1
      |
    3 | ==[VERSION]
      | ^^^
      because: it does not begin with a package's name

    hint: write it as pip does: `flask`, `flask==[VERSION]`, `flask[async]>=3,<4`

    error: `flask[x` is no requirement
     --> pip-req.txt:5:1
      |
    5 | flask[x
      | ^^^^^^^
      because: `[` is not closed

    hint: write it as pip does: `flask`, `flask==[VERSION]`, `flask[async]>=3,<4`

    error: 3 problems

    $ dae install flask=>3
    exit: 2
    --- stderr
    error: `flask=>3` is no requirement
      because: `=>` is written `>=`

    hint: write it as pip does: `flask`, `flask==[VERSION]`, `flask[async]>=3,<4`
    ");
    assert_eq!(place.read("pip-req.txt"), "flask=1\n# fine\n==2\nweb.py==0.62\nflask[x\n");
}

#[test]
fn a_reader_that_leaves_is_a_quiet_end() {
    let place = Place::new();
    let dae = env!("CARGO_BIN_EXE_dae");
    let ran = place.command("sh", ["-c", &format!("{dae} completions bash | head -1")]).ok();
    assert_eq!(ran.stderr, "");
}
