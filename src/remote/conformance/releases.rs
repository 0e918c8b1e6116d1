//! Releases from beginning to end: made, told, answered, broken, rolled back, changed.

use reqwest::Method;
use reqwest::header::{ACCEPT, HOST, HeaderName, IF_MATCH};
use serde_json::{Value, json};

use super::image::{Draft, Image, PLACE};
use super::{
    Answer, Ask, Miss, Point, Suite, ask, failed, header, json as asking, offered, value, want, want_problem,
    want_status,
};
use crate::packaging::Digest;
use crate::problem::Result;

/// An event with its number.
type Told = Vec<(u64, Value)>;

impl Suite<'_> {
    pub(super) async fn releases(&mut self) {
        let point = self.wants_what_was_pushed().await;
        self.note("refuses a release of what was not pushed", point);
        let point = self.plans().await;
        self.note("plans: what would be missing, and nothing is written", point);
        let point = self.goes_live("one").await;
        let Some(first) = self.note("makes a release live, and tells its story as numbered events", point) else {
            return;
        };
        let point = self.resumes(&first).await;
        self.note("tells the rest of a story after Last-Event-ID", point);
        let point = self.answers("one", &first).await;
        self.note("answers at APP.DOMAIN, with the release in X-Dae-Release", point);
        let point = self.says_it_is_live("one").await;
        self.note("says of a manifest that is live that it is", point);
        let point = self.compares(&first).await;
        self.note("makes a release only in the place of what If-Match names", point);
        let point = self.goes_live("two").await;
        let second = self.note("puts a second release in the place of the first", point).unwrap_or_default();
        let point = self.answers("two", &second).await;
        self.note("answers with the new release at once", point);
        let point = self.keeps_what_serves("three", 2, PLACE, &second).await;
        self.note("lets what serves go on when a release of another format fails", point);
        let point = self.keeps_what_serves("four", 1, "dae/app/../../../evil", &second).await;
        self.note("unpacks nothing of a layer that leads out", point);
        let point = self.rolls_back(&first).await;
        self.note("rolls back: a new release that repeats the old one", point);
        let point = self.refuses_what_never_served().await;
        self.note("rolls back to nothing that never served", point);
        let point = self.sets_config().await;
        self.note("sets variables as a release, shows no values unasked, refuses a NUL", point);
        for (what, path, member) in [
            ("tells how many processes run", "scale", "processes"),
            ("tells an app's hosts", "domains", "own"),
            ("tells an app's processes", "processes", "processes"),
            ("tells an app's commands", "runs", "runs"),
            ("tells who gets which release", "traffic", "live"),
        ] {
            let point = self.tells(path, member).await;
            self.note(what, point);
        }
        let point = self.adds_a_domain().await;
        self.note("answers for another host when told to, and not for its own names", point);
        let point = self.runs_a_command().await;
        self.note("runs a command beside the live release, and tells how it ended", point);
        let point = self.tries_a_release().await;
        self.note("tries a release on a share of the visitors, and takes it back", point);
    }

    pub(super) fn image(&self, says: &str, format: u32) -> Result<Image> {
        self.image_at(says, format, PLACE)
    }

    fn image_at(&self, says: &str, format: u32, path: &str) -> Result<Image> {
        let version = self.found.pythons.last().map_or("3.11", String::as_str);
        let minor = version.match_indices('.').nth(1).map_or(version, |(at, _)| &version[..at]);
        Image::make(&Draft { app: &self.app, python: minor, platform: &self.found.platform, says, path, format })
    }

    async fn pushed(&self, says: &str, format: u32, path: &str) -> Point<String> {
        let image = self.image_at(says, format, path).map_err(|problem| Miss::Failed(problem.to_string()))?;
        for blob in &image.blobs {
            self.push_blob(blob).await?;
        }
        let taken = self.put_manifest(&image.digest(), &image.manifest).await?;
        want_status(&taken, 201)?;
        Ok(image.digest())
    }

    async fn live(&self) -> Point<String> {
        let found = value(&self.get(&self.releases_path()).await?)?;
        let all = found["releases"].as_array().cloned().unwrap_or_default();
        let live = all.iter().find(|one| one["state"] == "live").and_then(|one| one["id"].as_str());
        Ok(live.unwrap_or("none").to_owned())
    }

    async fn change(&self, method: Method, path: &str, body: &Value, live: &str) -> Point<Answer> {
        ask(self.client, asking(method, path, body).header(IF_MATCH, format!("\"{live}\""))).await
    }

    /// Follows what was accepted to its end: its name and what was told.
    async fn followed(&self, accepted: &Answer) -> Point<(String, Told)> {
        want_status(accepted, 202)?;
        let body = value(accepted)?;
        let (Some(release), Some(events)) = (body["release"].as_str(), body["events"].as_str()) else {
            return failed(format!("202 without `release` and `events`: {body}"));
        };
        Ok((release.to_owned(), self.story(events, 0).await?))
    }

    async fn story(&self, path: &str, after: u64) -> Point<Told> {
        let mut listen = Ask::new(Method::GET, path).header(ACCEPT, "text/event-stream");
        if after > 0 {
            listen = listen.header(HeaderName::from_static("last-event-id"), after.to_string());
        }
        let answer = ask(self.client, listen).await?;
        want_status(&answer, 200)?;
        let kind = header(&answer.headers, "content-type");
        want(kind.starts_with("text/event-stream"), || format!("events of the type `{kind}`"))?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let field = |block: &str, name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_start().to_owned())
        };
        let events = text.split("\n\n").filter_map(|block| {
            let data = field(block, "data:")?;
            Some((field(block, "id:")?.parse().ok()?, serde_json::from_str(&data).ok()?))
        });
        Ok(events.collect())
    }

    async fn wants_what_was_pushed(&self) -> Point {
        let body = json!({ "image": Digest::of(b"no manifest").to_string() });
        want_problem(&self.send(Method::POST, &self.releases_path(), &body).await?, 422)?;
        want_problem(&self.send(Method::POST, &self.releases_path(), &json!({})).await?, 422).map(drop)
    }

    async fn plans(&self) -> Point {
        let digest = Digest::of(b"planned, never sent").to_string();
        let body = json!({
            "image": Digest::of(b"its manifest").to_string(), "blobs": [{ "digest": digest, "size": 19 }],
            "python": "3.11", "platform": self.found.platform,
        });
        let answer = self.send(Method::POST, &self.of_app("plan"), &body).await?;
        want_status(&answer, 200)?;
        let told = value(&answer)?;
        want(told["missing"].as_array().is_some_and(|all| all.contains(&json!(digest))), || format!("it says {told}"))
    }

    async fn goes_live(&self, says: &str) -> Point<String> {
        let image = self.pushed(says, 1, PLACE).await?;
        let live = self.live().await?;
        let body = json!({ "image": image, "message": format!("conformance: {says}"), "by": "the suite" });
        let accepted = self.change(Method::POST, &self.releases_path(), &body, &live).await?;
        let (release, told) = self.followed(&accepted).await?;
        let numbers: Vec<u64> = told.iter().map(|(number, _)| *number).collect();
        let wanted: Vec<u64> = (1..=numbers.len() as u64).collect();
        want(numbers == wanted, || format!("events are numbered {numbers:?}"))?;
        let last = told.last().map(|(_, event)| event.clone()).unwrap_or_default();
        want(last["event"] == "live" && last["release"] == release.as_str(), || format!("the last event is {last}"))?;
        want(last["url"].is_string(), || "it names no url".to_owned())?;
        Ok(release)
    }

    async fn resumes(&self, release: &str) -> Point {
        let path = format!("{}/{release}/events", self.releases_path());
        let all = self.story(&path, 0).await?;
        want(all.len() > 1, || "its story has one event".to_owned())?;
        let rest = self.story(&path, 1).await?;
        want(rest == all[1..], || format!("after 1 it tells {} events of {}", rest.len(), all.len()))
    }

    async fn visit(&self) -> Point<Answer> {
        let host = format!("{}.{}", self.app.host(), self.found.domain);
        ask(&self.stranger, Ask::new(Method::GET, "/").header(HOST, host)).await
    }

    async fn answers(&self, says: &str, release: &str) -> Point {
        let answer = self.visit().await?;
        want_status(&answer, 200)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let by = header(&answer.headers, "x-dae-release");
        want(text == says && by == release, || format!("`{text}` of `{by}`, and not `{says}` of `{release}`"))
    }

    async fn says_it_is_live(&self, says: &str) -> Point {
        let image = self.image(says, 1).map_err(|problem| Miss::Failed(problem.to_string()))?;
        let answer = self.put_manifest(&image.digest(), &image.manifest).await?;
        want_status(&answer, 201)?;
        let live = header(&answer.headers, "dae-live");
        want(live == self.live().await?, || format!("Dae-Live is `{live}`"))
    }

    async fn compares(&self, live: &str) -> Point {
        let image = self.pushed("compared", 1, PLACE).await?;
        let body = json!({ "image": image });
        for wrong in ["none", "r999999999"] {
            let refused = self.change(Method::POST, &self.releases_path(), &body, wrong).await?;
            want_problem(&refused, 412)?;
        }
        let now = self.live().await?;
        want(now == live, || format!("{now} is live and not {live}"))
    }

    async fn keeps_what_serves(&self, says: &str, format: u32, path: &str, live: &str) -> Point {
        let image = self.pushed(says, format, path).await?;
        let accepted = self.change(Method::POST, &self.releases_path(), &json!({ "image": image }), live).await?;
        let (_, told) = self.followed(&accepted).await?;
        let last = told.last().map(|(_, event)| event.clone()).unwrap_or_default();
        want(last["event"] == "failed" && last["serving"] == live, || format!("the last event is {last}"))?;
        want(last["problem"]["message"].is_string(), || "it does not say why".to_owned())?;
        self.answers("two", live).await
    }

    async fn rolls_back(&self, to: &str) -> Point {
        let live = self.live().await?;
        let accepted = self.change(Method::POST, &self.of_app("rollback"), &json!({ "to": to }), &live).await?;
        let (release, _) = self.followed(&accepted).await?;
        let all = value(&self.get(&self.releases_path()).await?)?;
        let newest = &all["releases"][0];
        want(newest["id"] == release.as_str() && newest["repeats"] == to, || format!("the newest is {newest}"))?;
        self.answers("one", &release).await
    }

    async fn refuses_what_never_served(&self) -> Point {
        let all = value(&self.get(&self.releases_path()).await?)?;
        let all = all["releases"].as_array().cloned().unwrap_or_default();
        let Some(failed_one) = all.iter().find(|one| one["state"] == "failed") else {
            return failed("no release failed");
        };
        let answer = self.send(Method::POST, &self.of_app("rollback"), &json!({ "to": failed_one["id"] })).await?;
        want_problem(&answer, 409).map(drop)
    }

    async fn sets_config(&self) -> Point {
        let path = self.of_app("config");
        let live = self.live().await?;
        let accepted = self.change(Method::PATCH, &path, &json!({ "set": { "CHECKED": "hush" } }), &live).await?;
        offered(&accepted)?;
        self.followed(&accepted).await?;
        let shown = self.get(&path).await?;
        want_status(&shown, 200)?;
        want(value(&shown)?["config"].get("CHECKED") == Some(&Value::Null), || "it shows values unasked".to_owned())?;
        let revealed = value(&self.get(&format!("{path}?reveal=true")).await?)?;
        want(revealed["config"]["CHECKED"] == "hush", || "it does not show them when asked".to_owned())?;
        want_problem(&self.send(Method::PATCH, &path, &json!({ "set": { "A": "a\0b" } })).await?, 422).map(drop)
    }

    async fn tells(&self, path: &str, member: &str) -> Point {
        let answer = self.get(&self.of_app(path)).await?;
        offered(&answer)?;
        want_status(&answer, 200)?;
        let body = value(&answer)?;
        want(body.get(member).is_some(), || format!("no `{member}` in {body}"))
    }

    async fn adds_a_domain(&self) -> Point {
        let host = "conformance.dae.invalid";
        let path = self.of_app(&format!("domains/{host}"));
        let added = ask(self.client, Ask::new(Method::PUT, &*path)).await?;
        offered(&added)?;
        want_status(&added, 200)?;
        let answer = ask(&self.stranger, Ask::new(Method::GET, "/").header(HOST, host)).await?;
        want_status(&answer, 200)?;
        want_status(&ask(self.client, Ask::new(Method::DELETE, &*path)).await?, 200)?;
        let own = self.of_app(&format!("domains/{}", self.found.domain));
        want_problem(&ask(self.client, Ask::new(Method::PUT, own)).await?, 409).map(drop)
    }

    async fn runs_a_command(&self) -> Point {
        let command = json!({ "command": ["sh", "-c", "echo said; exit 3"] });
        let begun = self.send(Method::POST, &self.of_app("runs"), &command).await?;
        offered(&begun)?;
        want_status(&begun, 202)?;
        let body = value(&begun)?;
        let told = self.story(body["events"].as_str().unwrap_or_default(), 0).await?;
        let said = told.iter().any(|(_, event)| event["event"] == "output" && event["line"] == "said");
        let last = told.last().map(|(_, event)| event.clone()).unwrap_or_default();
        want(said && last["event"] == "ended" && last["code"] == 3, || format!("it told {told:?}"))
    }

    async fn tries_a_release(&self) -> Point {
        offered(&self.get(&self.of_app("traffic")).await?)?;
        let image = self.pushed("tried", 1, PLACE).await?;
        let live = self.live().await?;
        let body = json!({ "image": image, "share": { "percent": 0, "headers": { "X-Conformance": "yes" } } });
        let accepted = self.change(Method::POST, &self.releases_path(), &body, &live).await?;
        let (release, _) = self.followed(&accepted).await?;
        self.answers("one", &live).await?;
        let host = format!("{}.{}", self.app.host(), self.found.domain);
        let named = Ask::new(Method::GET, "/").header(HOST, host);
        let named = ask(&self.stranger, named.header(HeaderName::from_static("x-conformance"), "yes")).await?;
        let by = header(&named.headers, "x-dae-release");
        want(by == release, || format!("who is named is answered by `{by}` and not by {release}"))?;
        let back = self.change(Method::PUT, &self.of_app("traffic"), &json!({ "percent": 0 }), &live).await?;
        want_status(&back, 200)?;
        want(value(&back)?.get("gray").is_none(), || "it is tried still".to_owned())?;
        self.answers("one", &live).await
    }
}
