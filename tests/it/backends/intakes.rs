//! Real servers for mail, errors, logs and beansdb: Debian's Exim, the readers of Sentry's own Relay and SDK, Apache's Thrift,
//! and a beansdb of another process. They are down when the node starts, come, go and come back; all of it is told.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{APP, Listens, Platform};
use crate::crew::until;
use crate::harness::{PATIENCE, Place, Running, free_port, get};
use crate::mail::python_with;

const SERVICES: [&str; 4] = ["beansdb", "mail", "errors", "logs"];
const USER: &str = "node";
const PASSWORD: &str = "of the mail";

/// Debian's mail server: it takes mail from whoever has logged in, which needs TLS, with a certificate that it made itself.
struct Exim {
    port: u16,
    folder: tempfile::TempDir,
}

impl Exim {
    /// None, and said why, where there is none.
    fn new() -> Option<Self> {
        let missing = |why: &str| {
            assert!(std::env::var_os("CI").is_none(), "{why}");
            println!("skipped: {why}");
            None
        };
        if !Path::new("/usr/sbin/exim4").exists() {
            return missing("there is no exim4 on this machine");
        }
        if !nix::unistd::getuid().is_root() {
            return missing("only root can start Exim with a configuration of its own");
        }
        let exim = Self { port: free_port(), folder: tempfile::tempdir().unwrap() };
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["mail.example.com".into()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let at = exim.at("");
        std::fs::create_dir(exim.at("spool")).unwrap();
        std::fs::write(exim.at("cert"), certificate.pem()).unwrap();
        std::fs::write(exim.at("key"), key.serialize_pem()).unwrap();
        std::fs::write(exim.at("conf"), CONF.replace("AT", at.to_str().unwrap().trim_end_matches('/'))).unwrap();
        let given = Command::new("chown").args(["-R", "Debian-exim:Debian-exim"]).arg(&at).status().unwrap();
        assert!(given.success());
        // It reads its configuration from nobody but root.
        assert!(Command::new("chown").arg("root:root").arg(exim.at("conf")).status().unwrap().success());
        Some(exim)
    }

    fn at(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn start(&self) -> Listens {
        let mut command = Command::new("/usr/sbin/exim4");
        command.arg("-C").arg(self.at("conf")).args(["-bdf", "-oX", &format!("127.0.0.1.{}", self.port)]);
        Listens::start(command, self.port, tempfile::tempdir().unwrap())
    }

    /// All that it has taken.
    fn mails(&self) -> String {
        std::fs::read_to_string(self.at("box")).unwrap_or_default()
    }
}

const CONF: &str = r"
spool_directory = AT/spool
log_file_path = AT/%slog
pid_file_path = AT/pid
primary_hostname = mail.example.com
keep_environment =
tls_advertise_hosts = *
tls_certificate = AT/cert
tls_privatekey = AT/key
auth_advertise_hosts = ${if def:tls_in_cipher {*}{}}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  accept authenticated = *
  deny message = log in first
data:
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  file = AT/box
  user = Debian-exim
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{node}}{eq{$auth3}{of the mail}}}}
  server_set_id = $auth2
";

/// Takes what Sentry's clients send as Sentry does: Relay's own reader says what is wrong with an event.
const SENTRY: &str = r#"
import gzip, json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from sentry_relay.processing import StoreNormalizer
from sentry_sdk.envelope import Envelope

class Intake(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        what = self.path.split("?")[0]
        if "sentry_key=key" not in self.headers.get("X-Sentry-Auth", ""):
            return self.send_error(403)
        if what == "/api/7/envelope/":
            events = [item.get_event() for item in Envelope.deserialize(body).items if item.type == "event"]
        elif what == "/api/7/store/":
            events = [json.loads(body)]
        else:
            return self.send_error(404)
        for event in events:
            event = StoreNormalizer(project_id=7, protocol_version="7").normalize_event(event)
            event["way"] = what
            with open(sys.argv[2], "a") as file:
                file.write(json.dumps(event) + "\n")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Intake).serve_forever()
"#;

/// Scribe's service by Apache's own library and what its compiler made.
const SCRIBE: &str = r#"
import sys, time
sys.path.insert(0, sys.argv[3])
from scribe import scribe
from scribe.ttypes import ResultCode
from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.server.TServer import TThreadedServer
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TFramedTransportFactory

class Handler:
    def Log(self, messages):
        with open(sys.argv[2], "a", encoding="utf-8") as file:
            for entry in messages:
                file.write(entry.category + ": " + entry.message)
        return ResultCode.OK

at = TServerSocket("127.0.0.1", int(sys.argv[1]))
TThreadedServer(scribe.Processor(Handler()), at, TFramedTransportFactory(), TBinaryProtocolFactory(), daemon=True).serve()
"#;

const SEND: &str = "
from email.message import EmailMessage
from dae.api.mail import send_mail
message = EmailMessage()
message['From'], message['To'], message['Subject'] = 'shop@example.com', 'you@example.com', WORD
message.set_content('text')
send_mail(message)
said = 'sent'
";
const LOG: &str = "
import os, thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.transport import TFramedTransportFactory
idl = thriftpy2.load(os.environ['DAE_APPROOT'] + '/scribe.thrift', module_name='scribe_thrift')
host, port = os.environ['DAE_SCRIBE'].rsplit(':', 1)
client = make_client(idl.scribe, host, int(port), proto_factory=TBinaryProtocolFactory(), trans_factory=TFramedTransportFactory())
said = client.Log([idl.LogEntry(category='orders', message=WORD + '\\n')])
client.close()
";
const KEEP: &str = "
from dae.api.beansdb import bdb
said = bdb.set(WORD, {'kept': WORD}) and bdb.get(WORD)['kept']
";
/// An app that reports for itself.
const REPORTS: &str = "
import sentry_sdk
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware
sentry_sdk.init()
def bad(environ, start):
    raise KeyError(environ['QUERY_STRING'])
app = SentryWsgiMiddleware(bad)
";

fn word(code: &str, word: &str) -> String {
    code.replace("WORD", &format!("{word:?}"))
}

/// The three that are no package of Debian's, each at a port of its own and with a file of what it took.
struct Others {
    place: Place,
    python: PathBuf,
    errors: u16,
    logs: u16,
    beansdb: u16,
}

impl Others {
    fn new() -> Option<Self> {
        if !Path::new("/usr/bin/thrift").exists() {
            assert!(std::env::var_os("CI").is_none(), "thrift-compiler is missing");
            println!("skipped: there is no thrift compiler on this machine");
            return None;
        }
        let place = Place::new();
        let python = python_with(&place, "intakes", &["sentry-relay==0.10.1", "sentry-sdk==2.75.0", "thrift==0.25.0"]);
        place.write("sentry.py", SENTRY).write("scribe.py", SCRIBE);
        let idl = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platform/scribe.thrift");
        std::fs::create_dir(place.path("made")).unwrap();
        place.command("/usr/bin/thrift", ["--gen", "py", "-out", "made"]).arg(idl).ok();
        Some(Self { place, python, errors: free_port(), logs: free_port(), beansdb: free_port() })
    }

    fn start(&self) -> [Listens; 3] {
        let python = |script: &str, port: u16, rest: &[&str]| {
            let mut command = Command::new(&self.python);
            command.current_dir(self.place.path("")).args([script, &port.to_string()]).args(rest);
            Listens::start(command, port, tempfile::tempdir().unwrap())
        };
        let mut beansdb = Command::new(env!("CARGO_BIN_EXE_dae"));
        beansdb.current_dir(self.place.path("")).args(["node", "services", "--app", "all", "--dir", "beansdb"]);
        beansdb.arg(format!("beansdb={}", self.beansdb)).env("XDG_RUNTIME_DIR", self.place.path(""));
        [
            python("sentry.py", self.errors, &["errors"]),
            python("scribe.py", self.logs, &["logs", "made"]),
            Listens::start(beansdb, self.beansdb, tempfile::tempdir().unwrap()),
        ]
    }

    fn took(&self, file: &str) -> String {
        std::fs::read_to_string(self.place.path(file)).unwrap_or_default()
    }

    fn events(&self) -> Vec<serde_json::Value> {
        self.took("errors").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Waits until the node has said this of each service since `from`; how much it has said then.
fn told(node: &mut Running, from: usize, what: impl Fn(&str) -> String) -> usize {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = node.said();
        if SERVICES.iter().all(|service| said[from..].contains(&what(service))) {
            return said.len();
        }
        assert!(Instant::now() < deadline, "it does not tell of all:\n{said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn servers_may_be_down_at_first_and_come_and_go() {
    let (Some(exim), Some(others)) = (Exim::new(), Others::new()) else { return };
    let services = format!(
        "  mail: {{host: 127.0.0.1, port: {}, user: {USER}, passwd: {PASSWORD}}}\n  logs: \"127.0.0.1:{}\"\n  \
         errors: \"http://key@127.0.0.1:{}/7\"\n  beansdb: [\"127.0.0.1:{}\"]\n",
        exim.port, others.logs, others.errors, others.beansdb
    );
    let mut platform = Platform::new(&services);
    let down = |service: &str| format!("`{service}` does not answer at 127.0.0.1:");
    let seen = told(&mut platform.node, 0, down);
    let idl = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platform/scribe.thrift");
    let app = "\ndef bad(environ, start):\n    raise LookupError(environ['QUERY_STRING'])\n";
    platform.place.write("shop/pip-req.txt", "thriftpy2==0.7.1\n");
    platform.place.write("shop/scribe.thrift", std::fs::read(idl).unwrap()).write("shop/app.py", format!("{APP}{app}"));
    let yaml = "application: shop\nhandlers:\n- url: /bad\n  wsgi_app: app:bad\n- url: /.*\n  wsgi_app: app:app\n";
    platform.place.write("shop/app.yaml", yaml);
    // An app without them is up, and whoever deploys it is told what is missing.
    let deployed = platform.place.dae(["deploy"]).dir("shop").ok();
    for service in SERVICES {
        assert!(deployed.stderr.contains(&down(service)), "{service}: {}", deployed.raw());
    }
    let yaml = "application: sdk\nselftest: []\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";
    platform
        .place
        .write("sdk/app.yaml", yaml)
        .write("sdk/app.py", REPORTS)
        .write("sdk/pip-req.txt", "sentry-sdk==2.75.0\n");
    platform.place.dae(["deploy"]).dir("sdk").ok();
    let bad = |platform: &Platform, word: &str| {
        for app in ["shop", "sdk"] {
            assert_eq!(get(platform.port, &format!("{app}.apps.localhost"), &format!("/bad?{word}")).status, 500);
        }
    };
    let fails = |platform: &Platform| {
        for code in [SEND, LOG, KEEP] {
            let said = platform.says("shop", &word(code, "lost"));
            assert!(said.contains("Error") || said.contains("Could not connect"), "{said}");
        }
        // Whoever reports does not notice.
        bad(platform, "lost");
    };
    let works = |platform: &Platform, name: &str| {
        assert_eq!(platform.says("shop", &word(SEND, name)), r#""sent""#);
        until("it is delivered", || exim.mails().contains(&format!("Subject: {name}")));
        assert_eq!(platform.says("shop", &word(LOG, name)), "0");
        assert!(others.took("logs").contains(&format!("orders: {name}\n")), "{}", others.took("logs"));
        assert_eq!(platform.says("shop", &word(KEEP, name)), format!("{name:?}"));
        bad(platform, name);
        let of = |way: &str, kind: &str| {
            let events = others.events();
            events.iter().any(|event| {
                let error = &event["exception"]["values"][0];
                event["way"] == format!("/api/7/{way}/")
                    && error["type"] == kind
                    && error["value"].as_str().is_some_and(|value| value.contains(name))
            })
        };
        // By Sentry's own client, and by dae where the app has none.
        until("both errors are there", || of("envelope", "KeyError") && of("store", "LookupError"));
    };
    fails(&platform);

    let running = (exim.start(), others.start());
    let back = |service: &str| format!("`{service}` answers again at 127.0.0.1:");
    let seen = told(&mut platform.node, seen, back);
    works(&platform, "first");
    // Relay found nothing to mend in what is dae's own; Sentry's client says itself what it left out.
    for event in others.events().iter().filter(|event| event["way"] == "/api/7/store/") {
        assert!(event.get("errors").is_none() && event.get("_meta").is_none(), "{event:#}");
    }

    drop(running);
    let seen = told(&mut platform.node, seen, down);
    fails(&platform);
    let _running = (exim.start(), others.start());
    told(&mut platform.node, seen, back);
    works(&platform, "second");
    // beansdb kept what was there; nothing else is handed on late.
    assert_eq!(platform.says("shop", "from dae.api.beansdb import bdb\nsaid = bdb.get('first')['kept']"), r#""first""#);
    assert!(!exim.mails().contains("lost") && !others.took("logs").contains("lost"));
    // It came by TLS, and from whoever had logged in.
    assert_eq!(exim.mails().matches("with esmtpsa").count(), 2, "{}", exim.mails());
}

#[test]
fn the_nodes_own_mail_goes_to_a_server_that_wants_tls_and_a_login() {
    let Some(exim) = Exim::new() else { return };
    let _running = exim.start();
    let services =
        |passwd: &str| format!("  mail: {{host: 127.0.0.1, port: {}, user: {USER}, passwd: {passwd}}}\n", exim.port);
    let mut platform = Platform::new(&services("wrong"));
    let yaml =
        "application: shop\nreport_observer_emails: [ann@example.com]\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n";
    let app = "def app(environ, start):\n    raise {'/a': KeyError, '/b': IndexError}[environ['PATH_INFO']]('oh')\n";
    platform.place.write("shop/app.yaml", format!("{yaml}selftest: []\n")).write("shop/app.py", app);
    platform.place.write("shop/pip-req.txt", "").dae(["deploy"]).dir("shop").ok();
    assert_eq!(get(platform.port, "shop.apps.localhost", "/a").status, 500);
    let said = platform.node.until("a mail of an error of `shop` could not be sent");
    assert!(said.contains("535"), "{said}");
    assert_eq!(platform.node.stop().code, 0);
    let yaml = platform.place.read("node/node.yaml");
    platform.place.write("node/node.yaml", yaml.replace(&services("wrong"), &services(PASSWORD)));
    platform.node = Platform::serve(&platform.place).spawn();
    platform.node.until("Ready");
    assert_eq!(get(platform.port, "shop.apps.localhost", "/b").status, 500);
    until("it is delivered", || exim.mails().contains("Error 2 of shop"));
    let mail = exim.mails();
    assert!(mail.contains("with esmtpsa") && mail.contains("To: ann@example.com"), "{mail}");
}
