//! The registry: whether each schema is there, or may go there.

use super::point::Point;
use crate::avro::NORMALIZED_TRADE;
use crate::config::Config;
use crate::registry::cache::{IdCache, Remembered};
use crate::registry::{Missing, RegistryClient, RegistryError};

/// Asks for the schema of each topic. Nothing is registered: what is not there is checked for compatibility only.
pub(super) fn look(config: &Config) -> Vec<Point> {
    let kafka = &config.kafka;
    let client = match RegistryClient::with_access(kafka.schema_registry_url.as_str(), &kafka.registry_access) {
        Ok(client) => client,
        Err(error) => return vec![Point::wrong("registry", error.to_string())],
    };
    let mut subjects: Vec<_> =
        config.feeds.iter().map(|feed| kafka.subject_name_strategy.subject(&feed.topic)).collect();
    subjects.sort();
    subjects.dedup();
    let kept = |subject: &str| {
        let cache = IdCache::open(config.state.dir.as_deref()?);
        cache.get(&client.url(), subject, NORMALIZED_TRADE)
    };
    let mut points = Vec::new();
    for subject in subjects {
        let found = client.id(&subject, NORMALIZED_TRADE, Missing::Refuse);
        let is_over = matches!(&found, Err(error) if error.may_pass());
        points.push(judge(&subject, &client.url(), found, kafka.register_schemas, kept(&subject)));
        if is_over {
            // One that does not answer for one does not for the others.
            break;
        }
    }
    points
}

/// `kept` is the id that a start without the registry would use.
fn judge(
    subject: &str,
    url: &str,
    found: Result<u32, RegistryError>,
    registers: bool,
    kept: Option<Remembered>,
) -> Point {
    match (found, kept) {
        (Ok(id), _) => Point::fine(subject, format!("the schema is registered at {url} as id {id}")),
        (Err(RegistryError::NotRegistered { .. }), _) if registers => Point::fine(
            subject,
            format!(
                "the schema is not registered at {url}, and compatible: the start registers it, if it has the right to"
            ),
        ),
        (Err(error), Some(Remembered { id, age })) if error.may_pass() => {
            let age = humantime::format_duration(std::time::Duration::from_secs(age.as_secs()));
            Point::doubtful(subject, format!("a start would use id {id}, kept {age} ago: {error}"))
        }
        (Err(error), _) => Point::wrong(subject, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::point::Verdict::{Doubtful, Fine, Wrong};

    #[test]
    fn a_schema_that_is_missing_is_wrong_only_where_nobody_registers_it() {
        let missing = || Err(RegistryError::NotRegistered { url: "http://r".into(), subject: "t-value".into() });
        let judged = |found, registers, kept| judge("t-value", "http://r", found, registers, kept).verdict;
        assert_eq!(judged(Ok(7), false, None), Fine);
        assert_eq!(judged(missing(), true, None), Fine);
        assert_eq!(judged(missing(), false, None), Wrong);
        let kept = || Some(Remembered { id: 7, age: Duration::from_secs(90) });
        assert_eq!(judged(missing(), false, kept()), Wrong, "the registry has spoken");
        let away = || Err(RegistryError::Unreachable { url: "http://r".into(), reason: "refused".into() });
        assert_eq!(judged(away(), true, None), Wrong);
        let point = judge("t-value", "http://r", away(), true, kept());
        assert!(point.verdict == Doubtful && point.found.starts_with("a start would use id 7, kept 1m 30s ago: "));
    }
}
