//! Several processes that stop in a debugger at the same time, and one terminal.

use std::thread::JoinHandle;

use crate::harness::{Place, Seated, free_port, get};

const YAML: &str = "handlers:\n- url: /.*\n  wsgi_app: app:app\n";
/// Stops at `/stop...`, and prints what else is asked for.
const CODE: &str = "def app(environ, start_response):\n    path = environ['PATH_INFO']\n    \
                    if path.startswith('/stop'):\n        breakpoint()\n    else:\n        print('asked for', path, flush=True)\n    \
                    start_response('200 OK', [])\n    return [b'went on']\n";
const CTRL_N: &str = "\u{e}";

fn app(place: &Place, name: &str, more: &str) {
    place.write(format!("{name}/app.yaml"), format!("application: {name}\n{YAML}{more}"));
    place.write(format!("{name}/app.py"), CODE).write(format!("{name}/pip-req.txt"), "");
}

fn serve(place: &Place, apps: &[&str]) -> (Seated, u16) {
    let port = free_port();
    let port_word = port.to_string();
    let words = ["serve"].iter().chain(apps).copied().chain(["--port", &port_word]);
    let mut serve = place.dae(words).seated();
    for _ in apps {
        serve.until("started");
    }
    (serve, port)
}

fn ask(port: u16, host: &'static str, path: &'static str) -> JoinHandle<String> {
    std::thread::spawn(move || get(port, host, path).text())
}

fn quit(mut serve: Seated) {
    serve.keys("q");
    serve.until("everything it started has ended");
    assert_eq!(serve.wait(), 0);
}

#[test]
fn workers_of_one_server_stop_one_after_the_other() {
    let place = Place::new();
    app(&place, "app", "nworkers: 2\n");
    let (mut serve, port) = serve(&place, &["app"]);
    let first = ask(port, "app.localhost", "/stop/1");
    serve.until("(Pdb) ");
    // The first worker stands still, so the other one has it.
    let second = ask(port, "app.localhost", "/stop/2");
    serve.keys("p path\n");
    serve.until("'/stop/1'");
    serve.until("(Pdb) ");
    serve.keys("n\n");
    serve.until("(Pdb) ");
    serve.keys("p path\n");
    serve.until("'/stop/1'");
    serve.until("(Pdb) ");
    serve.keys("c\n");
    assert_eq!(first.join().unwrap(), "went on");
    serve.until("web has the keyboard");
    serve.keys("p path\n");
    serve.until("'/stop/2'");
    serve.until("(Pdb) ");
    serve.keys("c\n");
    assert_eq!(second.join().unwrap(), "went on");
    serve.until("200 GET /stop/2");
    quit(serve);
}

#[test]
fn of_two_apps_one_has_the_keyboard_and_nothing_tears_its_line() {
    let place = Place::new();
    app(&place, "one", "nworkers: 2\n");
    app(&place, "two", "");
    let (mut serve, port) = serve(&place, &["one", "two"]);
    let one = ask(port, "one.localhost", "/stop");
    serve.until("one/web has the keyboard");
    serve.until("(Pdb) ");
    serve.keys("p 'half");
    serve.until("(Pdb) p 'half");
    // Printed above the line, which stands there again with all that was typed.
    assert_eq!(get(port, "two.localhost", "/tea").text(), "went on");
    serve.until("\r\u{1b}[J");
    serve.until("asked for /tea");
    serve.until("(Pdb) p 'half");
    let two = ask(port, "two.localhost", "/stop");
    serve.until("two/web waits; `c` or Ctrl-N in one/web gives it the keyboard");
    serve.until("(Pdb) p 'half");
    serve.keys(&format!("{}one'\n", "\u{7f}".repeat(4)));
    serve.until("'one'");
    serve.until("(Pdb) ");
    serve.keys(CTRL_N);
    serve.until("one/web is put aside");
    serve.until("two/web has the keyboard");
    serve.until("(Pdb) ");
    serve.keys("p environ['HTTP_HOST']\n");
    serve.until("'two.localhost");
    serve.until("(Pdb) ");
    serve.keys("c\n");
    assert_eq!(two.join().unwrap(), "went on");
    serve.until("one/web has the keyboard");
    // Put aside where nobody else waits: keys are keys, and `d` turns to it again.
    serve.until("(Pdb) ");
    serve.keys(CTRL_N);
    serve.until("one/web is put aside");
    serve.keys("?");
    serve.until("[d]ebugger");
    serve.keys("d");
    serve.until("one/web has the keyboard");
    serve.until("(Pdb) ");
    serve.keys("c\n");
    assert_eq!(one.join().unwrap(), "went on");
    serve.until("one: GET /stop");
    serve.keys("d");
    serve.until("none waits");
    quit(serve);
}

#[test]
fn the_end_of_one_gives_the_keyboard_to_the_one_that_waits() {
    let place = Place::new();
    app(&place, "app", "daemons:\n- {name: feed, script: feed.py}\n");
    place.write(
        "app/feed.py",
        "import os\nbreakpoint()\nprint('feed went on', flush=True)\nimport time\ntime.sleep(1000)\n",
    );
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).seated();
    serve.until("feed has the keyboard");
    serve.until("(Pdb) ");
    serve.keys("p 'pid', os.getpid(), 'pid'\n");
    serve.until("('pid', ");
    let asked = ask(port, "app.localhost", "/stop");
    serve.until("web waits; `c` or Ctrl-N in feed gives it the keyboard");
    let said = serve.seen().rsplit("('pid', ").find_map(|rest| rest.split_once(", 'pid')")?.0.parse().ok()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(said), nix::sys::signal::Signal::SIGKILL).unwrap();
    serve.until("web has the keyboard");
    serve.until("(Pdb) ");
    // The daemon is started again, and waits in turn.
    serve.until("feed waits; `c` or Ctrl-N in web gives it the keyboard");
    serve.keys("c\n");
    assert_eq!(asked.join().unwrap(), "went on");
    serve.until("feed has the keyboard");
    serve.until("(Pdb) ");
    serve.keys("c\n");
    serve.until("feed went on");
    quit(serve);
}
