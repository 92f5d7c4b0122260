//! Families of metrics under way.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::buckets::Buckets;

/// Names and values.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// A metric by its name and help, and what counts it in a `T`.
pub(super) type Told<T> = (&'static str, &'static str, fn(&T) -> u64);

/// Those that are there so far.
#[derive(Default)]
pub(super) struct Families(Vec<MetricFamily>);

impl Families {
    /// What goes up and down. Without a sample there is no family.
    pub(super) fn gauge<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        let samples = samples.into_iter().map(|(labels, value)| {
            let (mut metric, mut gauge) = (labelled(labels), Gauge::default());
            gauge.set_value(value);
            metric.set_gauge(gauge);
            metric
        });
        self.add(name, help, MetricType::GAUGE, samples.collect());
    }

    /// What goes up and down, where it is a whole number.
    pub(super) fn level<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, u64)>) {
        self.gauge(name, help, samples.into_iter().map(|(labels, value)| (labels, value as f64)));
    }

    /// What is so, or is not: 1 or 0.
    pub(super) fn flag<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, bool)>) {
        self.level(name, help, samples.into_iter().map(|(labels, is_so)| (labels, u64::from(is_so))));
    }

    /// What only goes up.
    pub(super) fn counter<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, u64)>) {
        self.sum(name, help, samples.into_iter().map(|(labels, value)| (labels, value as f64)));
    }

    /// The same, where it is no whole number.
    pub(super) fn sum<'a>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        let samples = samples.into_iter().map(|(labels, value)| {
            let (mut metric, mut counter) = (labelled(labels), Counter::default());
            counter.set_value(value);
            metric.set_counter(counter);
            metric
        });
        self.add(name, help, MetricType::COUNTER, samples.collect());
    }

    /// Times.
    pub(super) fn histogram<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, &'a Buckets)>,
    ) {
        let samples = samples.into_iter().map(|(labels, buckets)| {
            let (mut metric, mut histogram) = (labelled(labels), Histogram::default());
            histogram.set_bucket(buckets.cumulative().map(bucket).collect());
            histogram.set_sample_count(buckets.count());
            histogram.set_sample_sum(buckets.sum());
            metric.set_histogram(histogram);
            metric
        });
        self.add(name, help, MetricType::HISTOGRAM, samples.collect());
    }

    fn add(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.into());
        family.set_help(help.into());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }

    /// All of them.
    pub(super) fn into_all(self) -> Vec<MetricFamily> {
        self.0
    }
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.into());
        pair.set_value(value.into());
        pair
    };
    Metric::from_label(labels.into_iter().map(pair).collect())
}

fn bucket((bound, count): (f64, u64)) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.set_upper_bound(bound);
    bucket.set_cumulative_count(count);
    bucket
}
