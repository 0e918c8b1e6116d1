//! The registry below `/v2/`, as a push and a pull need it.

use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};

use super::{Answer, Ask, Point, Suite, ask, header, offered, value, want, want_status};
use crate::packaging::{Digest, MANIFEST_TYPE};
use crate::remote::registry::missing;

const WHOLE: &[u8] = b"a blob of the conformance suite";
const PARTS: &[u8] = b"another one, which comes in two parts";

impl Suite<'_> {
    pub(super) async fn registry(&mut self) {
        let point = self.takes_a_blob_whole().await;
        self.note("takes a blob in one request, and gives it back", point);
        let point = self.takes_a_blob_in_parts().await;
        self.note("takes a blob in parts, says how far it is, and refuses a gap", point);
        let point = self.refuses_a_lie().await;
        self.note("keeps nothing whose digest is another one", point);
        let point = self.gives_a_part().await;
        self.note("gives a part of a blob", point);
        let point = self.mounts().await;
        self.note("mounts a blob of the same repository", point);
        let point = self.cancels().await;
        self.note("forgets an upload that is cancelled", point);
        let point = self.says_what_it_misses().await;
        self.note("says of a manifest which blobs it misses, each with its digest", point);
        let point = self.bounds_manifests().await;
        self.note("refuses a manifest of 100 MB, and one that is none", point);
    }

    fn repository(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.app)
    }

    pub(super) async fn push_blob(&self, bytes: &[u8]) -> Point {
        let path = self.repository(&format!("blobs/uploads/?digest={}", Digest::of(bytes)));
        let post = Ask::new(Method::POST, path).body(bytes.to_vec());
        want_status(&ask(self.client, post.header(CONTENT_TYPE, "application/octet-stream")).await?, 201)
    }

    pub(super) async fn put_manifest(&self, reference: &str, bytes: &[u8]) -> Point<Answer> {
        let path = self.repository(&format!("manifests/{reference}"));
        ask(self.client, Ask::new(Method::PUT, path).header(CONTENT_TYPE, MANIFEST_TYPE).body(bytes.to_vec())).await
    }

    async fn takes_a_blob_whole(&self) -> Point {
        self.push_blob(WHOLE).await?;
        let path = self.repository(&format!("blobs/{}", Digest::of(WHOLE)));
        let head = ask(self.client, Ask::new(Method::HEAD, &*path)).await?;
        want_status(&head, 200)?;
        let length = header(&head.headers, "content-length");
        want(length == WHOLE.len().to_string(), || format!("HEAD says {length} bytes"))?;
        want(self.get(&path).await?.body == WHOLE, || "it gives other bytes".to_owned())?;
        let unknown = self.repository(&format!("blobs/{}", Digest::of(b"never sent")));
        want_status(&ask(self.client, Ask::new(Method::HEAD, unknown)).await?, 404)
    }

    async fn begin_upload(&self) -> Point<String> {
        let begun = ask(self.client, Ask::new(Method::POST, self.repository("blobs/uploads/"))).await?;
        want_status(&begun, 202)?;
        let at = begun.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        want(!at.is_empty(), || "no Location".to_owned())?;
        Ok(at)
    }

    async fn takes_a_blob_in_parts(&self) -> Point {
        let at = self.begin_upload().await?;
        let part = |from: usize, to: usize| {
            let ask = Ask::new(Method::PATCH, &*at).header(CONTENT_RANGE, format!("{from}-{}", to - 1));
            ask.header(CONTENT_TYPE, "application/octet-stream").body(PARTS[from..to].to_vec())
        };
        want_status(&ask(self.client, part(0, 10)).await?, 202)?;
        want_status(&ask(self.client, part(20, 30)).await?, 416)?;
        let asked = self.get(&at).await?;
        want_status(&asked, 204)?;
        let range = header(&asked.headers, "range");
        want(range == "0-9", || format!("after ten bytes the range is `{range}`"))?;
        want_status(&ask(self.client, part(10, PARTS.len())).await?, 202)?;
        let sign = if at.contains('?') { '&' } else { '?' };
        let end = Ask::new(Method::PUT, format!("{at}{sign}digest={}", Digest::of(PARTS)));
        want_status(&ask(self.client, end).await?, 201)
    }

    async fn refuses_a_lie(&self) -> Point {
        let digest = Digest::of(b"what was promised");
        let path = self.repository(&format!("blobs/uploads/?digest={digest}"));
        want_status(&ask(self.client, Ask::new(Method::POST, path).body(WHOLE.to_vec())).await?, 400)?;
        let head = Ask::new(Method::HEAD, self.repository(&format!("blobs/{digest}")));
        want_status(&ask(self.client, head).await?, 404)
    }

    async fn gives_a_part(&self) -> Point {
        let path = self.repository(&format!("blobs/{}", Digest::of(WHOLE)));
        let part = ask(self.client, Ask::new(Method::GET, path).header(RANGE, "bytes=2-5")).await?;
        want_status(&part, 206)?;
        want(part.body == WHOLE[2..6], || "it gives other bytes".to_owned())
    }

    async fn mounts(&self) -> Point {
        let query = format!("?mount={}&from={}", Digest::of(WHOLE), self.app);
        let asked =
            ask(self.client, Ask::new(Method::POST, self.repository(&format!("blobs/uploads/{query}")))).await?;
        want_status(&asked, 201)
    }

    async fn cancels(&self) -> Point {
        let at = self.begin_upload().await?;
        let cancelled = ask(self.client, Ask::new(Method::DELETE, &*at)).await?;
        offered(&cancelled)?;
        want_status(&cancelled, 204)?;
        want_status(&self.get(&at).await?, 404)
    }

    async fn says_what_it_misses(&self) -> Point {
        let image = self.image("never sent in whole", 1).map_err(|problem| super::Miss::Failed(problem.to_string()))?;
        let refused = self.put_manifest(&image.digest(), &image.manifest).await?;
        want_status(&refused, 404)?;
        let body = value(&refused)?;
        let told = missing(&refused.body);
        let all = image.blobs.iter().all(|blob| told.contains(&Digest::of(blob)));
        want(all, || format!("not all {} are told: {body}", image.blobs.len()))
    }

    async fn bounds_manifests(&self) -> Point {
        let large = vec![b' '; 100_000_000];
        // A remote may close the connection on what nobody wants to read.
        if let Ok(answer) = self.put_manifest("large", &large).await {
            let status = answer.status.as_u16();
            want(matches!(status, 400 | 413), || format!("100 MB were answered with {status}"))?;
        }
        want_status(&self.put_manifest("none", b"this is no manifest").await?, 400)
    }
}
