//! Debian's docker-registry with a password or a token server, and a base image in it.

use std::path::Path;

use base64::Engine as _;
use dae::packaging::Digest;
use serde_json::{Value, json};

use super::logins::Tokens;
use crate::harness::{Http, Place, Running, free_port, python};

pub struct Registry {
    pub port: u16,
    authorization: String,
    _running: Running,
}

const USER: &str = "shop";
const PASSWORD: &str = "s3cret";

/// The pair as it is sent and kept.
pub fn basic() -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"))
}

impl Registry {
    /// `None`, and said why, where Debian's registry is not there; under CI that is a failure.
    pub fn start(place: &Place) -> Option<Self> {
        let hash = "import crypt; print(crypt.crypt('s3cret', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))";
        let hash = place.command(python(), ["-W", "ignore", "-c", hash]).ok().stdout.clone();
        place.write("registry/htpasswd", format!("{USER}:{}\n", hash.trim()));
        let auth = json!({"htpasswd": {"realm": "basic-realm", "path": place.path("registry/htpasswd")}});
        Self::with(place, &auth, format!("Basic {}", basic()))
    }

    /// One that lets in whoever has a token.
    pub fn with_tokens(place: &Place, tokens: &Tokens) -> Option<Self> {
        let scopes = ["library/python", "shop"].map(|name| format!("repository:{name}:pull,push"));
        Self::with(place, &tokens.settings(place), format!("Bearer {}", tokens.token(&scopes, None)))
    }

    fn with(place: &Place, auth: &Value, authorization: String) -> Option<Self> {
        let program = Path::new("/usr/bin/docker-registry");
        if !program.exists() {
            assert!(std::env::var_os("CI").is_none(), "docker-registry is missing");
            println!("skipped: docker-registry is not here");
            return None;
        }
        let port = free_port();
        let config = json!({
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": false}},
            "storage": {"filesystem": {"rootdirectory": place.path("registry/data")}, "delete": {"enabled": true}},
            "http": {"addr": format!("127.0.0.1:{port}")},
            "auth": auth,
        });
        place.write("registry/config.yml", config.to_string());
        let mut running = place.command(program, ["serve", "registry/config.yml"]).spawn();
        running.until("listening on");
        let registry = Self { port, authorization, _running: running };
        let login = json!({"auth": basic()});
        let auth = json!({"auths": {registry.host(): login, format!("localhost:{port}"): login}});
        std::fs::create_dir_all(place.home(".docker")).unwrap();
        std::fs::write(place.home(".docker/config.json"), auth.to_string()).unwrap();
        Some(registry)
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Any request; the status and the body.
    pub fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>, Option<String>) {
        let headers = [("Authorization", self.authorization.as_str()), ("Content-Type", kind), ("Accept", MANIFEST)];
        let answer = Http::open(self.port).send(method, &self.host(), path, &headers, body).unwrap();
        let location = answer.header("location").map(str::to_owned);
        (answer.status, answer.body, location)
    }

    fn put_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let octets = "application/octet-stream";
        let (status, _, place) = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), octets, b"");
        assert_eq!(status, 202);
        let place = place.unwrap();
        let path = place.strip_prefix(&format!("http://{}", self.host())).unwrap_or(&place);
        let (status, body, _) = self.ask("PUT", &format!("{path}&digest={digest}"), octets, bytes);
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        digest
    }

    /// A base with a layer that is nobody's, for this machine.
    pub fn put_base(&self, repository: &str, tag: &str) {
        self.put_image(repository, tag, &b"not looked at".repeat(1000), "tar.gzip");
    }

    /// An image of one layer for this machine; as images in Docker's own form are, below a list.
    pub fn put_image(&self, repository: &str, tag: &str, layer: &[u8], form: &str) {
        let layer_digest = self.put_blob(repository, layer);
        let (os, architecture) =
            dae::packaging::platform().split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let config = json!({
            "os": os, "architecture": architecture,
            "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Cmd": ["python3"]},
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        })
        .to_string();
        let config_digest = self.put_blob(repository, config.as_bytes());
        let docker = "application/vnd.docker.distribution.manifest.v2+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": docker,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": config_digest, "size": config.len()},
            "layers": [{"mediaType": format!("application/vnd.docker.image.rootfs.diff.{form}"), "digest": layer_digest, "size": layer.len()}],
        })
        .to_string();
        let digest = Digest::of(manifest.as_bytes());
        let (status, body, _) =
            self.ask("PUT", &format!("/v2/{repository}/manifests/{digest}"), docker, manifest.as_bytes());
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        let list = "application/vnd.docker.distribution.manifest.list.v2+json";
        let platforms = json!({
            "schemaVersion": 2, "mediaType": list,
            "manifests": [{"mediaType": docker, "digest": digest, "size": manifest.len(), "platform": {"os": os, "architecture": architecture}}],
        })
        .to_string();
        let (status, body, _) =
            self.ask("PUT", &format!("/v2/{repository}/manifests/{tag}"), list, platforms.as_bytes());
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
    }

    /// The manifest of `image`, a reference by digest.
    pub fn manifest(&self, image: &str) -> Value {
        let (repository, digest) = image.strip_prefix(&format!("{}/", self.host())).unwrap().split_once('@').unwrap();
        let (status, body, _) = self.ask("GET", &format!("/v2/{repository}/manifests/{digest}"), "", b"");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// Unpacks the app's own layers of `image` below `into`.
    pub fn unpack(&self, image: &str, into: &Path) {
        let repository = image.strip_prefix(&format!("{}/", self.host())).unwrap().split_once('@').unwrap().0;
        std::fs::create_dir_all(into).unwrap();
        for layer in self.manifest(image)["layers"].as_array().unwrap() {
            if !layer["mediaType"].as_str().unwrap().ends_with("zstd") {
                continue;
            }
            let digest = Digest::parse(layer["digest"].as_str().unwrap()).unwrap();
            let (status, bytes, _) = self.ask("GET", &format!("/v2/{repository}/blobs/{digest}"), "", b"");
            assert_eq!(status, 200);
            dae::packaging::unpack(bytes.as_slice(), &digest, into, dae::packaging::Limits::default()).unwrap();
        }
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
