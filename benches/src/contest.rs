//! A group of contenders: measured by criterion one by one, and then in turns.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

/// How long a contender runs before it is the next one's turn.
const TURN: Duration = Duration::from_micros(100);
/// Turns of each contender.
const ROUNDS: usize = 2_000;
/// Passes before the first turn, which also find how many passes make one.
const WARM_UP: u32 = 500;

/// A contender's one pass through all frames.
type Pass<'a> = Box<dyn FnMut() + 'a>;

/// Contenders that do the same work in passes of `frames` frames each.
pub struct Contest<'a> {
    group: &'static str,
    frames: usize,
    unit: &'static str,
    contenders: Vec<(&'static str, Pass<'a>)>,
}

impl<'a> Contest<'a> {
    /// A group in which one pass is `frames` frames. The first contender is the one that the others are compared to.
    pub fn new(group: &'static str, frames: usize) -> Self {
        Contest { group, frames, unit: "frame", contenders: Vec::new() }
    }

    /// What a pass has so many of, where it is not frames.
    pub fn counting(self, unit: &'static str) -> Self {
        Contest { unit, ..self }
    }

    /// Adds a contender: `pass` works through all frames once.
    pub fn enter(mut self, name: &'static str, pass: impl FnMut() + 'a) -> Self {
        self.contenders.push((name, Box::new(pass)));
        self
    }

    /// Measures, per frame.
    pub fn run(mut self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(self.group);
        group.throughput(Throughput::Elements(1));
        group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2)).sample_size(50);
        for (name, pass) in &mut self.contenders {
            group.bench_function(*name, |bencher| {
                bencher.iter_custom(|frames| {
                    let passes = frames.div_ceil(self.frames as u64);
                    time(pass, passes).mul_f64(frames as f64 / (passes * self.frames as u64) as f64)
                });
            });
        }
        group.finish();
        // Neither for a test nor for a profiler.
        let asked_for = |wanted| std::env::args().any(|argument| argument == wanted);
        if asked_for("--bench") && !asked_for("--profile-time") {
            self.take_turns();
        }
    }

    fn take_turns(&mut self) {
        let passes: Vec<_> = self.contenders.iter_mut().map(|(_, pass)| passes_in_a_turn(pass)).collect();
        let mut times = vec![Vec::with_capacity(ROUNDS); self.contenders.len()];
        for _ in 0..ROUNDS {
            for (((_, pass), passes), times) in self.contenders.iter_mut().zip(&passes).zip(&mut times) {
                times.push(time(pass, *passes).as_nanos() as f64 / (*passes * self.frames as u64) as f64);
            }
        }
        let first = self.contenders.first().map_or("", |(name, _)| name);
        println!("{} in turns, ns a {} (quartiles), and times {first} (quartiles):", self.group, self.unit);
        for ((name, _), theirs) in self.contenders.iter().zip(&times) {
            let ratios = theirs.iter().zip(&times[0]).map(|(theirs, ours)| theirs / ours).collect();
            let ([low, median, high], [less, ratio, more]) = (quartiles(theirs.clone()), quartiles(ratios));
            println!("  {name:32} {median:8.1} ({low:.1} to {high:.1})   x {ratio:.2} ({less:.2} to {more:.2})");
        }
    }
}

fn time(pass: &mut dyn FnMut(), passes: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..passes {
        pass();
    }
    start.elapsed()
}

fn passes_in_a_turn(pass: &mut dyn FnMut()) -> u64 {
    let one = time(pass, u64::from(WARM_UP)) / WARM_UP;
    (TURN.as_nanos() / one.as_nanos().max(1)).max(1) as u64
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[quarter * (values.len() - 1) / 4])
}
