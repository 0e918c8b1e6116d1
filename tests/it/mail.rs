//! Mail, sent by real apps and real clients; and that a real SMTP server answers the same.

use std::path::{Path, PathBuf};

use crate::harness::{Place, Running, free_port, get, python};

const YAML: &str = "application: app\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";

/// A Python with these packages, kept between runs.
pub fn python_with(place: &Place, name: &str, packages: &[&str]) -> std::path::PathBuf {
    let folder = crate::harness::shared_cache().join("clients").join(name);
    let found = folder.join("bin/python");
    if !folder.join("complete").exists() {
        place.command(python(), ["-m", "venv", folder.to_str().unwrap()]).ok();
        let mut install = vec!["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        install.extend(packages);
        place.command(&found, install).ok();
        std::fs::write(folder.join("complete"), "").unwrap();
    }
    found
}

/// Runs a suite of tests/platform; what it printed.
pub fn platform(place: &Place, python: &Path, suite: &str, env: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platform").join(suite);
    let file = file.to_str().unwrap();
    let mut suite = place.command(python, ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "/", file]);
    for (name, value) in env {
        suite = suite.env(name, value);
    }
    suite.env("PYTHONDONTWRITEBYTECODE", "1").ok().stdout
}

/// The app in `place`, served; and the value that its processes have of each of `names`.
pub fn serve(place: &Place, names: &[&str]) -> (Running, u16, Vec<String>) {
    let port = free_port();
    let mut serve = place.dae(["serve", "app", "--port", &port.to_string()]).spawn();
    serve.until("started");
    let env = get(port, "app.localhost", "/env").text();
    let env: serde_json::Value = serde_json::from_str(&env).unwrap_or_else(|error| panic!("{error}: {env}"));
    let values = names.iter().map(|name| env[name].as_str().unwrap_or_default().to_owned()).collect();
    (serve, port, values)
}

/// An app that tells its environment at /env, and else does what `body` says.
pub fn app(body: &str) -> Place {
    let place = Place::new();
    let code = format!(
        "import json, os\n\ndef app(environ, start_response):\n    if environ['PATH_INFO'] == '/env':\n        \
         start_response('200 OK', [])\n        return [json.dumps(dict(os.environ)).encode()]\n{body}\n"
    );
    place.write("app/app.yaml", YAML).write("app/app.py", code).write("app/pip-req.txt", "");
    place
}

const SENDS: &str = r"
    from email.message import EmailMessage
    from dae.api.mail import InvalidEmailAddress, send_mail
    message = EmailMessage()
    message['From'], message['To'], message['Bcc'] = 'App <app@example.com>', environ['QUERY_STRING'], 'boss@example.com'
    message['Subject'] = '你好'
    message.set_content('text for you\n')
    message.add_alternative('<p>text for <b>you</b></p>', subtype='html')
    message.add_attachment(b'\x89PNG', maintype='image', subtype='png', filename='../a.png')
    start_response('200 OK', [])
    try:
        send_mail(message, replyable=False)
    except InvalidEmailAddress as error:
        return [f'invalid: {error}'.encode()]
    return [b'sent']
";

#[test]
fn what_an_app_sends_is_kept_listed_and_shown() {
    let place = app(SENDS);
    let nothing = place.dae(["mail", "show"]).dir("app").run();
    assert_eq!((nothing.code, nothing.stderr.contains("no mail was sent yet")), (1, true), "{}", nothing.raw());
    let (mut serve, port, _) = serve(&place, &[]);
    assert_eq!(get(port, "app.localhost", "/?you@example.com").text(), "sent");
    assert_eq!(get(port, "app.localhost", "/?you").text(), "invalid: you");
    serve.until("1: to you@example.com, boss@example.com: 你好");
    let listed = place.dae(["mail", "list", "--json"]).dir("app").ok().json();
    assert_eq!(listed["mails"][0]["subject"], "你好");
    assert_eq!(listed["mails"].as_array().unwrap().len(), 1);
    let shown = place.dae(["mail", "show", "1", "--save", "parts"]).dir("app").ok().to_string();
    insta::with_settings!({filters => vec![(r"Date: .*|Message-ID: .*", "[HEADER]")]}, {
        insta::assert_snapshot!(shown, @"
        exit: 0
        --- stdout
        From: App <app@example.com>
        To: you@example.com
        Reply-To: noreply@example.com
        Subject: 你好
        Auto-Submitted: auto-generated
        delivered to: you@example.com, boss@example.com
        attached: ../a.png (image/png, 4 bytes)
        saved: [DIR]/app/parts/1-a.png

        text for you
        ");
    });
    assert_eq!(std::fs::read(place.path("app/parts/1-a.png")).unwrap(), b"\x89PNG");
    let raw = place.dae(["mail", "show", "--raw"]).dir("app").ok().stdout;
    assert!(raw.contains("Delivered-To: boss@example.com") && !raw.contains("Bcc"), "{raw}");
    let opened = place.dae(["mail", "open", "--json"]).dir("app").env("PATH", "/nowhere").ok();
    let page = std::fs::read_to_string(opened.json()["file"].as_str().unwrap()).unwrap();
    assert!(page.contains("<p>text for <b>you</b></p>") && page.contains("default-src 'none'"), "{page}");
    assert_eq!(serve.stop().code, 0);
}

const BARE: &str = r"
    import smtplib
    with smtplib.SMTP() as server:
        server.connect()
        server.sendmail('a@example.com', 'b@example.com', 'Subject: bare')
    start_response('200 OK', [])
    return [b'sent']
";

#[test]
fn a_client_without_a_host_finds_the_apps_own_server() {
    let place = app(BARE);
    place.write(
        "app/send.py",
        "import smtplib\nserver = smtplib.SMTP()\nserver.connect()\nserver.sendmail('a@b', 'c@d', 'Subject: run')\n",
    );
    let (mut serve, port, _) = serve(&place, &[]);
    assert_eq!(get(port, "app.localhost", "/").text(), "sent");
    serve.until("1: to b@example.com: bare");
    place.dae(["run", "--", "python", "send.py"]).dir("app").ok();
    serve.until("2: to c@d: run");
    assert_eq!(serve.stop().code, 0);
}

#[test]
fn the_documentation_is_right() {
    let page = include_str!("../../docs/mail.md");
    let snippets: Vec<&str> = page.split("```python\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let place = app("    start_response('200 OK', [])\n    return [b'']");
    place.write("app/snippet.py", snippets[0]).write("app/settings.py", snippets[1]);
    place.dae(["run", "--", "python", "snippet.py"]).dir("app").ok();
    place.dae(["run", "--", "python", "settings.py"]).dir("app").ok();
    let listed = place.dae(["mail", "list"]).dir("app").ok().stdout;
    assert!(listed.contains("you@example.com  Your order"), "{listed}");
}

#[test]
fn the_platform_and_a_real_server_answer_the_same() {
    let place = app("");
    let python = with_smtp(&place);
    let (serve, _, values) = serve(&place, &["DAE_SMTP"]);
    let folder = place.path("app/.dae/data/mail").to_str().unwrap().to_owned();
    let ours = platform(&place, &python, "test_mail.py", &[("PLATFORM_SMTP", &values[0]), ("PLATFORM_MAIL", &folder)]);
    assert_eq!(serve.stop().code, 0);
    let (_real, address) = real(&place, &python);
    let folder = place.path("real").to_str().unwrap().to_owned();
    let theirs = platform(&place, &python, "test_mail.py", &[("PLATFORM_SMTP", &address), ("PLATFORM_MAIL", &folder)]);
    let count = |said: &str| {
        said.split(" passed").next().unwrap_or_default().rsplit('\n').next().unwrap_or_default().to_owned()
    };
    assert_eq!(count(&ours), count(&theirs));
    assert_eq!(count(&ours), "10");
}

/// A Python that has a real SMTP server.
pub fn with_smtp(place: &Place) -> PathBuf {
    python_with(place, "smtp", &["pytest", "aiosmtpd==1.4.6"])
}

/// That server, which writes what it takes to `real/`; and its address.
pub fn real(place: &Place, python: &Path) -> (Running, String) {
    place.write("real.py", REAL).write("real/.keep", "");
    let folder = place.path("real").to_str().unwrap().to_owned();
    let mut real = place.command(python, ["real.py", &folder]).spawn();
    let address = real.until("listening").trim().trim_start_matches("listening ").to_owned();
    (real, address)
}

const REAL: &str = r"
import asyncio, itertools, pathlib, sys
from aiosmtpd.smtp import SMTP

numbers = itertools.count(1)

class Handler:
    async def handle_DATA(self, server, session, envelope):
        path = pathlib.Path(sys.argv[1], f'{next(numbers)}.eml')
        path.with_suffix('.new').write_bytes(envelope.content)
        path.with_suffix('.new').rename(path)
        return '250 kept'

async def main():
    loop = asyncio.get_running_loop()
    make = lambda: SMTP(Handler(), data_size_limit=32 << 20, enable_SMTPUTF8=True, auth_require_tls=False, auth_callback=lambda *a: True)
    server = await loop.create_server(make, '127.0.0.1', 0)
    print('listening', '%s:%d' % server.sockets[0].getsockname(), flush=True)
    await server.serve_forever()

asyncio.run(main())
";
