//! `dae service`: the talk's interface from .thrift file to another program's call, and what happens when things go wrong.

mod along;
mod contained;
mod discovery;
mod peers;
mod reload;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::harness::{Place, Running, free_port, python, shared_cache};

/// As the talk has it, the comma behind a function and all.
const IDL: &str = "struct UserProfile { 1: i32 uid, 2: string name, 3: string blurb }
service UserStorage { void store(1: UserProfile user), UserProfile retrieve(1: i32 uid) }
";
const APP_YAML: &str = "application: daetest
version: 1
runtime: python
handlers:
- url: /.*
  wsgi_app: app:app
services:
- interface: user.UserStorage
  handler: user.handler:UserStorageHandler
";
const HANDLER: &str = "from service_gen.user.ttypes import UserProfile

class UserStorageHandler:
    users = {}

    def store(self, user):
        self.users[user.uid] = user

    def retrieve(self, uid):
        return self.users.get(uid) or UserProfile(uid, 'user%d' % uid, 'one')
";
const WEB: &str = "from service_gen.user import UserStorage
from dae.api import service
users = service.client('daetest', UserStorage)

def app(environ, start_response):
    start_response('200 OK', [])
    return [users.retrieve(5).name.encode()]
";

/// The talk's app.
fn app() -> Place {
    let place = Place::new();
    place.write("a/app.yaml", APP_YAML).write("a/user.thrift", IDL).write("a/user/__init__.py", "");
    place.write("a/user/handler.py", HANDLER).write("a/app.py", WEB).write("a/pip-req.txt", "");
    place
}

/// A Python with Apache's library, and what a client may look for instances with; nothing of ours.
fn plain_python(place: &Place) -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let folder = shared_cache().join("thrift-0.25.0-kazoo-2.10.0-dnspython-2.7.0");
        let program = folder.join("bin/python");
        if !folder.join("done").exists() {
            let _ = std::fs::remove_dir_all(&folder);
            place.command(python(), ["-m", "venv"]).arg(&folder).ok();
            let install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
            let packages = ["thrift==0.25.0", "kazoo==2.10.0", "dnspython==2.7.0"];
            place.command(&program, install.iter().chain(&packages)).ok();
            std::fs::write(folder.join("done"), "").unwrap();
        }
        program
    };
    MADE.get_or_init(make).clone()
}

/// Installs the app's client beside Apache's library; the answer is what to put on the path.
fn install_client(place: &Place) -> PathBuf {
    place.dae(["service", "gen_client"]).dir("a").ok();
    let target = place.path("installed");
    let args =
        ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "a/daetest_client", "--target"];
    place.command(plain_python(place), args).arg(&target).ok();
    target
}

/// `dae service serve` on a port of its own.
fn serve(place: &Place) -> (Running, u16) {
    let port = free_port();
    let mut serve = place.dae(["service", "serve", "--port", &port.to_string()]).dir("a").spawn();
    serve.until("Started");
    (serve, port)
}

#[test]
fn the_talks_service_is_called_from_elsewhere() {
    let place = app();
    let installed = install_client(&place);
    let port = free_port();
    let mut serve = place.dae(["serve", "a", "--port", &port.to_string()]).spawn();
    serve.until("Started user.UserStorage at 127.0.0.1:");
    let code = "
import asyncio, daetest_client
from daetest_client import UserProfile, UserStorage
from daetest_client.aio import UserStorage as Awaited
print(UserStorage.retrieve(1))
print(UserStorage.store(UserProfile(7, 'seven')), UserStorage.retrieve(uid=7))
print(asyncio.run(Awaited.retrieve(7)))
";
    let said = place.command(plain_python(&place), ["-c", code]).env("PYTHONPATH", &installed).ok().stdout;
    insta::assert_snapshot!(said, @"
    UserProfile(uid=1, name='user1', blurb='one')
    None UserProfile(uid=7, name='seven', blurb=None)
    UserProfile(uid=7, name='seven', blurb=None)
    ");
    assert_eq!(crate::harness::get(port, "daetest.localhost", "/").text(), "user5");
    let call = |args: &[&str]| place.dae(["service", "call", "UserStorage"].iter().chain(args)).dir("a").run();
    insta::assert_snapshot!(call(&["retrieve", "1", "--json"]), @r#"
    exit: 0
    --- stdout
    {"returned":{"blurb":"one","name":"user1","uid":1}}
    "#);
    insta::assert_snapshot!(call(&["retrieve", "x"]), @r"
    exit: 2
    --- stderr
    error: uid: 'x' is no number

    hint: it is `UserProfile retrieve(i32 uid)`
    ");
    insta::assert_snapshot!(call(&["forget", "1"]), @r"
    exit: 1
    --- stderr
    error: `UserStorage` has no method `forget`

    hint: it has void store(UserProfile user), UserProfile retrieve(i32 uid)
    ");
    insta::assert_snapshot!(call(&["store", "{\"uid\": 1, \"nmae\": \"x\"}"]), @r"
    exit: 2
    --- stderr
    error: user: UserProfile has no 'nmae'; it has uid, name, blurb

    hint: it is `void store(UserProfile user)`
    ");
    insta::assert_snapshot!(place.dae(["service", "list"]).dir("a").run(), @r"
    exit: 0
    --- stdout
    user.UserStorage  127.0.0.1:[PORT]  user.handler:UserStorageHandler
      void store(UserProfile user)
      UserProfile retrieve(i32 uid)
    ");
    serve.stop();
    let nobody = call(&["retrieve", "1"]);
    assert!(nobody.code == 1 && nobody.stderr.contains("type `dae service serve`"), "{}", nobody.raw());
}

/// The files beside this one that speak Thrift.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/thrift").join(name)
}

#[test]
fn an_interface_that_breaks_callers_is_told() {
    let place = app();
    place.dae(["service", "gen_client"]).dir("a").ok();
    assert_eq!(
        place.dae(["service", "lint"]).dir("a").ok().stdout,
        "user.thrift is good; no client made from `daetest_client` breaks\n"
    );
    let changed = "struct UserProfile { 1: i64 uid, 2: string blurb, 3: string name, 4: required i32 age }
service UserStorage { UserProfile retrieve(1: i32 uid, 2: required bool all) }
";
    place.write("a/user.thrift", changed);
    insta::assert_snapshot!(place.dae(["service", "lint"]).dir("a").run(), @"
    exit: 1
    --- stdout
    error: `UserStorage` has no `store` any more, and clients call it
     --> user.thrift:2:9
      |
    2 | service UserStorage { UserProfile retrieve(1: i32 uid, 2: required bool all) }
      |         ^^^^^^^^^^^

    hint: keep it until no client calls it

    error: `uid` of `UserProfile` was i32 and now is i64
     --> user.thrift:1:25
      |
    1 | struct UserProfile { 1: i64 uid, 2: string blurb, 3: string name, 4: required i32 age }
      |                         ^^^

    hint: give what is new another number

    error: the number 2 of `UserProfile` was `name` and now is `blurb`
     --> user.thrift:1:34
      |
    1 | struct UserProfile { 1: i64 uid, 2: string blurb, 3: string name, 4: required i32 age }
      |                                  ^

    hint: what clients send as the one is read as the other; give the new field a new number

    error: the number 3 of `UserProfile` was `blurb` and now is `name`
     --> user.thrift:1:51
      |
    1 | struct UserProfile { 1: i64 uid, 2: string blurb, 3: string name, 4: required i32 age }
      |                                                   ^

    hint: what clients send as the one is read as the other; give the new field a new number

    error: `age` of `UserProfile` is new and required
     --> user.thrift:1:83
      |
    1 | struct UserProfile { 1: i64 uid, 2: string blurb, 3: string name, 4: required i32 age }
      |                                                                                   ^^^

    hint: clients of before do not send it: make it optional

    error: `all` of `retrieve` is new and required
     --> user.thrift:2:73
      |
    2 | service UserStorage { UserProfile retrieve(1: i32 uid, 2: required bool all) }
      |                                                                         ^^^

    hint: clients of before do not send it: make it optional

    these break clients that were made before
    ");
}

#[test]
fn the_same_interface_is_the_same_bytes() {
    let (one, two) = (app(), app());
    for place in [&one, &two] {
        place.dae(["service", "gen-client", "--out", "client"]).dir("a").ok();
    }
    let files: Vec<String> =
        one.files().into_iter().filter(|file| file.starts_with("a/client/") && !file.ends_with('/')).collect();
    assert!(files.len() > 15, "{files:?}");
    for file in files {
        assert_eq!(one.read(&file), two.read(&file), "{file}");
    }
    let wheel = |place: &Place, to: &str| {
        let args = ["-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check", "a/client", "-w", to];
        place.command(plain_python(place), args).ok();
        let name =
            place.files().into_iter().find(|file| Path::new(file).extension().is_some_and(|end| end == "whl")).unwrap();
        std::fs::read(place.path(name)).unwrap()
    };
    assert!(wheel(&one, "wheels") == wheel(&two, "wheels"), "two wheels of the same interface differ");
    let again = one.dae(["service", "gen_client", "--out", "client"]).dir("a").ok();
    assert!(again.stdout.contains("unchanged"), "{}", again.raw());
}

#[test]
fn what_a_handler_lacks_is_said() {
    let place = app();
    place.write("a/user/handler.py", HANDLER.replace("def store", "def sotre"));
    let ran = place.dae(["service", "serve", "--port", &free_port().to_string()]).dir("a").run();
    insta::assert_snapshot!(ran.stderr.lines().filter(|line| line.contains("error:")).collect::<String>(), @"error: user.handler.UserStorageHandler has no store, and user.UserStorage promises it");
}
