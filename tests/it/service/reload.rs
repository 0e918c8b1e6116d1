//! The service's code changes while it is called.

use super::{HANDLER, app, install_client, plain_python, script};
use crate::harness::free_port;

#[test]
fn no_call_fails_while_the_service_is_reloaded() {
    let place = app();
    let installed = install_client(&place);
    let mut serve = place.dae(["serve", "a", "--port", &free_port().to_string()]).spawn();
    serve.until("Started user.UserStorage");
    let mut load = place.command(plain_python(&place), [script("reload.py")]).env("PYTHONPATH", &installed).spawn();
    load.until("saw one");
    for word in ["two", "three", "four"] {
        place.write("a/user/handler.py", HANDLER.replace("'one'", &format!("'{word}'")));
        load.until(&format!("saw {word}"));
    }
    let ran = load.stop();
    println!("{}", ran.stdout);
    assert!(ran.stdout.ends_with("failed [] 0\n"), "{}", ran.raw());
}

#[test]
fn an_edit_of_a_handler_is_live_when_the_line_says_so() {
    let place = app();
    let installed = install_client(&place);
    let mut serve = place.dae(["serve", "a", "--json", "--port", &free_port().to_string()]).spawn();
    serve.event("started");
    for word in ["two", "three"] {
        place.write("a/user/handler.py", HANDLER.replace("'one'", &format!("'{word}'")));
        let told = serve.event("reloaded");
        assert_eq!(told["start"], "warm", "{told}");
        let code = "from daetest_client import UserStorage; print(UserStorage.retrieve(1).blurb)";
        let call = place.command(plain_python(&place), ["-c", code]).env("PYTHONPATH", &installed);
        assert_eq!(call.ok().stdout, format!("{word}\n"));
    }
}
