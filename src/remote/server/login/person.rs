//! From what a provider says of somebody to a user of an app, or to the reason why they may not be one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::Settings;
use super::token::Claims;
use crate::services::users::User;

/// Somebody a provider knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// With the issuer it names them for ever.
    pub subject: String,
    pub name: String,
    pub username: String,
    pub email: String,
    pub admin: bool,
}

impl Person {
    /// Whom `claims` speak of; the answer is why not, where they may not come in.
    pub fn of(claims: &Claims, settings: &Settings) -> Result<Self, String> {
        let text = |name: &str| {
            let value = claims.get(name).and_then(Value::as_str).unwrap_or_default();
            value.chars().filter(|c| !c.is_control()).take(200).collect::<String>()
        };
        // Said by the provider to be anybody's.
        let is_unsure = claims.get("email_verified").is_some_and(|is| *is == false || *is == "false");
        let email = if is_unsure { String::new() } else { text("email") };
        let groups: Vec<&str> = match claims.get(&settings.groups_claim) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one],
            _ => Vec::new(),
        };
        let is_in = |wanted: &[String]| wanted.iter().any(|group| groups.contains(&group.as_str()));
        let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        let domains = &settings.allowed_domains;
        if !domains.is_empty() && !domains.iter().any(|own| Some(own.to_lowercase()) == domain) {
            let whose = match email.as_str() {
                "" if is_unsure => "an address that nobody has checked".to_owned(),
                "" => "no address that is told".to_owned(),
                email => format!("the address {email}"),
            };
            return Err(format!("it is for addresses of {}, and you have {whose}", domains.join(", ")));
        }
        if !settings.allowed_groups.is_empty() && !is_in(&settings.allowed_groups) {
            return Err(format!("it is for members of {}", settings.allowed_groups.join(", ")));
        }
        let first = |names: &[&str]| names.iter().map(|name| text(name)).find(|text| !text.is_empty());
        let local = email.split('@').next().unwrap_or_default().to_owned();
        let username =
            first(&["preferred_username", "nickname"]).or_else(|| Some(local).filter(|name| !name.is_empty()));
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        let username = username.unwrap_or_else(|| text("sub"));
        let name = first(&["name"]).unwrap_or_else(|| username.clone());
        Ok(Self { subject, name, username, email, admin: is_in(&settings.admin_groups) })
    }

    /// As the app sees them, by their number on this node.
    pub fn user(&self, number: u64) -> User {
        let Self { subject: _, name, username, email, admin } = self.clone();
        User { id: number.to_string(), name, username, email, admin }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_comes_in_and_as_whom() {
        let open = Settings::of("https://id.example.com", "us");
        let strict =
            Settings { allowed_domains: vec!["Example.com".into()], admin_groups: vec!["ops".into()], ..open.clone() };
        let members = Settings { allowed_groups: vec!["staff".into()], groups_claim: "roles".into(), ..open.clone() };
        let told = |settings: &Settings, claims: Value| {
            Person::of(claims.as_object().unwrap(), settings)
                .map_or_else(|why| why, |it| format!("{} {} {} {}", it.name, it.username, it.email, it.admin))
        };
        let ann = json!({"sub": "1", "name": "Ann Lee", "preferred_username": "ann", "email": "ann@EXAMPLE.com"});
        assert_eq!(told(&open, ann.clone()), "Ann Lee ann ann@EXAMPLE.com false");
        assert_eq!(told(&strict, ann), "Ann Lee ann ann@EXAMPLE.com false");
        assert_eq!(
            told(&strict, json!({"sub": "1", "email": "b@example.com", "groups": "ops"})),
            "b b b@example.com true"
        );
        assert_eq!(told(&open, json!({"sub": "x1"})), "x1 x1  false");
        assert_eq!(told(&open, json!({"sub": "1", "name": "a\r\nb", "email": 7})), "ab 1  false");
        let for_own = "it is for addresses of Example.com, and you have";
        for (email, whose) in [
            (json!({"email": "a@other.org"}), "the address a@other.org"),
            (json!({"email": "a@notexample.com"}), "the address a@notexample.com"),
            (json!({"email": "a@example.com", "email_verified": false}), "an address that nobody has checked"),
            (json!({}), "no address that is told"),
        ] {
            assert_eq!(told(&strict, email), format!("{for_own} {whose}"));
        }
        assert_eq!(told(&members, json!({"sub": "1", "groups": ["staff"]})), "it is for members of staff");
        assert_eq!(told(&members, json!({"sub": "1", "roles": ["a", "staff"]})), "1 1  false");
    }
}
