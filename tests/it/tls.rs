//! A node that speaks TLS: certificates of its owner, and of a real authority (pebble), seen by curl and by Python's ssl.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Place, Running, free_port, python};

/// An authority of our own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Named as what it certifies, it would look as if that had certified itself.
        params.distinguished_name.push(DnType::CommonName, "an authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes `NAME.pem` and `NAME.key` for these hosts.
    fn certify(&self, place: &Place, name: &str, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.0).unwrap();
        place.write(format!("{name}.key"), key.serialize_pem());
        place.write(format!("{name}.pem"), made.pem() + &self.0.pem());
    }
}

/// A node with TLS, and an app that tells how it was asked.
struct Private {
    plain: u16,
    tls: u16,
    domain: &'static str,
    node: Running,
}

const APP: &str = "def app(environ, start):\n    start('200 OK', [])\n    \
    said = ' '.join(environ.get(name, '-') for name in ('HTTP_X_FORWARDED_PROTO', 'HTTP_HOST', 'wsgi.url_scheme'))\n    \
    return [said.encode()]\n";

impl Private {
    fn start(place: &Place, domain: &'static str, settings: &str) -> Self {
        Self::start_at(place, domain, free_port(), settings)
    }

    fn start_at(place: &Place, domain: &'static str, plain: u16, settings: &str) -> Self {
        let tls = free_port();
        let listen = format!("127.0.0.1:{plain}");
        let init = ["node", "init", "--json", "--dir", "node", "--domain", domain, "--listen", &listen];
        let token = place.dae(init).ok().json()["token"].as_str().unwrap().to_owned();
        let yaml = format!("{}tls:\n  listen: \"127.0.0.1:{tls}\"\n{settings}", place.read("node/node.yaml"));
        place.write("node/node.yaml", yaml);
        let mut node = place.dae(["node", "serve", "--dir", "node", "--json"]).spawn();
        let ready = node.event("ready");
        assert_eq!(ready["url"], format!("https://{domain}:{tls}"));
        place.dae(["remote", "add", "prod", &format!("http://{listen}")]).env("DAE_TOKEN", token).ok();
        place.write("daetest/app.yaml", "application: daetest\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
        place.write("daetest/pip-req.txt", "").write("daetest/app.py", APP);
        Self { plain, tls, domain, node }
    }

    fn app(&self) -> String {
        format!("daetest.{}", self.domain)
    }

    /// What curl gets of the app, whose answer's end tells the version of HTTP.
    fn curl(&self, root: &Path, host: &str, more: &[&str]) -> Result<String, String> {
        let resolve = format!("{host}:{}:127.0.0.1", self.tls);
        let url = format!("https://{host}:{}/", self.tls);
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "60", "--cacert"]).arg(root).args(["--resolve", &resolve]);
        let output = command.args(["-w", " %{http_version}"]).args(more).arg(&url).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// What Python's ssl finds: the protocol agreed on and the certificate's number, or why there is none.
    fn shaken(&self, root: &Path, host: &str) -> (String, String) {
        const ASK: &str = "
import socket, ssl, sys
port, root, host = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=root)
context.set_alpn_protocols(['h2', 'http/1.1'])
try:
    with context.wrap_socket(socket.create_connection(('127.0.0.1', port)), server_hostname=host) as found:
        print(found.selected_alpn_protocol(), found.getpeercert()['serialNumber'])
except ssl.SSLError as error:
    print('refused', error.reason)
";
        let output = Command::new(python())
            .args(["-c", ASK, &self.tls.to_string(), &root.to_string_lossy(), host])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (one, two) = text.trim().split_once(' ').unwrap_or_else(|| panic!("{output:?}"));
        (one.to_owned(), two.to_owned())
    }
}

#[test]
fn own_certificates_by_name_and_read_again_when_they_change() {
    let place = Place::new();
    let authority = Authority::new();
    place.write("root.pem", authority.0.pem());
    let root = place.path("root.pem");
    authority.certify(&place, "node/apps", &["apps.localhost", "*.apps.localhost"]);
    authority.certify(&place, "www", &["www.example.test"]);
    let settings = format!(
        "  certificates:\n  - {{cert: apps.pem, key: apps.key}}\n  - {{cert: {0}.pem, key: {0}.key}}\n",
        place.path("www").display()
    );
    let mut node = Private::start(&place, "apps.localhost", &settings);
    let deployed = place.dae(["deploy", "--json"]).dir("daetest").ok().json();
    assert_eq!(deployed["outcome"], "live");
    place.dae(["domains", "add", "www.example.test"]).dir("daetest").ok();

    let host = node.app();
    let said = |version: &str| format!("https {host}:{} https {version}", node.tls);
    assert_eq!(node.curl(&root, &host, &[]).unwrap(), said("2"));
    assert_eq!(node.curl(&root, &host, &["--http1.1"]).unwrap(), said("1.1"));
    let www = format!("https www.example.test:{} https 2", node.tls);
    assert_eq!(node.curl(&root, "www.example.test", &[]).unwrap(), www);
    assert_eq!(node.shaken(&root, &host).0, "h2");
    // A name that nobody here has: no certificate is better than a wrong one.
    assert_eq!(node.shaken(&root, "other.test").0, "refused");
    // The control API is there as well, for whoever trusts that authority.
    let api = node.curl(&root, "apps.localhost", &["-o", "/dev/null", "-w", "%{http_code}"]).unwrap();
    assert_eq!(api, "404");

    // By http one is sent to https; the node's address, which has no certificate, is answered.
    let answer = crate::harness::get(node.plain, &host, "/a?b=c");
    let to = format!("https://{host}:{}/a?b=c", node.tls);
    assert_eq!((answer.status, answer.header("location")), (308, Some(to.as_str())));

    // Another certificate in the same place.
    let number = |node: &Private| node.shaken(&root, &host).1;
    let first = number(&node);
    authority.certify(&place, "node/apps", &["apps.localhost", "*.apps.localhost"]);
    node.node.until("\"certificate\"");
    let deadline = Instant::now() + PATIENCE;
    while number(&node) == first {
        assert!(Instant::now() < deadline, "the new certificate is not shown");
    }
    // What cannot be read changes nothing, and is said.
    let second = number(&node);
    place.write("node/apps.pem", "no certificate");
    let told = node.node.until_some("a problem", |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["event"] == "certificate" && event.get("problem").is_some()).then_some(event)
    });
    assert_eq!(told["problem"]["code"], "tls.unreadable");
    assert_eq!(number(&node), second);

    let listed = place.dae(["domains", "list"]).dir("daetest").ok().stdout;
    assert!(listed.starts_with("daetest.apps.localhost (its own) certificate until "), "{listed}");
    assert_eq!(node.node.stop().code, 0);
}

#[test]
fn a_node_does_not_start_with_a_certificate_nobody_can_read() {
    let place = Place::new();
    place.dae(["node", "init", "--dir", "node", "--domain", "a.test", "--listen", "127.0.0.1:0"]).ok();
    let yaml = place.read("node/node.yaml");
    place.write(
        "node/node.yaml",
        yaml + "tls:\n  listen: \"127.0.0.1:0\"\n  certificates: [{cert: a.pem, key: a.key}]\n",
    );
    place.write("node/a.pem", "nothing").write("node/a.key", "nothing");
    let refused = place.dae(["node", "serve", "--dir", "node"]).run();
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("the certificate is not readable"), "{}", refused.raw());
    assert!(refused.stderr.contains("`a.pem` with `a.key`"), "{}", refused.raw());
}

/// pebble, a small authority that speaks RFC 8555 as Let's Encrypt does, with a name server that sends every host here.
struct Pebble {
    all: Vec<Child>,
    directory: String,
    management: u16,
    names: u16,
    /// Of pebble's own TLS.
    root: PathBuf,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for one in &mut self.all {
            let _ = one.kill();
            let _ = one.wait();
        }
    }
}

impl Pebble {
    /// Certificates are good for `seconds`; challenges are looked for at `http`.
    fn start(place: &Place, http: u16, seconds: u32) -> Option<Self> {
        if !Path::new("/usr/bin/pebble").exists() {
            assert!(std::env::var_os("CI").is_none(), "pebble is not installed");
            println!("skipped: pebble is not installed");
            return None;
        }
        let authority = Authority::new();
        place.write("pebble/root.pem", authority.0.pem());
        authority.certify(place, "pebble/own", &["localhost"]);
        let [port, management, dns, names] = [(); 4].map(|()| free_port());
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": place.path("pebble/own.pem"),
            "privateKey": place.path("pebble/own.key"),
            "httpPort": http,
            "tlsPort": 1,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": seconds,
        }});
        place.write("pebble/config.json", config.to_string());
        let quiet = |program: &str| {
            let log = std::fs::File::create(place.path(format!("pebble/{program}.log"))).unwrap();
            let mut command = Command::new(program);
            command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
            command
        };
        let names_at = format!("127.0.0.1:{names}");
        let dns_at = format!("127.0.0.1:{dns}");
        let server = quiet("pebble-challtestsrv")
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-dns01", &dns_at, "-management", &names_at])
            .spawn()
            .unwrap();
        let pebble = quiet("pebble")
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "3")
            .args(["-dnsserver", &dns_at, "-config"])
            .arg(place.path("pebble/config.json"))
            .spawn()
            .unwrap();
        let directory = format!("https://localhost:{port}/dir");
        let root = place.path("pebble/root.pem");
        let pebble = Self { all: vec![server, pebble], directory, management, names, root };
        let deadline = Instant::now() + PATIENCE;
        while !pebble.curl(&["-o", "/dev/null", &pebble.directory]).0 || !pebble.names_answer() {
            assert!(Instant::now() < deadline, "pebble does not answer: {}", place.read("pebble/pebble.log"));
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pebble)
    }

    fn curl(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new("curl").args(["-sS", "--cacert"]).arg(&self.root).args(args).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn names_answer(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.names)).is_ok()
    }

    /// What certificates given by it are checked against.
    fn given_root(&self) -> String {
        self.curl(&[&format!("https://localhost:{}/roots/0", self.management)]).1
    }

    /// From now on `host` is at `address`.
    fn is_at(&self, host: &str, address: &str) {
        let body = json!({ "host": format!("{host}."), "addresses": [address] }).to_string();
        assert!(self.curl(&["-d", &body, &format!("http://127.0.0.1:{}/add-a", self.names)]).0);
    }
}

impl Private {
    /// Waits for the next word about the certificate of `host`.
    fn certificate(&mut self, host: &str) -> Value {
        self.node.until_some(host, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["event"] == "certificate" && event["host"] == host).then_some(event)
        })
    }
}

#[test]
fn an_authority_gives_certificates_and_renews_them() {
    let place = Place::new();
    // pebble has to know where the node will be, and the node where pebble is.
    let reserved = free_port();
    let Some(pebble) = Pebble::start(&place, reserved, 20) else { return };
    let settings = format!(
        "  acme: {{directory: \"{}\", root: {}, email: ops@example.test}}\n",
        pebble.directory,
        pebble.root.display()
    );
    let mut node = Private::start_at(&place, "apps.example.test", reserved, &settings);
    let own = node.certificate("apps.example.test");
    assert!(own.get("problem").is_none(), "{own}");
    place.write("given.pem", pebble.given_root());
    let root = place.path("given.pem");

    // An app that goes live has one soon after.
    place.dae(["deploy"]).dir("daetest").ok();
    let host = node.app();
    let given = node.certificate(&host);
    assert!(given.get("problem").is_none(), "{given}");
    assert_eq!(node.curl(&root, &host, &[]).unwrap(), format!("https {host}:{} https 2", node.tls));
    assert_eq!(crate::harness::get(node.plain, &host, "/").status, 308);

    // So has a host that is added; where that does not lead here, it is said, and why.
    place.dae(["domains", "add", "www.example.test"]).dir("daetest").ok();
    let given = node.certificate("www.example.test");
    assert!(given.get("problem").is_none(), "{given}");
    pebble.is_at("elsewhere.test", "127.0.0.9");
    place.dae(["domains", "add", "elsewhere.test"]).dir("daetest").ok();
    let failed = node.certificate("elsewhere.test");
    assert_eq!(failed["problem"]["code"], "tls.acme", "{failed}");
    let listed = place.dae(["domains", "list"]).dir("daetest").ok().stdout;
    let line = |host: &str| listed.lines().find(|line| line.starts_with(host)).unwrap_or_default().to_owned();
    assert!(
        line("elsewhere.test").contains("no certificate: there is no certificate for `elsewhere.test`"),
        "{listed}"
    );
    assert!(line("www.example.test").contains(" certificate until "), "{listed}");

    // Before it ends there is another one.
    let first = node.shaken(&root, "www.example.test");
    assert_eq!(first.0, "h2");
    node.certificate("www.example.test");
    let second = node.shaken(&root, "www.example.test");
    assert_ne!(first.1, second.1);

    // What was given is there after a kill, and is nobody else's.
    assert_eq!(node.node.stop().code, 0);
    for file in ["www.example.test.pem", "account.json"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(place.path("node/tls").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
