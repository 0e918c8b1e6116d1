//! Whether an ID token may be believed: OpenID Connect Core 1.0, section 3.1.3.7. Knows no network and no clock.

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

/// What a token says, beyond its signature.
pub type Claims = Map<String, Value>;

/// Clocks may differ by so much, in seconds.
const LEEWAY: i64 = 60;
/// What others can check and only the provider can sign: a client's secret is no such key.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What is asked of a token.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// What was sent with the request; a token that came by a refresh need not have it.
    pub nonce: Option<&'a str>,
    /// Seconds since 1970.
    pub now: i64,
}

/// Why it is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// None of the keys signed it: perhaps there are new ones.
    UnknownKey,
    /// The two clocks differ by so many seconds: more than none, and this machine's is ahead.
    Clock(i64),
    Wrong(String),
}

pub fn read(token: &str, keys: &JwkSet, expected: Expected<'_>) -> Result<Claims, Fault> {
    let wrong = |why: &str| Err(Fault::Wrong(why.to_owned()));
    let Ok(header) = decode_header(token) else { return wrong("it is no signed token") };
    if !ALGORITHMS.contains(&header.alg) {
        return wrong("it is signed in a way that anybody could");
    }
    let claims = signed(token, header.alg, header.kid.as_deref(), keys)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return wrong("it is of another issuer");
    }
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    if !audience.contains(&expected.client_id) {
        return wrong("it is meant for another client");
    }
    if (audience.len() > 1 || claims.contains_key("azp")) && text("azp") != Some(expected.client_id) {
        return wrong("it was given to another client");
    }
    if expected.nonce.is_some() && text("nonce") != expected.nonce {
        return wrong("it answers another request");
    }
    if text("sub").is_none_or(str::is_empty) {
        return wrong("it names nobody");
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(whole);
    let (Some(ends), Some(issued)) = (time("exp"), time("iat")) else {
        return wrong("it does not say for how long it holds");
    };
    if issued > expected.now + LEEWAY {
        return Err(Fault::Clock(expected.now - issued));
    }
    if ends < expected.now - LEEWAY {
        return Err(Fault::Clock(expected.now - issued));
    }
    Ok(claims)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a time that is beyond an i64 is over, or far away, at its ends too"
)]
fn whole(seconds: f64) -> i64 {
    seconds as i64
}

/// Its claims, by the key it names; one that names none may be by any.
fn signed(token: &str, algorithm: Algorithm, kid: Option<&str>, keys: &JwkSet) -> Result<Claims, Fault> {
    let mut only_signature = Validation::new(algorithm);
    only_signature.required_spec_claims.clear();
    only_signature.validate_exp = false;
    only_signature.validate_aud = false;
    let fits = |key: &&Jwk| {
        let named = kid.is_none() || key.common.key_id.as_deref() == kid;
        let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        let alone = key.common.key_algorithm.is_none_or(|own| own.to_string() == format!("{algorithm:?}"));
        named && signs && alone
    };
    let mut found = keys.keys.iter().filter(fits).filter_map(|key| DecodingKey::from_jwk(key).ok()).peekable();
    if found.peek().is_none() {
        return Err(Fault::UnknownKey);
    }
    let read = found.find_map(|key| decode::<Claims>(token, &key, &only_signature).ok());
    let forged = || Fault::Wrong("its signature is not the provider's".into());
    read.map(|read| read.claims).ok_or_else(|| if kid.is_none() { Fault::UnknownKey } else { forged() })
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    /// Made for this test.
    const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgt07c/043szMBNe+a
hmZQAiprc3hmxa/6gvZ1JhLGc6ShRANCAASqtv+OQM6LJd/+giKeUSToeAZFpRgq
XX8O8gHsA/3KO8tT8krcYdPlpkxspc7G4qbNg64sngOXujnpgo0jKRt6
-----END PRIVATE KEY-----
";
    const NOW: i64 = 1_800_000_000;

    fn key() -> EncodingKey {
        EncodingKey::from_ec_pem(KEY.as_bytes()).unwrap()
    }

    fn keys() -> JwkSet {
        let mut own = Jwk::from_encoding_key(&key(), Algorithm::ES256).unwrap();
        own.common.key_id = Some("one".into());
        JwkSet { keys: vec![own] }
    }

    fn token(kid: Option<&str>, change: &Value) -> String {
        let mut claims = json!({
            "iss": "https://id.example.com", "aud": "us", "sub": "7", "nonce": "n", "iat": NOW - 1, "exp": NOW + 60,
        });
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &key()).unwrap()
    }

    fn told(token: &str) -> String {
        let expected = Expected { issuer: "https://id.example.com", client_id: "us", nonce: Some("n"), now: NOW };
        match read(token, &keys(), expected) {
            Ok(_) => "believed".into(),
            Err(Fault::Wrong(why)) => why,
            Err(fault) => format!("{fault:?}"),
        }
    }

    #[test]
    fn what_is_believed() {
        for (change, wanted) in [
            (json!({}), "believed"),
            (json!({"aud": ["us"]}), "believed"),
            (json!({"aud": ["us", "them"], "azp": "us"}), "believed"),
            (json!({"exp": NOW - 59}), "believed"),
            (json!({"iat": NOW + 59}), "believed"),
            (json!({"exp": NOW + 60, "iat": 1_799_999_999.5}), "believed"),
            (json!({"iss": "https://id.example.com/"}), "it is of another issuer"),
            (json!({"iss": null}), "it is of another issuer"),
            (json!({"aud": "them"}), "it is meant for another client"),
            (json!({"aud": ["them"]}), "it is meant for another client"),
            (json!({"aud": null}), "it is meant for another client"),
            (json!({"aud": ["us", "them"]}), "it was given to another client"),
            (json!({"azp": "them"}), "it was given to another client"),
            (json!({"nonce": "m"}), "it answers another request"),
            (json!({"nonce": null}), "it answers another request"),
            (json!({"sub": ""}), "it names nobody"),
            (json!({"exp": null}), "it does not say for how long it holds"),
            (json!({"exp": "soon"}), "it does not say for how long it holds"),
            (json!({"iat": NOW + 3600, "exp": NOW + 7200}), "Clock(-3600)"),
            (json!({"iat": NOW - 7200, "exp": NOW - 3600}), "Clock(7200)"),
        ] {
            assert_eq!(told(&token(Some("one"), &change)), wanted, "{change}");
        }
        assert_eq!(told(&token(None, &json!({}))), "believed");
        assert_eq!(told(&token(Some("two"), &json!({}))), "UnknownKey");
    }

    #[test]
    fn who_signs_counts() {
        let good = token(Some("one"), &json!({}));
        let (head, rest) = good.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        // The public key as a secret that both know, and no signature at all.
        let claims_now = json!({"iss": "https://id.example.com", "aud": "us", "sub": "7", "nonce": "n", "iat": NOW, "exp": NOW + 60});
        let public = serde_json::to_string(&keys()).unwrap();
        let header = Header { kid: Some("one".into()), ..Header::new(Algorithm::HS256) };
        let confused = encode(&header, &claims_now, &EncodingKey::from_secret(public.as_bytes())).unwrap();
        let other = token(Some("one"), &json!({"sub": "8"}));
        let other = other.split('.').nth(1).unwrap();
        for (token, wanted) in [
            (confused, "it is signed in a way that anybody could"),
            (format!("eyJhbGciOiJub25lIn0.{claims}."), "it is no signed token"),
            (format!("{head}.{other}.{signature}"), "its signature is not the provider's"),
            (format!("{head}.{claims}."), "its signature is not the provider's"),
            ("x".into(), "it is no signed token"),
            (String::new(), "it is no signed token"),
        ] {
            assert_eq!(told(&token), wanted, "{token}");
        }
    }
}
