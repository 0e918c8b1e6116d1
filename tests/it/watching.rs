//! Changed files are noticed where the system does not tell of them: because it was asked for, because it cannot, or because it
//! cannot any more.

use std::ffi::OsString;

use crate::harness::{Place, Running, free_port, get};

fn app() -> Place {
    let place = Place::new();
    place.write("app/app.yaml", "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    place.write("app/pip-req.txt", "").write("app/pkg/__init__.py", "").write("app/pkg/word.py", "WORD = 'one'\n");
    let code = "from pkg.word import WORD\n\ndef app(environ, start_response):\n    start_response('200 OK', [])\n    return [WORD.encode()]\n";
    place.write("app/app.py", code);
    place
}

fn follows(place: &Place, serve: &mut Running, port: u16, file: &str, says: &str) {
    place.write(file, format!("WORD = '{says}'\n"));
    loop {
        serve.event("reloaded");
        if get(port, "app.localhost", "/").text() == says {
            return;
        }
    }
}

#[test]
fn by_the_clock_where_it_is_asked_for() {
    let place = app();
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--json", "--poll", "--port", &port.to_string()]).spawn();
    assert_eq!(serve.event("polling")["because"], "`--poll` asks for it");
    serve.event("started");
    follows(&place, &mut serve, port, "app/pkg/word.py", "two");
    follows(&place, &mut serve, port, "app/pkg/word.py", "six");
    assert_eq!(serve.stop().code, 0);
}

/// Serves where only so many folders can be watched; none where such a limit cannot be set.
fn limited(place: &Place, folders: usize, port: u16) -> Option<Running> {
    let limit = format!("echo {folders} > /proc/sys/user/max_inotify_watches");
    if !place.command("unshare", ["-Ur", "sh", "-c", &limit]).run().stderr.is_empty() {
        println!("skipped: no user namespace with a limit of its own can be made here");
        return None;
    }
    let line = format!("{limit} && exec \"$0\" \"$@\"");
    let text = port.to_string();
    let mut args: Vec<OsString> = ["-Ur", "sh", "-c", &line].map(Into::into).to_vec();
    args.extend([env!("CARGO_BIN_EXE_dae"), "serve", "app", "--json", "--port", &text].map(Into::into));
    Some(place.command("unshare", args).spawn())
}

#[test]
fn by_the_clock_where_the_system_watches_no_more_folders() {
    let place = app();
    let port = free_port();
    let Some(mut serve) = limited(&place, 1, port) else { return };
    let because = serve.event("polling")["because"].as_str().unwrap().to_owned();
    assert!(because.contains("fs.inotify.max_user_watches"), "{because}");
    serve.event("started");
    follows(&place, &mut serve, port, "app/pkg/word.py", "two");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn by_the_clock_from_the_folder_on_that_is_one_too_many() {
    let place = app();
    let port = free_port();
    // The app's folder and `pkg`.
    let Some(mut serve) = limited(&place, 2, port) else { return };
    serve.event("started");
    follows(&place, &mut serve, port, "app/pkg/word.py", "two");
    assert!(!serve.said().contains("polling"), "{}", serve.said());
    place.write("app/more/__init__.py", "").write("app/more/word.py", "WORD = 'more'\n");
    serve.event("polling");
    place.write("app/pkg/word.py", "from more.word import WORD\n");
    while get(port, "app.localhost", "/").text() != "more" {
        serve.event("reloaded");
    }
    follows(&place, &mut serve, port, "app/more/word.py", "most");
    assert_eq!(serve.stop().code, 0);
}
