//! A pod that no node has room for: how long that is waited out. An autoscaler may be about to bring a node, others may be about to
//! go; where neither is so, waiting mends nothing.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::api::Api;

/// An autoscaler looks every ten seconds: when it has said nothing after two of them, there is none.
const GRACE: Duration = Duration::from_secs(25);

/// Since when a pod waits for a node.
#[derive(Debug, Default)]
pub struct Room {
    since: Option<Instant>,
}

/// What stands with a pod of whether a node comes for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Nothing,
    /// A node is on its way.
    Comes,
    /// None would help.
    Never,
}

impl Room {
    /// Whether there is no sense in waiting any longer.
    pub async fn is_hopeless(&mut self, api: &Api, pod: &str) -> bool {
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        let selector = format!("involvedObject.kind%3DPod%2CinvolvedObject.name%3D{pod}");
        let path = format!("/api/v1/namespaces/{}/events?fieldSelector={selector}", api.namespace());
        // Who may not read them waits out the grace.
        let events = api.get(&path).await.unwrap_or_default();
        is_over(waited, says(events["items"].as_array().map(Vec::as_slice).unwrap_or_default()))
    }
}

fn is_over(waited: Duration, says: Says) -> bool {
    match says {
        Says::Nothing => waited > GRACE,
        // As long as a rollout may take.
        Says::Comes => false,
        Says::Never => true,
    }
}

/// The newest word of an autoscaler: the cluster autoscaler's, or Karpenter's.
fn says(events: &[Value]) -> Says {
    let when = |event: &&Value| {
        let times = ["lastTimestamp", "eventTime"].map(|name| &event[name]);
        let times = times.into_iter().chain([&event["metadata"]["creationTimestamp"]]);
        times.filter_map(|time| time.as_str()?.parse::<jiff::Timestamp>().ok()).max()
    };
    let word = |event: &Value| match event["reason"].as_str()? {
        "TriggeredScaleUp" | "Nominated" => Some(Says::Comes),
        "NotTriggerScaleUp" => Some(Says::Never),
        _ => None,
    };
    let words = events.iter().filter(|event| word(event).is_some());
    words.max_by_key(when).and_then(word).unwrap_or(Says::Nothing)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn how_long_it_is_waited() {
        for (seconds, said, over) in [
            (0, Says::Nothing, false),
            (20, Says::Nothing, false),
            (26, Says::Nothing, true),
            (600, Says::Comes, false),
            (0, Says::Never, true),
        ] {
            assert_eq!(is_over(Duration::from_secs(seconds), said), over, "{seconds} {said:?}");
        }
    }

    #[test]
    fn the_newest_word_counts() {
        let event = |reason: &str, second: u8| json!({"reason": reason, "lastTimestamp": format!("2026-03-08T00:00:{second:02}Z")});
        let newer = |reason: &str, second: u8| json!({"reason": reason, "eventTime": format!("2026-03-08T00:00:{second:02}.5Z"), "lastTimestamp": null});
        for (events, wanted) in [
            (vec![], Says::Nothing),
            (vec![event("FailedScheduling", 9)], Says::Nothing),
            (vec![event("FailedScheduling", 9), event("TriggeredScaleUp", 1)], Says::Comes),
            (vec![event("NotTriggerScaleUp", 2), event("TriggeredScaleUp", 1)], Says::Never),
            (vec![event("NotTriggerScaleUp", 2), newer("TriggeredScaleUp", 3)], Says::Comes),
            (vec![newer("Nominated", 3)], Says::Comes),
        ] {
            assert_eq!(says(&events), wanted, "{events:?}");
        }
    }
}
