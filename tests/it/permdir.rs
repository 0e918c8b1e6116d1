//! `dae permdir`, and the files in it as they are served.

use crate::harness::Place;
use crate::mysql::{Served, blog};

#[test]
fn files_go_in_and_out_and_are_served() {
    let place = Place::new();
    blog(&place, "blog", "");
    std::fs::remove_dir_all(place.path("blog/databases")).unwrap();
    place.write("blog/app.py", "from dae.api import permdir\nfrom dae.api.permdir import get_permdir\n\ndef app(environ, start_response):\n    assert permdir.permdir == get_permdir()\n    start_response('200 OK', [])\n    return [permdir.get_permdir().encode()]\n");
    place.write("a.png", "a picture");
    place.dae(["-C", "blog", "permdir", "put", "../a.png", "avatars/1.png"]).ok();
    let listed = place.dae(["-C", "blog", "permdir", "ls"]).ok();
    assert_eq!(listed.stdout.split_whitespace().last(), Some("avatars/1.png"), "{}", listed.raw());
    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.send("GET", "/i/avatars/1.png", "").text(), "a picture");
    assert_eq!(served.send("GET", "/", "").text(), place.path("blog/permdir").to_string_lossy());
    place.dae(["-C", "blog", "permdir", "get", "avatars/1.png", "../b.png"]).ok();
    assert_eq!(place.read("b.png"), "a picture");
    place.dae(["-C", "blog", "permdir", "rm", "avatars/1.png"]).ok();
    assert_eq!(served.send("GET", "/i/avatars/1.png", "").status, 404);
    for outside in ["../app.py", "/etc/passwd"] {
        let refused = place.dae(["-C", "blog", "permdir", "get", outside]).run();
        assert_eq!(refused.code, 2, "{}", refused.raw());
        assert!(refused.stderr.contains("leads out of the app's permdir"), "{}", refused.raw());
    }
    served.serve.stop();
    // Another folder by dev.yaml, for the app, the gateway and the command alike.
    place.write("blog/dev.yaml", "permdir: permdir_test\n");
    place.dae(["-C", "blog", "permdir", "put", "../a.png", "2.png"]).ok();
    assert_eq!(place.read("blog/permdir_test/2.png"), "a picture");
    let served = Served::start(&place, "blog", &[]);
    assert_eq!(served.send("GET", "/i/2.png", "").text(), "a picture");
    assert_eq!(served.send("GET", "/", "").text(), place.path("blog/permdir_test").to_string_lossy());
}
