//! Secrets on their way to a node: sealed in the image, opened for the app's processes alone, shown to nobody.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::deploy::{Remote, said};
use crate::harness::get;

const APP_YAML: &str = "application: daetest
handlers:
- url: /files/(.*)
  static_files: \\1
- url: /.*
  wsgi_app: app:app
protected_files: [local_config.py, \"secrets/*\"]
";
const APP_PY: &str = "import local_config
def app(environ, start):
    start('200 OK', [])
    return [(local_config.KEY + ' ' + open('secrets/pass').read()).encode()]
";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else if entry.file_type().unwrap().is_file() {
            found.push(entry.path());
        }
    }
}

#[test]
fn a_secret_reaches_the_app_and_nobody_else() {
    let remote = Remote::new();
    let place = &remote.place;
    place.write("daetest/app.yaml", APP_YAML).write("daetest/app.py", APP_PY);
    place.write("daetest/local_config.py", "KEY = 'swordfish'\n").write("daetest/secrets/pass", "mellon");
    place.write("daetest/.gitignore", "local_config.py\nsecrets/\n");

    let listed = remote.dae(&["deploy", "--list-files"]).ok();
    assert!(listed.stdout.contains("local_config.py (sealed)\nsecrets/pass (sealed)"), "{}", listed.raw());
    let packed = remote.dae(&["package"]).ok();
    assert!(
        packed
            .stderr
            .contains("left out, because secrets are sealed to the remote they go to: local_config.py, secrets/pass"),
        "{}",
        packed.raw()
    );

    remote.deploy();
    assert_eq!(remote.says(), said("swordfish mellon", "r1"));
    let again = remote.deploy();
    assert_eq!(again["outcome"], "unchanged");

    // On the node: the two files themselves, and what Python made of one; nowhere else, packed or not.
    let mut all = Vec::new();
    files(&place.path("node"), &mut all);
    let mut clear = Vec::new();
    for path in &all {
        let bytes = std::fs::read(path).unwrap();
        let plain = zstd::decode_all(bytes.as_slice()).unwrap_or(bytes);
        if [&b"swordfish"[..], b"mellon"].iter().any(|secret| plain.windows(secret.len()).any(|part| part == *secret)) {
            clear.push(path);
        }
    }
    for path in &clear {
        let shown = path.to_string_lossy();
        let whose = ["app/local_config.py", "app/secrets/pass"].iter().any(|end| shown.ends_with(end));
        let bytecode = shown.contains("/apps/daetest/cache/") && shown.contains("/local_config.");
        assert!(shown.contains("/apps/daetest/releases/") && (whose || bytecode), "{shown}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{shown}");
    }
    assert!(clear.len() >= 2, "{clear:?}");
    let key = std::fs::metadata(place.path("node/key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(key, 0o600);
    for secret in ["local_config.py", "secrets/pass"] {
        let host = format!("daetest.apps.localhost:{}", remote.port);
        assert_eq!(get(remote.port, &host, &format!("/files/{secret}")).status, 404);
    }

    // A secret that Python cannot read is not quoted.
    place.write("daetest/local_config.py", "KEY = 'swordfish\n");
    let broken = remote.dae(&["deploy"]).run();
    assert_eq!(broken.code, 6, "{}", broken.raw());
    assert!(broken.stderr.contains("SyntaxError"), "{}", broken.raw());
    assert!(!broken.raw().contains("swordfish"), "{}", broken.raw());
    assert_eq!(remote.says(), said("swordfish mellon", "r1"));
}

#[test]
fn what_was_sealed_for_another_node_is_refused() {
    let mut remote = Remote::new();
    let place = &remote.place.clone();
    place.write("daetest/app.yaml", APP_YAML).write("daetest/app.py", APP_PY);
    place.write("daetest/local_config.py", "KEY = 'swordfish'\n").write("daetest/secrets/pass", "mellon");
    let image = remote.deploy()["image"].clone();
    remote.stop();
    // As after moving to a machine without the key.
    std::fs::remove_file(place.path("node/key")).unwrap();
    std::fs::remove_dir_all(place.path("node/apps")).unwrap();
    let mut node = place.dae(["node", "serve", "--dir", "node"]).spawn();
    node.until("cannot be opened here");
    // Sealed anew it goes.
    let new = remote.deploy();
    assert_ne!(new["image"], image);
    assert_eq!(remote.says(), said("swordfish mellon", "r2"));
}
