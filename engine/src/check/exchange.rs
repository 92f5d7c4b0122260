//! The exchanges: each address that the engine may connect to, up to the acknowledgement of a symbol, by the engine's own
//! code.

mod conversation;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::point::{Point, Verdict};
use crate::clock::Nanos;
use crate::config::Config;
use crate::latency::readable;
use crate::net::dial::{Step, dial_telling};
use crate::net::{is_loopback, tls};
use crate::pace::Pace;
use crate::venue::{Protocol, Subscription};
use conversation::{Ask, Heard};

/// A trade cannot be newer than the time of its arrival: if it is by more than this, our clock is behind.
const MAX_AHEAD: Duration = Duration::from_millis(5);

/// One address of some feeds.
struct Address {
    /// Those feeds, by their places in the configuration.
    feeds: Vec<usize>,
    protocol: Protocol,
    /// Of one symbol.
    way: Subscription,
    /// Of so many that the address is to carry.
    symbols: usize,
    /// Shared by all addresses of the exchange.
    pace: Pace,
    /// Longest message, in bytes.
    max_frame_bytes: usize,
}

/// Connects to each address once, all at the same time as far as the exchanges' limits of connects allow, and subscribes
/// one symbol there.
pub(super) fn look(config: &Config) -> Vec<Point> {
    let addresses = addresses(config);
    let uses_tls = addresses.iter().any(|address| address.way.endpoint.url.scheme() == "wss");
    let tls = match tls::client_config(config.extra_ca.as_deref(), uses_tls) {
        Ok(tls) => tls,
        Err(error) => return vec![Point::wrong("certificates", error)],
    };
    let tls = &tls;
    thread::scope(|scope| {
        let asked: Vec<_> = addresses.iter().map(|address| scope.spawn(move || ask(address, tls))).collect();
        let joined = asked.into_iter().map(|asked| asked.join());
        let points = joined.map(|point| point.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect();
        let feeds: Vec<_> = addresses.iter().map(|address| address.feeds.as_slice()).collect();
        softened(points, &feeds)
    })
}

/// An address that does not work is no more than doubtful where each of its `feeds` has another that does.
fn softened(mut points: Vec<Point>, feeds: &[&[usize]]) -> Vec<Point> {
    let works: Vec<_> = points.iter().map(|point| point.verdict != Verdict::Wrong).collect();
    let has_another = |feed: &usize| feeds.iter().zip(&works).any(|(feeds, works)| *works && feeds.contains(feed));
    for (place, point) in points.iter_mut().enumerate() {
        if !works[place] && feeds[place].iter().all(has_another) {
            point.verdict = Verdict::Doubtful;
            point.advice = Some("the feed's other address works, and is used instead".into());
        }
    }
    points
}

/// Each address of all feeds, once.
fn addresses(config: &Config) -> Vec<Address> {
    let mut paces: HashMap<&'static str, Pace> = HashMap::new();
    let mut addresses: Vec<Address> = Vec::new();
    for (number, feed) in config.feeds.iter().enumerate() {
        let Some(first) = feed.instruments().next() else { continue };
        for way in feed.ways(std::slice::from_ref(first)) {
            let is_known = |known: &Address| known.protocol == feed.protocol && same_place(&known.way, &way);
            match addresses.iter().position(is_known) {
                Some(place) => addresses[place].feeds.push(number),
                None => {
                    let pace = paces.entry(feed.protocol.exchange()).or_default().clone();
                    addresses.push(Address {
                        feeds: vec![number],
                        protocol: feed.protocol,
                        way,
                        symbols: feed.instruments().count(),
                        pace,
                        max_frame_bytes: config.limits.max_frame_bytes,
                    });
                }
            }
        }
    }
    addresses
}

/// Whether both go to the same host, port and path. The query may name the symbol.
fn same_place(one: &Subscription, other: &Subscription) -> bool {
    let (one, other) = (&one.endpoint.url, &other.endpoint.url);
    one.origin() == other.origin() && one.path() == other.path()
}

fn ask(address: &Address, tls: &Arc<ClientConfig>) -> Point {
    let Address { protocol, way, symbols, pace, max_frame_bytes, .. } = address;
    let turn = pace.take_turn(Nanos::now(), protocol.facts().limits.connects);
    thread::sleep(turn.time_since(Nanos::now()));
    let mut times = Vec::new();
    let mut began = Instant::now();
    let dialed = dial_telling(&way.endpoint.url, tls, |step| {
        times.push(format!("{} {}", name(step), took(began.elapsed())));
        began = Instant::now();
    });
    let symbol = way.instruments[0].symbol.as_str();
    let heard = match dialed {
        Ok(dialed) => protocol.visit(Ask { way, dialed, max_frame_bytes: *max_frame_bytes }),
        Err(error) => Err(error.to_string()),
    };
    judge(&place(address), (symbol, *symbols), &times.join(", "), heard, is_plain(way))
}

/// The exchange, and where it is connected to.
fn place(address: &Address) -> String {
    let url = &address.way.endpoint.url;
    let (host, path) = (url.host_str().unwrap_or_default(), url.path().trim_end_matches('/'));
    let port = url.port_or_known_default().map_or(String::new(), |port| format!(":{port}"));
    format!("{} {host}{port}{path}", address.protocol.exchange())
}

/// Whether trades can be changed on their way.
fn is_plain(way: &Subscription) -> bool {
    way.endpoint.url.scheme() == "ws" && !is_loopback(&way.endpoint.url)
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Name => "name",
        Step::Tcp => "TCP",
        Step::Tls => "TLS",
        Step::Upgrade => "upgrade",
    }
}

fn took(time: Duration) -> String {
    readable(time.as_nanos() as u64)
}

/// `symbol` is the one that was asked for, of so many; `times` are those of the steps that were done.
fn judge(
    place: &str,
    (symbol, symbols): (&str, usize),
    times: &str,
    heard: Result<Heard, String>,
    is_plain: bool,
) -> Point {
    let begun = if times.is_empty() { String::new() } else { format!("{times}; then ") };
    let Heard { acknowledged, trade } = match heard {
        Ok(heard) => heard,
        Err(error) => return Point::wrong(place, format!("{begun}{error}")),
    };
    let asked = if symbols == 1 { symbol.to_string() } else { format!("{symbol} (1 of {symbols} symbols)") };
    let answer = match (acknowledged, &trade) {
        (Some(after), _) => format!("{asked} acknowledged after {}", took(after)),
        (None, Some(_)) => format!("{asked} by its address"),
        (None, None) => {
            return Point::doubtful(place, format!("{begun}no trade of {asked}, which the address subscribes"))
                .advising("see whether the exchange has the symbol, and whether it trades now");
        }
    };
    let Some(trade) = trade else {
        return Point::fine(place, format!("{times}, {answer}, no trade of it meanwhile"));
    };
    let found = format!("{times}, {answer}, a trade after {}", took(trade.after));
    let ahead = u64::try_from(-trade.age_ns).unwrap_or(0);
    if Duration::from_nanos(ahead) > MAX_AHEAD {
        let behind = readable(ahead);
        return Point::doubtful(place, format!("{found}, {behind} before it took place by our clock, which is behind"))
            .advising("have the clock synchronised (chrony, ntpd, systemd-timesyncd)");
    }
    match is_plain {
        true => Point::doubtful(place, format!("{found}, without encryption: trades can be changed on their way"))
            .advising("use wss:// for anything but a simulator"),
        false => Point::fine(place, found),
    }
}

#[cfg(test)]
mod tests {
    use super::conversation::Traded;
    use super::*;
    use crate::check::point::Verdict::{Doubtful, Fine, Wrong};

    const MS: i64 = 1_000_000;

    fn heard(acknowledged: bool, age_ns: Option<i64>) -> Result<Heard, String> {
        let acknowledged = acknowledged.then(|| Duration::from_millis(12));
        let trade = age_ns.map(|age_ns| Traded { after: Duration::from_millis(30), age_ns });
        Ok(Heard { acknowledged, trade })
    }

    fn judged(heard: Result<Heard, String>) -> Point {
        judge("x host:1", ("BTCUSDT", 3), "name 1.00 ms, TCP 2.00 ms", heard, false)
    }

    #[test]
    fn what_was_heard_is_judged() {
        let fine = judged(heard(true, Some(14 * MS)));
        assert_eq!(fine.verdict, Fine);
        assert_eq!(
            fine.found,
            "name 1.00 ms, TCP 2.00 ms, BTCUSDT (1 of 3 symbols) acknowledged after 12.0 ms, a trade after 30.0 ms"
        );
        assert_eq!(judged(heard(true, None)).verdict, Fine, "it need not trade now");
        assert_eq!(judged(heard(false, Some(MS))).verdict, Fine);
        assert_eq!(judged(heard(false, None)).verdict, Doubtful);
        let refused = judged(Err("the exchange refuses it".into()));
        assert_eq!(
            (refused.verdict, refused.found.as_str()),
            (Wrong, "name 1.00 ms, TCP 2.00 ms; then the exchange refuses it")
        );
        assert_eq!(judge("x", ("A", 1), "", heard(true, Some(1)), true).verdict, Doubtful);
    }

    #[test]
    fn a_trade_from_the_future_tells_of_our_clock() {
        let behind = judged(heard(true, Some(-250 * MS)));
        assert!(behind.verdict == Doubtful && behind.found.contains("250 ms before it took place"), "{behind:?}");
        assert_eq!(judged(heard(true, Some(-3 * MS))).verdict, Fine);
    }

    #[test]
    fn an_address_is_needed_where_a_feed_has_no_other() {
        let points = || vec![Point::wrong("a", "away"), Point::fine("b", "here"), Point::wrong("c", "away")];
        let verdicts = |feeds: &[&[usize]]| -> Vec<_> {
            softened(points(), feeds).into_iter().map(|point| point.verdict).collect()
        };
        assert_eq!(verdicts(&[&[0], &[0], &[1]]), [Doubtful, Fine, Wrong]);
        assert_eq!(verdicts(&[&[0, 1], &[0], &[1]]), [Wrong, Fine, Wrong]);
        assert_eq!(verdicts(&[&[0], &[0], &[0]]), [Doubtful, Fine, Doubtful]);
    }

    #[test]
    fn each_address_is_asked_once() {
        let text = "[[feed]]\nexchange = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\n\
                    [[feed]]\nexchange = \"binance\"\nsymbols = [\"SOLUSDT\"]\ntopic = \"other\"\n\
                    [[feed]]\nexchange = \"kraken\"\nsymbols = [\"BTC/USD\"]\n";
        let config = Config::parse("test", text).unwrap();
        let places: Vec<_> = addresses(&config).iter().map(place).collect();
        assert_eq!(
            places,
            [
                "binance stream.binance.com:9443/ws",
                "binance stream.binance.com:443/ws",
                "binance data-stream.binance.vision:443/ws",
                "kraken ws.kraken.com:443/v2",
            ]
        );
        assert!(addresses(&config).iter().all(|address| address.way.instruments.len() == 1));
        let feeds: Vec<_> = addresses(&config).into_iter().map(|address| address.feeds).collect();
        assert_eq!(feeds, [vec![0, 1], vec![0, 1], vec![0, 1], vec![2]]);
    }
}
