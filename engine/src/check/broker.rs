//! The brokers, and each topic, as a start would find them.

use super::point::Point;
use crate::config::Config;
use crate::engine::topic_specs;
use crate::kafka::inspect::{Cluster, Found, There, inspect};
use crate::kafka::topics::TopicSpec;
use crate::latency::readable;

const BROKERS: &str = "brokers";
const LOGIN: &str = "login";
const RIGHTS: &str = "rights";
const LET_IT_WRITE: &str = "give it the right to (WRITE; kafka-acls.sh --add --producer)";

/// Asks the brokers. Nothing is made or produced.
pub(super) fn look(config: &Config) -> Vec<Point> {
    let specs: Vec<_> = config.feeds.iter().flat_map(|feed| topic_specs(feed, config.kafka.partitions)).collect();
    let client_config = config.producer_settings().client_config();
    let cluster = match inspect(&client_config, &specs, config.kafka.create_topics) {
        Ok(cluster) => cluster,
        Err(error) => return vec![Point::wrong(BROKERS, error)],
    };
    let mut points = vec![brokers(&cluster), login(config)];
    let topic = |(spec, found): &(TopicSpec, Found)| topic(spec, found, config.limits.max_frame_bytes as u64);
    points.extend(cluster.topics.iter().map(topic));
    points.push(rights(&cluster));
    points
}

fn brokers(Cluster { brokers, answered_after, is_embedded, .. }: &Cluster) -> Point {
    let after = readable(answered_after.as_nanos() as u64);
    let what = match (brokers.len(), is_embedded) {
        (_, true) => "the embedded one".to_string(),
        (1, _) => "1, the only one".to_string(),
        (count, _) => count.to_string(),
    };
    Point::fine(BROKERS, format!("{what} ({}), answered after {after}", brokers.join(", ")))
}

fn login(config: &Config) -> Point {
    let security = &config.kafka.security;
    let protocol = security.protocol.name();
    match &security.login {
        None => Point::fine(LOGIN, format!("none ({protocol})")),
        Some(login) if security.protocol.is_encrypted() => {
            Point::fine(LOGIN, format!("{} by {} ({protocol})", login.username, login.mechanism.name()))
        }
        Some(login) => Point::doubtful(
            LOGIN,
            format!("{} by {} ({protocol}), not encrypted", login.username, login.mechanism.name()),
        )
        .advising("set kafka.security.protocol to \"sasl_ssl\""),
    }
}

/// What is known of our user's rights to the topics that are there.
fn rights(Cluster { is_embedded, untold_rights, topics, .. }: &Cluster) -> Point {
    let there: Vec<_> = topics
        .iter()
        .filter_map(|(_, found)| match found {
            Found::There(there) => Some(there.may_write),
            _ => None,
        })
        .collect();
    let are = |what: Option<bool>| there.iter().filter(|may_write| **may_write == what).count();
    match (there.len(), are(Some(false)), are(None)) {
        _ if *is_embedded => Point::fine(RIGHTS, "the embedded broker asks for none"),
        (0, ..) => Point::not_told(RIGHTS, "whether our user may write is told once the topics are there"),
        (_, 0, 0) => Point::fine(RIGHTS, "our user may write to all topics that are there"),
        (all, 0, untold) => {
            let why = untold_rights.as_deref().unwrap_or("the broker does not say");
            Point::not_told(RIGHTS, format!("whether our user may write to {untold} of {all} topics: {why}"))
        }
        (all, denied, _) => {
            Point::wrong(RIGHTS, format!("our user may not write to {denied} of {all} topics")).advising(LET_IT_WRITE)
        }
    }
}

/// `longest` is the longest frame that is published, in bytes.
fn topic(spec: &TopicSpec, found: &Found, longest: u64) -> Point {
    let name = spec.name.as_str();
    match found {
        Found::There(there) => judge(name, there, longest),
        Found::Missing(error) => Point::wrong(name, error),
        Found::ToBeMade => {
            let hours = spec.retention.as_secs() / 3600;
            let partitions = spec.partitions;
            Point::fine(
                name,
                format!("is not there, and would be made with {partitions} partitions, kept for {hours} hours"),
            )
        }
        Found::CannotBeMade(why) => {
            Point::wrong(name, format!("is not there, and the broker would not make it: {why}"))
                .advising("create it, or give our user the right to (CREATE)")
        }
        Found::Hidden => Point::wrong(name, "is there, but is not shown to our user")
            .advising("give it the rights to describe and write the topic (DESCRIBE, WRITE)"),
    }
}

fn judge(name: &str, there: &There, longest: u64) -> Point {
    let There { partitions, leaderless, in_sync, min_in_sync, may_write, .. } = there;
    if *may_write == Some(false) {
        return Point::wrong(name, "our user may not write to it").advising(LET_IT_WRITE);
    }
    if !leaderless.is_empty() {
        let without: Vec<_> = leaderless.iter().map(ToString::to_string).collect();
        return Point::wrong(name, format!("nobody takes records for its partitions {}", without.join(", ")))
            .advising("start the brokers that have them, or see their logs");
    }
    if let Some(least) = min_in_sync.filter(|least| in_sync < least) {
        return Point::wrong(
            name,
            format!(
                "a partition has {in_sync} replicas in sync, and min.insync.replicas is {least}: it takes no records"
            ),
        )
        .advising("start the brokers that are away, or lower min.insync.replicas");
    }
    let mut doubts = there.differences.clone();
    if let Some(most) = there.max_bytes.filter(|most| *most < longest) {
        doubts.push(format!(
            "max.message.bytes = {most} is less than limits.max_frame_bytes = {longest}: longer frames become dead letters"
        ));
    } else if let Some(most) = there.smaller_requests {
        doubts.push(format!("max.message.bytes = {most}: requests to all topics are kept that small"));
    }
    if !doubts.is_empty() {
        return Point::doubtful(name, doubts.join("; ")).advising(
            "if that is not as you want it, change the topic (kafka-configs.sh, kafka-topics.sh): the start does not",
        );
    }
    let settings = match &there.unknown {
        Some(why) => format!("; its settings are not told: {why}"),
        None => ", set as it would be made".to_string(),
    };
    Point::fine(name, format!("{partitions} partitions{settings}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::point::Verdict::{Doubtful, Fine, NotTold, Wrong};
    use crate::record::Kind;

    fn spec() -> TopicSpec {
        let retention = Duration::from_hours(48);
        TopicSpec { name: "trades".into(), kind: Kind::Normalized, partitions: 3, retention }
    }

    fn judged(found: Found) -> Point {
        topic(&spec(), &found, 262_144)
    }

    fn there() -> There {
        There { partitions: 3, in_sync: 2, min_in_sync: Some(2), max_bytes: Some(1_048_588), ..There::default() }
    }

    #[test]
    fn topics_that_are_there_are_judged() {
        let fine = judged(Found::There(there()));
        assert_eq!((fine.verdict, fine.found.as_str()), (Fine, "3 partitions, set as it would be made"));
        let untold = judged(Found::There(There { unknown: Some("no right".into()), min_in_sync: None, ..there() }));
        assert!(untold.verdict == Fine && untold.found.ends_with("not told: no right"), "{untold:?}");
        for (there, verdict, part) in [
            (There { leaderless: vec![0, 2], ..there() }, Wrong, "partitions 0, 2"),
            (There { in_sync: 1, ..there() }, Wrong, "min.insync.replicas is 2"),
            (There { may_write: Some(false), ..there() }, Wrong, "may not write"),
            (
                There { differences: vec!["partitions = 20 instead of 3".into()], ..there() },
                Doubtful,
                "20 instead of 3",
            ),
            (There { max_bytes: Some(100_000), smaller_requests: Some(100_000), ..there() }, Doubtful, "dead letters"),
            (
                There { max_bytes: Some(500_000), smaller_requests: Some(500_000), ..there() },
                Doubtful,
                "kept that small",
            ),
        ] {
            let point = judged(Found::There(there));
            assert!(point.verdict == verdict && point.found.contains(part) && point.advice.is_some(), "{point:?}");
        }
    }

    #[test]
    fn rights_are_told_of_as_far_as_they_are_known() {
        let of = |found: Vec<Found>, is_embedded| {
            let topics = found.into_iter().map(|found| (spec(), found)).collect();
            let untold_rights = Some("UnsupportedFeature".into());
            rights(&Cluster { brokers: vec![], answered_after: Duration::ZERO, is_embedded, untold_rights, topics })
        };
        let writable = |may_write| Found::There(There { may_write, ..there() });
        assert_eq!(of(vec![writable(None)], true).verdict, Fine);
        assert_eq!(of(vec![Found::ToBeMade], false).verdict, NotTold);
        assert_eq!(of(vec![writable(Some(true)), Found::ToBeMade], false).verdict, Fine);
        let untold = of(vec![writable(Some(true)), writable(None)], false);
        assert!(untold.verdict == NotTold && untold.found.ends_with("1 of 2 topics: UnsupportedFeature"), "{untold:?}");
        let denied = of(vec![writable(Some(false)), writable(None)], false);
        assert!(denied.verdict == Wrong && denied.advice.is_some(), "{denied:?}");
    }

    #[test]
    fn topics_that_are_not_there_are_wrong_unless_the_start_makes_them() {
        let made = judged(Found::ToBeMade);
        assert!(made.verdict == Fine && made.found.contains("3 partitions, kept for 48 hours"), "{made:?}");
        for found in [Found::Missing("topic is not there".into()), Found::CannotBeMade("no".into()), Found::Hidden] {
            assert_eq!(judged(found).verdict, Wrong);
        }
    }
}
