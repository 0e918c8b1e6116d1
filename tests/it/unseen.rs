//! What the configuration of a deployed app and its protected files hold is in nothing that the node keeps of it.

use std::path::{Path, PathBuf};

use crate::crew::until;
use crate::deploy::Remote;
use crate::harness::get;

const YAML: &str = "application: daetest
handlers:
- url: /.*
  wsgi_app: app:app
selftest: []
protected_files: [local_config.py]
report_observer_emails: [ann@example.com]
release: announce.py
daemons:
- {name: feed, script: feed.py}
cron:
- {name: nightly, schedule: \"0 3 1 1 *\", script: announce.py}
";
/// Prints both.
const ANNOUNCE: &str = "
import os, local_config

print('they are', os.environ['PARTNER'], local_config.KEY, os.environ['MODE'], flush=True)
";
const APP: &str = "
import announce, json, http.client, local_config, os, urllib.parse, uuid

def report(frames):
    dsn = urllib.parse.urlsplit(os.environ['SENTRY_DSN'])
    told = {'event_id': uuid.uuid4().hex, 'exception': {'values': [{
        'type': 'Reported', 'value': 'token=' + '-'.join(['hush', 'by', 'its', 'text']), 'stacktrace': {'frames': frames}}]}}
    connection = http.client.HTTPConnection(dsn.hostname, dsn.port)
    auth = 'Sentry sentry_version=7, sentry_key=' + dsn.username
    connection.request('POST', '/api/1/store/', json.dumps(told), {'X-Sentry-Auth': auth})
    return connection.getresponse().status

def app(environ, start):
    if environ['PATH_INFO'] == '/report':
        seen = {'db_password': '-'.join(['hush', 'by', 'its', 'name']), 'shown': 'shown', 'partner': os.environ['PARTNER']}
        start('%d OK' % report([{'filename': 'app.py', 'lineno': 1, 'function': 'f', 'in_app': True, 'vars': seen}]), [])
        return [b'']
    raise ValueError(os.environ['PARTNER'] + ' and ' + local_config.KEY)
";

const SECRET: &[&str] = &["hush-of-config", "hush-of-file", "hush-by-its-name", "hush-by-its-text"];

/// All files below a folder, but those with the app itself in them.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !["releases", "blobs", "layers", "uploads"].iter().any(|own| path.ends_with(own)) {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

#[test]
fn secrets_are_in_no_log_no_error_no_mail_and_no_story_of_a_deploy() {
    let remote = Remote::new();
    let write = |name: &str, text: &str| {
        remote.place.write(format!("daetest/{name}"), text);
    };
    write("app.yaml", YAML);
    write("app.py", APP);
    write("announce.py", ANNOUNCE);
    write("feed.py", "import announce, time\ntime.sleep(600)\n");
    write("local_config.py", "KEY = 'hush-of-file'\n");
    remote.dae(&["config", "set", "PARTNER=hush-of-config", "MODE=production"]).ok();
    let deployed = remote.dae(&["deploy"]).ok();
    let filtered = "they are [Filtered] [Filtered] production";
    assert!(deployed.raw().contains(filtered), "{}", deployed.raw());

    let ask = |path: &str| get(remote.port, "daetest.apps.localhost", path).status;
    assert_eq!((ask("/"), ask("/report")), (500, 200));
    let at = |what: &[&str]| remote.dae(&[what, &["--remote", "prod"]].concat()).ok().stdout;
    let mails = || remote.dae(&["mail", "list", "--remote", "prod", "--json"]).ok().json()["mails"].clone();
    until("both are mailed", || mails().as_array().unwrap().len() == 2);
    assert!(at(&["mail", "show", "1"]).contains("ValueError: [Filtered] and [Filtered]"));
    assert!(at(&["errors", "show", "1"]).contains("ValueError: [Filtered] and [Filtered]"));
    let reported = remote.dae(&["errors", "show", "2", "--remote", "prod", "--json"]).ok().json();
    let value = &reported["reports"][0]["exception"]["values"][0];
    assert_eq!(value["value"], "token=[Filtered]");
    let seen = &value["stacktrace"]["frames"][0]["vars"];
    let wanted = serde_json::json!({"db_password": "[Filtered]", "shown": "shown", "partner": "[Filtered]"});
    assert_eq!(*seen, wanted);
    assert!(at(&["cron", "run", "nightly"]).contains(filtered));
    until("the daemon's line is kept", || at(&["logs", "--process", "feed"]).contains(filtered));
    assert!(at(&["logs", "--process", "web"]).contains(filtered));

    let mut kept = Vec::new();
    files(&remote.place.path("node"), &mut kept);
    let names: Vec<String> = kept.iter().map(|path| path.display().to_string()).collect();
    for part in ["web.log", "feed.log", "cron.sqlite", "errors.db", ".eml", "store.sqlite"] {
        assert!(names.iter().any(|name| name.ends_with(part)), "{part}: {names:#?}");
    }
    for path in kept {
        let bytes = std::fs::read(&path).unwrap_or_default();
        for secret in SECRET {
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}
