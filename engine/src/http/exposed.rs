//! What requests are answered from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::board::{Connection, State};
use crate::clock::Nanos;
use crate::engine::view::{Core, Signs, Tally, View};

/// Records that wait for so long without any being acknowledged have no broker, whatever librdkafka says of its connection.
const STANDSTILL: Duration = Duration::from_secs(10);
/// Reasons of one kind that are told; of the rest, how many there are.
const MOST_TOLD: usize = 10;

/// A process that runs an engine, as it is shown.
pub struct Exposed {
    /// When the process began.
    pub started: SystemTime,
    began: Instant,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    signs: Option<Signs>,
    view: Option<Arc<View>>,
    /// When a record was last acknowledged, or none waited.
    moved: Option<Instant>,
    is_stopping: bool,
}

impl Default for Exposed {
    fn default() -> Self {
        Exposed { started: SystemTime::now(), began: Instant::now(), now: Mutex::default() }
    }
}

impl Exposed {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine runs.
    pub fn runs(&self, signs: Signs) {
        self.now().signs = Some(signs);
    }

    /// This is the latest of it.
    pub fn show(&self, view: View) {
        let records = view.accounting.all_records();
        let is_moving = view.counts.acked_records > 0 || records.in_flight + records.spilled == 0;
        let mut now = self.now();
        if is_moving || now.moved.is_none() {
            now.moved = Some(Instant::now());
        }
        now.view = Some(Arc::new(view));
    }

    /// The engine stops.
    pub fn stops(&self) {
        self.now().is_stopping = true;
    }

    /// Seconds since the process began.
    pub fn uptime_s(&self) -> f64 {
        self.began.elapsed().as_millis() as f64 / 1e3
    }

    /// What the cores show, once there are some.
    pub fn signs(&self) -> Option<Signs> {
        self.now().signs.clone()
    }

    /// What was collected last, once something was.
    pub fn view(&self) -> Option<Arc<View>> {
        self.now().view.clone()
    }

    /// Which cores make no progress; none if all is well, or nothing runs yet.
    pub fn why_not_live(&self) -> Vec<String> {
        let Some(signs) = self.signs() else { return Vec::new() };
        let said = |(core, rested): (&str, Duration)| {
            format!("{core} has shown no sign of life for {:.1} s", rested.as_secs_f64())
        };
        signs.stuck().map(said).collect()
    }

    /// Why trades are not subscribed, or cannot be published; none if they are and can.
    pub fn why_not_ready(&self) -> Vec<String> {
        if self.now().is_stopping {
            return vec!["it stops".into()];
        }
        let Some(signs) = self.signs() else {
            return vec!["it starts: broker, topics and schema are not seen to yet".into()];
        };
        let mut reasons = self.why_not_live();
        reasons.extend(not_subscribed(&signs.board.connections(Nanos::now())));
        reasons.extend(self.view().iter().flat_map(|view| without_broker(&signs, view)));
        let stands = self.now().moved.map(|moved| moved.elapsed()).filter(|stands| *stands > STANDSTILL);
        reasons.extend(stands.map(|stands| format!("no record was acknowledged for {} s", stands.as_secs())));
        reasons
    }
}

fn not_subscribed(connections: &[Connection]) -> Vec<String> {
    if connections.is_empty() {
        return vec!["no connection was begun yet".into()];
    }
    let waiting: Vec<_> = connections.iter().filter(|one| one.state != State::Subscribed).collect();
    let said = |one: &&Connection| format!("{}-{} is {}", one.exchange, one.connection, one.state.name());
    let mut reasons: Vec<_> = waiting.iter().take(MOST_TOLD).map(said).collect();
    if waiting.len() > MOST_TOLD {
        reasons.push(format!("and {} more connections are not subscribed", waiting.len() - MOST_TOLD));
    }
    reasons
}

/// Producer cores whose librdkafka has said that no broker is up. Before it says anything, the start has spoken with one.
fn without_broker(signs: &Signs, view: &View) -> Vec<String> {
    let cores = signs.cores.iter().zip(&view.cores);
    let lacks = |core: &Core| match &core.tally {
        Tally::Producer(_, Some(statistics)) => !statistics.brokers().any(|broker| broker.is_up()),
        _ => false,
    };
    cores.filter(|(_, core)| lacks(core)).map(|((name, ..), _)| format!("{name} has no broker")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Board, Standing};
    use crate::pulse::Pulse;

    #[test]
    fn it_is_ready_once_all_connections_are_subscribed_and_until_it_stops() {
        let exposed = Exposed::default();
        assert_eq!(exposed.why_not_ready(), ["it starts: broker, topics and schema are not seen to yet"]);
        assert_eq!(exposed.why_not_live(), [""; 0], "who starts is alive");
        let board = Arc::new(Board::default());
        exposed.runs(Signs { board: board.clone(), cores: vec![("feed-0".into(), 0, Pulse::none())] });
        assert_eq!(exposed.why_not_ready(), ["no connection was begun yet"]);
        let signs: Vec<_> = (0..13).map(|number| board.connection("binance", number, 0)).collect();
        let subscribed = Standing { state: State::Subscribed, ..Standing::default() };
        signs[1..].iter().for_each(|sign| sign.show(subscribed));
        assert_eq!(exposed.why_not_ready(), ["binance-0 is connecting"]);
        signs.iter().for_each(|sign| sign.show(Standing { state: State::Connected, ..Standing::default() }));
        let reasons = exposed.why_not_ready();
        assert_eq!(reasons.len(), 11, "{reasons:?}");
        assert_eq!(reasons[10], "and 3 more connections are not subscribed");
        signs.iter().for_each(|sign| sign.show(subscribed));
        assert_eq!(exposed.why_not_ready(), [""; 0]);
        exposed.stops();
        assert_eq!(exposed.why_not_ready(), ["it stops"]);
        assert_eq!(exposed.why_not_live(), [""; 0]);
    }
}
