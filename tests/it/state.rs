//! `dae state`: the data of all services together.

use std::time::Instant;

use crate::harness::Place;
use crate::mysql::{PYMYSQL, Served, blog, there_is_a_server};

#[test]
fn a_state_is_saved_and_restored_while_the_app_is_served_and_while_not() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.post("one"), ["one"]);
    place.write("blog/permdir/file", "one");
    let saved = place.dae(["-C", "blog", "state", "save", "first"]).ok();
    assert!(saved.stderr.contains("`first` saved"), "{}", saved.raw());
    assert_eq!(served.post("two"), ["one", "two"]);
    place.write("blog/permdir/file", "two");

    place.dae(["-C", "blog", "state", "restore", "--yes", "first"]).ok();
    assert_eq!(served.lines(), ["one"]);
    assert_eq!(place.read("blog/permdir/file"), "one");
    assert_eq!(served.post("three"), ["one", "three"]);

    place.dae(["-C", "blog", "state", "reset", "--yes"]).ok();
    assert_eq!(served.lines(), [""; 0]);
    assert!(!place.path("blog/permdir/file").exists());
    assert_eq!(served.serve.stop().code, 0);

    // Nobody serves it now.
    place.dae(["-C", "blog", "state", "restore", "--yes", "first"]).ok();
    let listed = place.dae(["-C", "blog", "state", "list", "--json"]).ok().json();
    assert_eq!(listed["states"].as_array().unwrap().len(), 1, "{listed}");
    let served = Served::start(&place, "blog", &["--cold"]);
    assert_eq!(served.lines(), ["one"]);
    drop(served);
    place.dae(["-C", "blog", "state", "rm", "first"]).ok();
    let unknown = place.dae(["-C", "blog", "state", "restore", "--yes", "first"]).run();
    insta::assert_snapshot!(unknown, @"
    exit: 1
    --- stderr
    error: there is no state `first`

    hint: type `dae state save NAME`
    ");
    let asked = place.dae(["-C", "blog", "state", "reset"]).run();
    insta::assert_snapshot!(asked, @"
    exit: 2
    --- stderr
    error: what is there now would be gone

    hint: add `--yes`, or save it first: `dae state save NAME`
    ");
}

#[test]
fn what_is_thrown_away_is_not_the_apps_own() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.post("mine"), ["mine"]);
    place.write("blog/permdir/file", "mine");
    served.serve.stop();
    let fresh = Served::start(&place, "blog", &["--fresh"]);
    assert_eq!(fresh.post("thrown away"), ["thrown away"]);
    assert_eq!(fresh.send("GET", "/i/file", "").status, 404);
    fresh.serve.stop();
    assert!(!place.files().iter().any(|file| file.contains(".dae/fresh-")));
    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.lines(), ["mine"]);
    assert_eq!(served.send("GET", "/i/file", "").text(), "mine");
}

#[test]
fn a_hundred_megabytes_are_quick() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    blog(&place, "blog", PYMYSQL);
    let served = Served::start(&place, "blog", &[]);
    served.post("one");
    let mut bytes = vec![0_u8; 80 << 20];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::try_from((at * 2_654_435_761) >> 24 & 0xff).unwrap();
    }
    place.write("blog/permdir/large", &bytes);
    for verb in ["save", "restore"] {
        let began = Instant::now();
        place.dae(["-C", "blog", "state", verb, "large"]).env("DAE_YES", "1").ok();
        println!("state {verb} of 100 MB, as typed: {} ms", began.elapsed().as_millis());
    }
    assert_eq!(std::fs::read(place.path("blog/permdir/large")).unwrap(), bytes);
    assert_eq!(served.lines(), ["one"]);
}
