//! Every form of a fault, and the exact words of every error.

use super::*;
use crate::sim::config::Replay;
use crate::sim::config::Speed;
use crate::venue::protocol::Protocol;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn read(text: &str) -> Fault {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_fault_is_read_and_written_back() {
    let once = When::Once(seconds(5));
    for (text, what, when) in [
        ("cut@5s", What::Cut, once),
        ("cut@every:5s", What::Cut, When::Every(seconds(5))),
        ("cut@0s", What::Cut, When::Once(Duration::ZERO)),
        ("cut-one@every:1m", What::CutOne, When::Every(seconds(60))),
        ("refuse=3s@5s", What::Refuse(seconds(3)), once),
        ("status=429/3s@5s", What::Status { code: 429, lasts: seconds(3) }, once),
        ("close=4999@5s", What::Close(4999), once),
        ("stall=500ms@5s", What::Stall(Duration::from_millis(500)), once),
        ("silent@5s", What::Silent, once),
        ("mute=XBT/USD@5s", What::Mute("XBT/USD".into()), once),
        ("drip=64", What::Drip(64), When::Always),
        ("drip=1@5s", What::Drip(1), once),
        ("garbage@5s", What::Garbage, once),
        ("drop=3@5s", What::Drop(3), once),
        ("shutdown=3s@5s", What::Shutdown(seconds(3)), once),
        ("reject=BTC-USD", What::Reject("BTC-USD".into()), When::Always),
        ("noack=BTCUSDT", What::NoAck("BTCUSDT".into()), When::Always),
    ] {
        let fault = read(text);
        assert_eq!(fault, Fault { what, when }, "{text}");
        assert_eq!(fault.to_string(), text);
    }
    assert_eq!(read("shutdown@5s").what, What::Shutdown(seconds(10)));
}

#[test]
fn every_example_of_the_help_is_read_as_its_own_fault() {
    for (place, word) in WORDS.iter().enumerate() {
        assert_eq!(read(word.example).what.place(), place, "{}", word.example);
        assert!(Fault::help().contains(&format!("  {}  ", word.example)), "{}", Fault::help());
    }
}

#[test]
fn what_is_written_wrongly_is_named_with_the_way_out() {
    const KNOWN: &str = "Known are: cut, cut-one, refuse, status, close, stall, silent, mute, drip, garbage, drop, \
                         shutdown, reject, noack";
    for (text, error) in [
        ("cutt@5s", format!(r#"no fault is called "cutt", did you mean "cut"? {KNOWN}"#)),
        ("silence@5s", format!(r#"no fault is called "silence", did you mean "silent"? {KNOWN}"#)),
        ("xyz", format!(r#"no fault is called "xyz". {KNOWN}"#)),
        ("", format!(r#"no fault is called "". {KNOWN}"#)),
        ("cut", "cut needs a time after the market's opening, e.g. cut@5s".into()),
        ("cut=3@5s", "cut takes no value, e.g. cut@5s".into()),
        ("cut@", r#""" is no duration, e.g. cut@5s"#.into()),
        ("cut@5", r#""5" is no duration, e.g. cut@5s"#.into()),
        ("cut@every:0s", r#""0s" is no time at all, e.g. cut@5s"#.into()),
        ("refuse@5s", "refuse needs a value, e.g. refuse=3s@5s".into()),
        ("refuse=@5s", "refuse needs a value, e.g. refuse=3s@5s".into()),
        ("stall=0s@5s", r#""0s" is no time at all, e.g. stall=3s@5s"#.into()),
        ("status=503@5s", "status needs a status and how long it lasts, e.g. status=503/3s@5s".into()),
        ("status=200/3s@5s", r#""200" is not an HTTP status from 300 to 599, e.g. status=503/3s@5s"#.into()),
        ("close=999@5s", r#""999" is not a close code from 1000 to 4999, e.g. close=1001@5s"#.into()),
        ("close=5000@5s", r#""5000" is not a close code from 1000 to 4999, e.g. close=1001@5s"#.into()),
        ("close=gone@5s", r#""gone" is not a close code from 1000 to 4999, e.g. close=1001@5s"#.into()),
        ("drip=0", r#""0" is not a number of bytes from 1 to 1073741824, e.g. drip=64"#.into()),
        ("drop=-1@5s", r#""-1" is not a number of trades from 1 to 1000000, e.g. drop=3@5s"#.into()),
        ("drop=3", "drop needs a time after the market's opening, e.g. drop=3@5s".into()),
        ("mute@5s", "mute needs a value, e.g. mute=BTCUSDT@5s".into()),
        ("reject=BTCUSDT@5s", "reject holds from the start and takes no @, e.g. reject=BTCUSDT".into()),
        ("noack", "noack needs a value, e.g. noack=BTCUSDT".into()),
    ] {
        assert_eq!(text.parse::<Fault>(), Err(error), "{text}");
    }
}

fn refused(fault: &str, change: impl FnOnce(&mut SimulatorConfig), protocol: Protocol) -> Option<String> {
    let mut config = SimulatorConfig { faults: vec![read(fault)], ..SimulatorConfig::new(protocol) };
    change(&mut config);
    check(&config).err().map(|error| error.to_string())
}

#[test]
fn what_makes_no_sense_here_is_refused() {
    let listed = |config: &mut SimulatorConfig| config.symbols = vec!["BTCUSDT".into(), "ETHUSDT".into()];
    let replay = |config: &mut SimulatorConfig| {
        config.replay = Some(Replay { file: "recorded".into(), speed: Speed::Max });
    };
    let nothing = |_: &mut SimulatorConfig| {};
    assert_eq!(
        refused("shutdown@5s", nothing, Protocol::KrakenV2).as_deref(),
        Some("the fault shutdown=10s@5s makes no sense here: kraken v2 does not announce that it goes away; use cut")
    );
    assert_eq!(
        refused("drop=3@5s", nothing, Protocol::KrakenV1).as_deref(),
        Some(
            "the fault drop=3@5s makes no sense here: trades of kraken v1 have no ids, so nobody could see the gap; \
             use mute"
        )
    );
    assert_eq!(
        refused("drop=3@5s", replay, Protocol::BinanceSpot).as_deref(),
        Some("the fault drop=3@5s makes no sense here: a recording is sent as it is; cut lines out of it instead")
    );
    assert_eq!(
        refused("reject=btcusdt", nothing, Protocol::BinanceSpot).as_deref(),
        Some(
            "the fault reject=btcusdt makes no sense here: \"btcusdt\" is no symbol of binance spot; write it as the \
             exchange does, e.g. BTCUSDT"
        )
    );
    assert_eq!(
        refused("mute=SOLUSDT@5s", listed, Protocol::BinanceSpot).as_deref(),
        Some("the fault mute=SOLUSDT@5s makes no sense here: no such symbol exists here; take one of BTCUSDT, ETHUSDT")
    );
    assert_eq!(refused("mute=ETHUSDT@5s", listed, Protocol::BinanceSpot), None);
    assert_eq!(refused("noack=XBT/USD", nothing, Protocol::KrakenV1), None);
    assert_eq!(refused("shutdown@5s", nothing, Protocol::BinanceSpot), None);
}
