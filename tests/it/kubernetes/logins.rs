//! How one gets into a registry: with a password, by a token server, by helpers of docker and podman, and on with a token that grows
//! old in the middle of a push.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::minor;
use super::registry::{Registry, basic};
use crate::harness::{Place, Ran};

const ISSUER: &str = "a token server";
/// docker-registry takes a token for so long after its end.
const LEEWAY: i64 = 60;
/// What `docker login` gets from servers that want no password kept.
const IDENTITY: &str = "an-identity";

/// A token server, as the distribution project describes them: who is let in gets all that is asked for.
#[derive(Clone)]
pub struct Tokens {
    pub port: u16,
    key: Arc<EncodingKey>,
    certificate: Arc<rcgen::Certificate>,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How long the next tokens are good; none: long enough.
    life: Arc<Mutex<Option<Duration>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    who: String,
    scopes: Vec<String>,
}

impl Tokens {
    pub fn start() -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["token.test".into()]).unwrap().self_signed(&pair).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let tokens = Self {
            port: listener.local_addr().unwrap().port(),
            key: Arc::new(EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap()),
            certificate: Arc::new(certificate),
            asked: Arc::default(),
            life: Arc::default(),
        };
        let served = tokens.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, axum::Router::new().fallback(answer).with_state(served)).await.unwrap();
            });
        });
        tokens
    }

    /// What the registry is told of it.
    pub fn settings(&self, place: &Place) -> Value {
        place.write("registry/tokens.pem", self.certificate.pem());
        json!({"token": {
            "realm": format!("http://127.0.0.1:{}/token", self.port),
            "service": "the registry",
            "issuer": ISSUER,
            "rootcertbundle": place.path("registry/tokens.pem"),
        }})
    }

    /// A token for `scopes`.
    pub fn token(&self, scopes: &[String], life: Option<Duration>) -> String {
        let now = jiff::Timestamp::now().as_second();
        let end = life.map_or(now + 3600, |life| now - LEEWAY + i64::try_from(life.as_secs()).unwrap());
        let access = scopes.iter().filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            Some(json!({"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}))
        });
        let claims = json!({
            "iss": ISSUER, "sub": "shop", "aud": "the registry", "jti": "1", "iat": end - 7200, "nbf": end - 7200, "exp": end,
            "access": access.collect::<Vec<_>>(),
        });
        let header =
            Header { x5c: Some(vec![STANDARD.encode(self.certificate.der())]), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

async fn answer(State(tokens): State<Tokens>, headers: HeaderMap, uri: Uri, body: String) -> Response {
    let query = if body.is_empty() { uri.query().unwrap_or_default() } else { &body };
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    let pairs: Vec<(String, String)> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let of = |wanted: &str| {
        pairs.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("service"), ["the registry"]);
    let who = match headers.get("authorization").map(|value| value.to_str().unwrap()) {
        Some(pair) if pair == format!("Basic {}", basic()) => "password",
        Some(_) => return StatusCode::UNAUTHORIZED.into_response(),
        None if of("grant_type") == ["refresh_token"] && of("refresh_token") == [IDENTITY] => "identity",
        None => "nobody",
    };
    let scopes = of("scope");
    tokens.asked.lock().unwrap().push(Asked { who: who.to_owned(), scopes: scopes.clone() });
    // Nobody in particular gets a token all the same, that opens nothing.
    let granted = if who == "nobody" { &[] } else { scopes.as_slice() };
    let life = tokens.life.lock().unwrap().take();
    axum::Json(json!({"token": tokens.token(granted, life)})).into_response()
}

/// An app that is pushed, to a registry that asks this server.
struct Stage {
    place: Place,
    edits: usize,
}

impl Stage {
    fn new(registry: &Registry, place: &Place, host: &str) -> Self {
        registry.put_base("library/python", &format!("{}-slim", minor(place)));
        place.write("hello/app.yaml", "application: hello\nhandlers:\n- {url: /.*, wsgi_app: app:app}\n");
        place.write("hello/app.py", "");
        let (repository, base) = (format!("{host}/shop"), format!("{host}/library/python:{{python}}-slim"));
        let add = ["remote", "add", "prod", "kubernetes", "--namespace", "shop", "--no-check"];
        place.dae(add.into_iter().chain(["--registry", &repository, "--base", &base])).ok();
        Self { place: place.clone(), edits: 0 }
    }

    /// Pushes a changed app, with `config` as what docker keeps.
    fn push(&mut self, config: &Value) -> Ran {
        self.edits += 1;
        self.place.write("hello/app.py", format!("number = {}\n", self.edits));
        std::fs::write(self.place.home(".docker/config.json"), config.to_string()).unwrap();
        let bin = self.place.path("bin");
        let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&self.path()))).unwrap();
        self.place.dae(["-C", "hello", "deploy", "--output", "yaml"]).env("PATH", path).run()
    }

    fn path(&self) -> String {
        self.place.command("sh", ["-c", "printf %s \"$PATH\""]).ok().stdout
    }

    /// A helper `docker-credential-NAME` that answers with what this shell script says.
    fn helper(&self, name: &str, script: &str) {
        let path = self.place.path(format!("bin/docker-credential-{name}"));
        self.place.write(format!("bin/docker-credential-{name}"), format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_token_server_gives_what_a_push_needs_to_who_is_known_in_any_way() {
    let place = Place::new();
    let tokens = Tokens::start();
    let Some(registry) = Registry::with_tokens(&place, &tokens) else { return };
    let host = registry.host();
    let mut stage = Stage::new(&registry, &place, &host);
    tokens.asked();

    // A password that `docker login` kept.
    let kept = json!({"auths": {&host: {"auth": basic()}}});
    let ran = stage.push(&kept);
    assert_eq!(ran.code, 0, "{}", ran.raw());
    let asked = tokens.asked();
    assert!(asked.iter().all(|asked| asked.who == "password") && asked.len() <= 4, "{asked:?}");
    let last = &asked.last().unwrap().scopes;
    assert!(last.iter().any(|scope| scope.starts_with("repository:shop:") && scope.contains("push")), "{last:?}");

    // A token in the key ring, which a helper knows; so it is with a registry that lets nobody keep a password.
    let give = |user: &str, secret: &str| {
        format!("cat > asked; echo '{{\"Username\": \"{user}\", \"Secret\": \"{secret}\"}}'")
    };
    stage.helper("ring", &give("<token>", IDENTITY));
    let ran = stage.push(&json!({"auths": {}, "credsStore": "ring"}));
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(tokens.asked().iter().all(|asked| asked.who == "identity"));
    assert_eq!(place.read("asked"), host);

    // A helper for this registry alone, which counts for more.
    stage.helper("other", &give("shop", "s3cret"));
    let ran = stage.push(&json!({"credsStore": "ring", "credHelpers": {&host: "other"}}));
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(tokens.asked().iter().all(|asked| asked.who == "password"));

    // What podman keeps, for this repository alone.
    let auth = place.home(".config/containers/auth.json");
    std::fs::create_dir_all(auth.parent().unwrap()).unwrap();
    let both =
        json!({"auths": {format!("{host}/shop"): {"auth": basic()}, format!("{host}/library"): {"auth": basic()}}});
    std::fs::write(&auth, both.to_string()).unwrap();
    let ran = stage.push(&json!({}));
    assert_eq!(ran.code, 0, "{}", ran.raw());
    std::fs::remove_file(auth).unwrap();
    tokens.asked();

    // Who is not let in learns what was looked at, and what to type.
    stage.helper("locked", "echo 'the key ring is locked'; exit 1");
    stage.helper("empty", "echo 'credentials not found in native keychain'; exit 1");
    let wrong = STANDARD.encode("shop:wrong");
    for (config, words) in [
        (json!({}), &["no credentials are known for it"][..]),
        (json!({"auths": {&host: {"auth": wrong}}}), &["the credentials that are kept for it do not do"]),
        (
            json!({"credsStore": "nowhere"}),
            &["`docker-credential-nowhere`, which `", ".docker/config.json` names, cannot be run"],
        ),
        (json!({"credsStore": "locked"}), &["`docker-credential-locked`", "says: the key ring is locked"]),
        (json!({"credsStore": "empty"}), &["no credentials are known for it"]),
        (json!({"auths": 1}), &[".docker/config.json` is not readable"]),
    ] {
        let ran = stage.push(&config);
        assert_eq!(ran.code, 3, "{config}: {}", ran.raw());
        for word in words.iter().copied().chain([format!("docker login {host}").as_str()]) {
            assert!(ran.stderr.contains(word), "{config}: {word}: {}", ran.raw());
        }
    }
}

#[test]
fn a_password_comes_from_a_helper_too() {
    let place = Place::new();
    let Some(registry) = Registry::start(&place) else { return };
    let host = registry.host();
    let mut stage = Stage::new(&registry, &place, &host);
    stage.helper("ring", "echo '{\"Username\": \"shop\", \"Secret\": \"s3cret\"}'");
    let ran = stage.push(&json!({"credsStore": "ring"}));
    assert_eq!(ran.code, 0, "{}", ran.raw());
}

#[test]
fn a_token_that_grows_old_in_the_middle_of_a_push_is_asked_for_anew() {
    let place = Place::new();
    let tokens = Tokens::start();
    let Some(registry) = Registry::with_tokens(&place, &tokens) else { return };
    let slow = Slow::before(registry.port);
    let host = format!("127.0.0.1:{}", slow.port);
    let mut stage = Stage::new(&registry, &place, &host);
    let kept = json!({"auths": {&host: {"auth": basic()}, registry.host(): {"auth": basic()}}});
    // The base is known, so that the push comes first.
    let ran = stage.push(&kept);
    assert_eq!(ran.code, 0, "{}", ran.raw());
    tokens.asked();
    let life = Duration::from_secs(3);
    *tokens.life.lock().unwrap() = Some(life);
    slow.wait.store(true, Ordering::SeqCst);
    // Something larger than one request takes, so that parts are on their way too.
    let noise: Vec<u8> =
        std::iter::successors(Some(1_u64), |x| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)))
            .take(1_000_000)
            .flat_map(u64::to_be_bytes)
            .collect();
    place.write("hello/noise.bin", noise);
    let ran = stage.push(&kept);
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(!slow.wait.load(Ordering::SeqCst), "nothing was held up");
    assert!(tokens.asked().len() >= 2);
    let image = ran.stdout.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap().trim_matches('"');
    registry.manifest(&image.replace(&host, &registry.host()));
}

/// What passes everything on, and holds the first upload up until a token of three seconds has grown old.
struct Slow {
    port: u16,
    wait: Arc<AtomicBool>,
}

impl Slow {
    fn before(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let wait = Arc::new(AtomicBool::new(false));
        let waits = wait.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut from, waits) = (stream.unwrap(), waits.clone());
                let mut there = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let (mut back, mut answers) = (from.try_clone().unwrap(), there.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut answers, &mut back);
                    let _ = back.shutdown(std::net::Shutdown::Both);
                });
                std::thread::spawn(move || {
                    let mut bytes = vec![0; 1 << 16];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        if bytes.starts_with(b"POST ") && waits.swap(false, Ordering::SeqCst) {
                            std::thread::sleep(Duration::from_millis(3500));
                        }
                        if there.write_all(&bytes[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = there.shutdown(std::net::Shutdown::Write);
                });
            }
        });
        Self { port, wait }
    }
}
