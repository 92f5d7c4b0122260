//! Pages over HTTP, and metrics read from their text by code that is not the engine's.

use std::time::Duration;

fn agent() -> ureq::Agent {
    let timeout = Some(Duration::from_secs(10));
    ureq::Agent::config_builder().timeout_global(timeout).http_status_as_error(false).build().into()
}

/// Status and body.
pub(super) fn get(url: &str, path: &str) -> (u16, String) {
    let mut answer = agent().get(format!("{url}{path}")).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// The status that a POST is answered with.
pub(super) fn post(url: &str, path: &str) -> u16 {
    agent().post(format!("{url}{path}")).send_empty().unwrap().status().as_u16()
}

/// Samples by name and labels, these in the order of their names.
pub(super) struct Metrics(Vec<(String, f64)>);

impl Metrics {
    pub(super) fn of(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            (sorted(name), value.parse().unwrap_or_else(|_| panic!("{line:?}")))
        });
        Metrics(samples.collect())
    }

    /// Those that begin like this.
    fn like(&self, start: &str) -> impl Iterator<Item = f64> {
        self.0.iter().filter(move |(name, _)| name.starts_with(start)).map(|(_, value)| *value)
    }

    pub(super) fn sum(&self, start: &str) -> f64 {
        self.like(start).sum()
    }

    pub(super) fn count(&self, start: &str) -> usize {
        self.like(start).count()
    }
}

/// A name with its labels in their order.
fn sorted(name: &str) -> String {
    let Some((name, labels)) = name.split_once('{') else { return name.to_string() };
    let mut labels: Vec<_> = labels.trim_end_matches('}').split_inclusive("\",").collect();
    labels.iter_mut().for_each(|label| *label = label.trim_end_matches(','));
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}
