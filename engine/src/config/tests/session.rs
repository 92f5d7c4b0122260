//! When connections are made anew.

use super::*;

fn session(lines: &str) -> Result<Session, Vec<String>> {
    load(&format!("{BINANCE}[session]\n{lines}\n"), &[]).map(|config| config.session)
}

#[test]
fn what_is_left_out_is_what_sessions_do_by_themselves() {
    let session = session("").unwrap();
    assert_eq!((session.backoff(), session.patience()), (Bounds::default(), Patience::default()));
    assert_eq!(session.max_age(), None);
}

#[test]
fn every_value_is_taken() {
    let lines = "backoff_min_ms = 1\nbackoff_max_ms = 60000\nbreaker_opens_after_s = 2\nbreaker_probe_min_s = 3\n\
                 breaker_probe_max_s = 4\nmax_age_s = 1";
    let session = session(lines).unwrap();
    let millis = Duration::from_millis;
    assert_eq!(session.backoff(), Bounds { min: millis(1), max: millis(60_000) });
    let [opens_after, probe_min, probe_max] = [2, 3, 4].map(Duration::from_secs);
    assert_eq!(session.patience(), Patience { opens_after, probe_min, probe_max });
    assert_eq!(session.max_age(), Some(Duration::from_secs(1)));
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let bounded = "it must be from 1 to 60000, what fails for longer is left to the breaker";
    let a_day = "it must be from 1 to 86400";
    let leave_out = "; to keep connections for as long as the exchange does, leave it out";
    for (lines, expected) in [
        ("backoff_min_ms = 0", format!("feed.toml:5: session.backoff_min_ms = 0: {bounded}")),
        ("backoff_max_ms = 60001", format!("feed.toml:5: session.backoff_max_ms = 60001: {bounded}")),
        ("breaker_opens_after_s = 0", format!("feed.toml:5: session.breaker_opens_after_s = 0: {a_day}")),
        ("breaker_probe_min_s = 0", format!("feed.toml:5: session.breaker_probe_min_s = 0: {a_day}")),
        ("breaker_probe_max_s = 86401", format!("feed.toml:5: session.breaker_probe_max_s = 86401: {a_day}")),
        ("max_age_s = 0", format!("feed.toml:5: session.max_age_s = 0: {a_day}{leave_out}")),
        ("max_age_s = 86401", format!("feed.toml:5: session.max_age_s = 86401: {a_day}{leave_out}")),
        (
            "backoff_min_ms = 751",
            "feed.toml:5: session.backoff_min_ms = 751: it is more than backoff_max_ms = 750: set it to 750 or less, or \
             backoff_max_ms to 751 or more"
                .into(),
        ),
        (
            "breaker_probe_max_s = 4",
            "feed.toml:5: session.breaker_probe_min_s = 5: it is more than breaker_probe_max_s = 4: set it to 4 or less, or \
             breaker_probe_max_s to 5 or more"
                .into(),
        ),
        ("max_age = 5", "feed.toml:5: unknown key session.max_age, did you mean max_age_s?".into()),
    ] {
        assert_eq!(session(lines), Err(vec![expected]), "{lines}");
    }
    assert!(session("backoff_min_ms = 750\nbreaker_probe_max_s = 5").is_ok(), "both bounds may be the same");
}
