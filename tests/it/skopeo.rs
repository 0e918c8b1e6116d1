//! The node as a registry for the programs of others: skopeo pushes, copies, lists, deletes and pulls.

use std::path::Path;

use serde_json::Value;

use crate::deploy::Remote;
use crate::harness::{Place, Ran};

impl Remote {
    fn skopeo(&self, args: &[&str]) -> Ran {
        let kept = std::fs::read_to_string(self.place.home(".config/dae/credentials.json")).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        let auth = serde_json::json!({ "auths": { format!("127.0.0.1:{}", self.port): {
            "auth": base64(&format!("dae:{}", kept["prod"].as_str().unwrap()))
        }}});
        std::fs::write(self.place.path("auth.json"), auth.to_string()).unwrap();
        let policy = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
        std::fs::write(self.place.path("policy.json"), policy).unwrap();
        let program = self.place.command("skopeo", ["--policy", "policy.json"]);
        args.iter()
            .fold(program, crate::harness::Dae::arg)
            .env("REGISTRY_AUTH_FILE", self.place.path("auth.json"))
            .run()
    }

    fn docker(&self, reference: &str) -> String {
        format!("docker://127.0.0.1:{}/daetest{reference}", self.port)
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn installed(place: &Place) -> bool {
    let there = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join("skopeo").is_file()));
    assert!(there || std::env::var_os("CI").is_none(), "CI has skopeo");
    if !there {
        println!("skipped: skopeo is not installed");
    }
    let _ = place;
    there
}

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.raw());
    ran
}

#[test]
fn skopeo_pushes_and_pulls_both_ways() {
    let remote = Remote::at(Place::new(), "node");
    let place = &remote.place;
    if !installed(place) {
        return;
    }
    let packed = remote.dae(&["package", "--json", "-o", "../layout"]).ok().json();
    let digest = packed["image"].as_str().unwrap();
    ok(remote.skopeo(&["copy", "--dest-tls-verify=false", "--preserve-digests", "oci:layout", &remote.docker(":v1")]));
    let seen: Value =
        serde_json::from_str(&ok(remote.skopeo(&["inspect", "--tls-verify=false", &remote.docker(":v1")])).stdout)
            .unwrap();
    assert_eq!(seen["Digest"], digest);
    assert_eq!(seen["RepoTags"], serde_json::json!(["v1"]));
    // What was pushed so is released by its digest.
    let released = remote.dae(&["deploy", "--image", digest, "--json"]).ok().json();
    assert_eq!((&released["outcome"], &released["image"]), (&"live".into(), &digest.into()));
    assert_eq!(remote.says().0, "one");

    ok(remote.skopeo(&[
        "copy",
        "--src-tls-verify=false",
        "--preserve-digests",
        &remote.docker(&format!("@{digest}")),
        "oci:back",
    ]));
    let index = std::fs::read_to_string(place.path("back/index.json")).unwrap();
    assert!(index.contains(digest), "{index}");
    assert_eq!(blobs(&place.path("back")), blobs(&place.path("layout")));

    // What is live stays, whoever wants it gone; a tag goes with what it names.
    let refused = remote.skopeo(&["delete", "--tls-verify=false", &remote.docker(":v1")]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("is released"), "{}", refused.raw());
    std::fs::write(place.path("daetest/app.py"), "other = 1\n").unwrap();
    let other = remote.dae(&["package", "--json", "-o", "../other"]).ok().json()["image"].clone();
    ok(remote.skopeo(&["copy", "--dest-tls-verify=false", "--preserve-digests", "oci:other", &remote.docker(":v2")]));
    ok(remote.skopeo(&["delete", "--tls-verify=false", &remote.docker(":v2")]));
    let gone = remote.ask("GET", &format!("/v2/daetest/manifests/{}", other.as_str().unwrap()), &[], "");
    assert_eq!(gone.status, 404);
    let tags: Value =
        serde_json::from_str(&ok(remote.skopeo(&["list-tags", "--tls-verify=false", &remote.docker("")])).stdout)
            .unwrap();
    assert_eq!(tags["Tags"], serde_json::json!(["v1"]));
    assert_eq!(remote.says().0, "one");
}

fn blobs(layout: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(layout.join("blobs/sha256")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_refers_to_an_image_is_found() {
    let remote = Remote::new();
    let image = remote.deploy()["image"].as_str().unwrap().to_owned();
    let none = remote.ask("GET", &format!("/v2/daetest/referrers/{image}"), &[], "");
    assert_eq!((none.status, none.header("content-type")), (200, Some("application/vnd.oci.image.index.v1+json")));
    assert_eq!(none.json()["manifests"], serde_json::json!([]));

    let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    assert_eq!(remote.ask("POST", &format!("/v2/daetest/blobs/uploads/?digest={empty}"), &[], "{}").status, 201);
    let size = remote.ask("GET", &format!("/v2/daetest/manifests/{image}"), &[], "").body.len();
    let manifest = |kind: &str| {
        let part = serde_json::json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2});
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": kind,
            "config": part,
            "layers": [part],
            "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image, "size": size},
            "annotations": {"made": "by a test"},
        })
        .to_string()
    };
    for kind in ["application/x-sbom", "application/x-signature"] {
        let put = remote.ask(
            "PUT",
            &format!("/v2/daetest/manifests/{}", kind.rsplit('-').next().unwrap()),
            &[("Content-Type", "application/vnd.oci.image.manifest.v1+json")],
            &manifest(kind),
        );
        assert_eq!((put.status, put.header("oci-subject")), (201, Some(image.as_str())), "{}", put.text());
    }
    let all = remote.ask("GET", &format!("/v2/daetest/referrers/{image}"), &[], "").json();
    assert_eq!(all["manifests"].as_array().unwrap().len(), 2, "{all}");
    let some = remote.ask("GET", &format!("/v2/daetest/referrers/{image}?artifactType=application/x-sbom"), &[], "");
    assert_eq!(some.header("oci-filters-applied"), Some("artifactType"));
    let found = some.json()["manifests"].clone();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["artifactType"]), (1, &"application/x-sbom".into()));
    assert_eq!(found[0]["annotations"]["made"], "by a test");
}
