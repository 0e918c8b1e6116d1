//! What can be asked without writing anything: who the remote is, who may do what, how it refuses.

use reqwest::Method;

use super::{Ask, Miss, Point, Suite, ask, failed, header, offered, value, want, want_problem, want_status};

impl Suite<'_> {
    pub(super) async fn readings(&mut self) {
        let point = self.is_described();
        self.note("says who it is: api, server, domain, pythons, platform", point);
        let point = self.wants_a_token().await;
        self.note("wants a token, and says how one is given", point);
        let point = self.knows_its_tokens().await;
        self.note("refuses a token it did not give", point);
        let point = self.refuses_with_problems().await;
        self.note("refuses with RFC 9457 problems", point);
        let point = self.has_a_registry().await;
        self.note("has a registry below /v2/, where a token is also a Basic password", point);
        let point = self.lists_releases().await;
        self.note("lists releases, of an app it does not know as well", point);
        let point = self.tells_its_description().await;
        self.note("tells its OpenAPI description to everybody", point);
        let point = self.seals();
        self.note("names a key to seal secrets to", point);
    }

    fn is_described(&self) -> Point {
        let found = &self.found;
        want(!found.domain.is_empty() && !found.server.is_empty(), || "no domain, or no server".to_owned())?;
        want(found.platform.split_once('/').is_some(), || format!("the platform `{}`", found.platform))?;
        let full = |version: &String| version.split('.').count() >= 3;
        want(found.pythons.iter().all(full), || format!("versions that are not whole: {}", found.pythons.join(", ")))
    }

    async fn wants_a_token(&self) -> Point {
        for (path, scheme) in [("/dae/v1", "Bearer"), ("/v2/", "Basic")] {
            let answer = ask(&self.stranger, Ask::new(Method::GET, path)).await?;
            want_status(&answer, 401)?;
            let how = header(&answer.headers, "www-authenticate");
            want(how.starts_with(scheme), || format!("{path}: WWW-Authenticate is `{how}`"))?;
        }
        Ok(())
    }

    async fn knows_its_tokens(&self) -> Point {
        for path in ["/dae/v1", "/v2/"] {
            want_status(&ask(&self.impostor, Ask::new(Method::GET, path)).await?, 401)?;
        }
        Ok(())
    }

    async fn refuses_with_problems(&self) -> Point {
        for (path, status) in [
            ("/dae/v1/apps/Not-A-Name/releases".to_owned(), 400),
            (format!("{}/r999999999/events", self.releases_path()), 404),
            ("/dae/v1/nothing/here".to_owned(), 404),
        ] {
            want_problem(&self.get(&path).await?, status)?;
        }
        Ok(())
    }

    async fn has_a_registry(&self) -> Point {
        want_status(&self.get("/v2/").await?, 200)?;
        let Some(basic) = self.client.basic() else { return failed("no token is known") };
        let ask_so = Ask::new(Method::GET, "/v2/").header(reqwest::header::AUTHORIZATION, basic);
        want_status(&ask(&self.stranger, ask_so).await?, 200)
    }

    async fn lists_releases(&self) -> Point {
        let answer = self.get(&self.releases_path()).await?;
        want_status(&answer, 200)?;
        let body = value(&answer)?;
        want(body["app"] == self.app.as_str() && body["releases"].is_array(), || format!("it says {body}"))
    }

    async fn tells_its_description(&self) -> Point {
        let answer = ask(&self.stranger, Ask::new(Method::GET, "/dae/v1/openapi.yaml")).await?;
        offered(&answer)?;
        want_status(&answer, 200)
    }

    fn seals(&self) -> Point {
        match &self.found.seals_to {
            Some(key) if key.starts_with("age1") => Ok(()),
            Some(key) => failed(format!("`{key}` is no age recipient")),
            None => Err(Miss::NotOffered("so it takes no protected files".to_owned())),
        }
    }
}
