//! Which of two upstreams a visitor gets, while a new one is tried on a share of them.
//!
//! A visitor is told from another by a cookie with a number below 100, drawn once: it says nothing of who they are. Whoever
//! was among the first tenth is among the first half as well, and which tenth comes first differs from one trial to the next.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::Upstream;

/// The cookie that keeps a visitor on one side.
const COOKIE: &str = "dae_bucket";
/// As long as a browser keeps it, in seconds: thirty days.
const KEPT: u32 = 30 * 24 * 3600;
const BUCKETS: u8 = 100;

/// Who gets the new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Of a hundred visitors.
    pub percent: u8,
    /// And every request with one of these.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// And every request from one of these networks.
    pub networks: Vec<IpNet>,
}

/// Two upstreams of one host.
#[derive(Debug)]
pub struct Split {
    /// What all others get.
    pub rest: Arc<Upstream>,
    pub tried: Arc<Upstream>,
    pub share: Share,
    /// Names the trial: which buckets come first follows from it.
    pub trial: String,
}

/// What is known of who asks.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    pub address: IpAddr,
    pub headers: &'a HeaderMap,
}

/// The bucket of a visitor who had none yet, to be sent as a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn(u8);

impl Split {
    /// Whose turn it is, and the bucket where one was drawn for that.
    pub(super) fn pick(&self, visitor: Visitor<'_>) -> (&Arc<Upstream>, Option<Drawn>) {
        if self.share.names(visitor) {
            return (&self.tried, None);
        }
        let known = bucket_of(visitor.headers);
        let bucket = known.unwrap_or_else(draw);
        let drawn = known.is_none().then_some(Drawn(bucket));
        let place = (bucket + offset(&self.trial)) % BUCKETS;
        (if place < self.share.percent { &self.tried } else { &self.rest }, drawn)
    }
}

impl Share {
    fn names(&self, visitor: Visitor<'_>) -> bool {
        let has =
            |(name, value): &(HeaderName, HeaderValue)| visitor.headers.get_all(name).iter().any(|one| one == value);
        self.headers.iter().any(has) || {
            let address = visitor.from();
            self.networks.iter().any(|network| network.contains(&address))
        }
    }
}

impl Visitor<'_> {
    /// Where the request began: as a proxy on this machine tells it, else where the connection did.
    pub(super) fn from(&self) -> IpAddr {
        let told = || {
            let last = self.headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            last.rsplit(',').next()?.trim().parse().ok()
        };
        let address = self.address.to_canonical();
        if address.is_loopback() { told().unwrap_or(address) } else { address }
    }
}

impl Drawn {
    /// For `Set-Cookie`.
    pub(super) fn cookie(self) -> HeaderValue {
        let text = format!("{COOKIE}={}; Path=/; Max-Age={KEPT}; HttpOnly; SameSite=Lax", self.0);
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

fn bucket_of(headers: &HeaderMap) -> Option<u8> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let ours = |cookie: &str| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('=')?.parse().ok();
    cookies.flat_map(|value| value.split(';')).find_map(ours).filter(|bucket| *bucket < BUCKETS)
}

fn draw() -> u8 {
    // Without the system's randomness everybody would be on one side, which is a share as good as none.
    let number = getrandom::u32().unwrap_or_default();
    u8::try_from(number % u32::from(BUCKETS)).unwrap_or_default()
}

/// FNV-1a, so that trials differ and a restart changes nothing.
fn offset(trial: &str) -> u8 {
    let hash = trial
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u8::try_from(hash % u64::from(BUCKETS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(trial: &str, share: Share) -> Split {
        let upstream = |name: &str| Arc::new(Upstream::new(name.into()));
        Split { rest: upstream("/rest"), tried: upstream("/tried"), share, trial: trial.to_owned() }
    }

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        given
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn is_tried(split: &Split, address: &str, given: &[(&'static str, &str)]) -> bool {
        let visitor = Visitor { address: address.parse().unwrap(), headers: &headers(given) };
        Arc::ptr_eq(split.pick(visitor).0, &split.tried)
    }

    fn those(split: &Split) -> Vec<u8> {
        let with = |bucket: &u8| is_tried(split, "192.0.2.1", &[("cookie", &format!("a=b; dae_bucket={bucket}"))]);
        (0..BUCKETS).filter(with).collect()
    }

    #[test]
    fn a_share_is_as_large_as_it_says_and_grows_by_adding() {
        let of = |trial: &str, percent| those(&split(trial, Share { percent, ..Share::default() }));
        for percent in [0, 1, 10, 50, 99, 100] {
            assert_eq!(of("r2", percent).len(), usize::from(percent));
        }
        let (tenth, half) = (of("r2", 10), of("r2", 50));
        assert!(tenth.iter().all(|bucket| half.contains(bucket)));
        assert_ne!(tenth, of("r3", 10));
    }

    #[test]
    fn a_visitor_without_a_cookie_is_given_one_that_keeps_the_side() {
        let split = split("r2", Share { percent: 50, ..Share::default() });
        let none = HeaderMap::new();
        for _ in 0..50 {
            let (first, drawn) = split.pick(Visitor { address: [192, 0, 2, 1].into(), headers: &none });
            let cookie = drawn.unwrap().cookie();
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let again = headers(&[("cookie", &pair)]);
            let (second, drawn) = split.pick(Visitor { address: [192, 0, 2, 9].into(), headers: &again });
            assert!(Arc::ptr_eq(first, second) && drawn.is_none());
        }
        // What is no bucket counts for nothing.
        for bad in ["dae_bucket=100", "dae_bucket=", "dae_bucket=-1", "dae_bucket=x", "xdae_bucket=1"] {
            assert_eq!(bucket_of(&headers(&[("cookie", bad)])), None, "{bad}");
        }
    }

    #[test]
    fn a_header_or_an_address_decides_alone() {
        let share = Share {
            percent: 0,
            headers: vec![(HeaderName::from_static("x-gray"), HeaderValue::from_static("yes"))],
            networks: vec!["10.1.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        };
        let split = split("r2", share);
        for (address, given, tried) in [
            ("192.0.2.1", &[][..], false),
            ("192.0.2.1", &[("x-gray", "yes")], true),
            ("192.0.2.1", &[("x-gray", "no")], false),
            ("10.1.2.3", &[], true),
            ("10.2.2.3", &[], false),
            ("::ffff:10.1.2.3", &[], true),
            ("2001:db8::1", &[], true),
            // Only a proxy on this machine is believed, and of what it says the last, which it saw itself.
            ("127.0.0.1", &[("x-forwarded-for", "192.0.2.1, 10.1.2.3")], true),
            ("127.0.0.1", &[("x-forwarded-for", "10.1.2.3, 192.0.2.1")], false),
            ("192.0.2.1", &[("x-forwarded-for", "10.1.2.3")], false),
        ] {
            assert_eq!(is_tried(&split, address, given), tried, "{address} {given:?}");
        }
    }
}
