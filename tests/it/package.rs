//! `dae package`: what goes into an image, and that it is the same everywhere.

use std::fs;

use crate::harness::Place;

const APP_YAML: &str = "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";
const APP_PY: &str = "def app(environ, start):\n    start('200 OK', [])\n    return [b'one']\n";

fn app(place: &Place, folder: &str) {
    place.write(format!("{folder}/app.yaml"), APP_YAML).write(format!("{folder}/app.py"), APP_PY);
    place.write(format!("{folder}/pip-req.txt"), "");
}

#[test]
fn the_same_app_is_the_same_image_in_another_folder_and_home() {
    let digests = ["one", "some/where else"].map(|folder| {
        let place = Place::new();
        app(&place, folder);
        let packed = place.dae(["package", "--json"]).dir(folder).ok().json();
        let path = packed["path"].as_str().unwrap().to_owned();
        let index: serde_json::Value =
            serde_json::from_slice(&fs::read(format!("{path}/index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"][0]["digest"], packed["image"]);
        let blobs = fs::read_dir(format!("{path}/blobs/sha256")).unwrap().count() as u64;
        assert_eq!(blobs, packed["layers"].as_u64().unwrap() + 2, "layers, configuration, manifest");
        let again = place.dae(["package", "--json", "-o", "../out"]).dir(folder).ok().json();
        assert_eq!((&again["image"], &again["new_layers"]), (&packed["image"], &0.into()));
        packed["image"].as_str().unwrap().to_owned()
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn what_would_be_packed_can_be_looked_at_first() {
    let place = Place::new();
    app(&place, "a");
    place.write("a/app.yaml", format!("{APP_YAML}protected_files: [local_config.py]\n"));
    place.write("a/local_config.py", "KEY = 1").write("a/dev.yaml", "").write("a/venv/x", "").write("a/permdir/x", "");
    place.write("a/x.log", "").write("a/y.log", "").write("a/.gitignore", "*.log\n").write("a/.daeignore", "!y.log\n");
    insta::assert_snapshot!(place.dae(["package", "--list-files"]).dir("a").ok(), @"
    exit: 0
    --- stdout
    .daeignore
    .gitignore
    app.py
    app.yaml
    pip-req.txt
    y.log
    local_config.py (protected, left out)
    --- stderr
           Packs 6 files, 179 bytes
    ");
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let place = Place::new();
    app(&place, "a");
    place.write("out/mine", "");
    let ran = place.dae(["package", "-q", "-o", "../out"]).dir("a").run();
    insta::assert_snapshot!(ran, @"
    exit: 1
    --- stderr
    error: `[DIR]/out` is there and is no OCI layout

    hint: name another folder with `-o`
    ");
    assert_eq!(place.read("out/mine"), "");
}
