//! What waits on disk.

use super::*;

fn load_with(lines: &str) -> Result<Config, Vec<String>> {
    load(&format!("{BINANCE}{lines}\n"), &[])
}

#[test]
fn every_value_is_taken() {
    let lines =
        "[spill]\nenabled = false\nmax_bytes = 16777216\nfsync = \"always\"\nfsync_interval_ms = 5\nreplay_per_s = 7";
    let spill = load_with(lines).unwrap().spill;
    let expected =
        Spill { enabled: false, max_bytes: 16 << 20, fsync: Fsync::Always, fsync_interval_ms: 5, replay_per_s: 7 };
    assert_eq!(spill, expected);
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let off = "to put nothing on disk, set spill.enabled to false";
    let oldest = "limits.ring_full = \"drop_oldest\": it is for records on disk, of which there are none: set state.dir, and \
                  spill.enabled to true, or take \"drop_newest\"";
    for (lines, expected) in [
        ("[spill]\nmax_bytes = 0", format!("spill.max_bytes = 0: it must be from 16777216 to 1125899906842624; {off}")),
        (
            "[spill]\nreplay_per_s = 0",
            "spill.replay_per_s = 0: it must be from 1 to 100000000; it must be more than what comes meanwhile".into(),
        ),
        (
            "[spill]\nfsync_interval_ms = 0",
            "spill.fsync_interval_ms = 0: it must be from 1 to 3600000; for none, set spill.fsync to \"never\"".into(),
        ),
        ("[limits]\nring_full = \"drop_oldest\"", oldest.into()),
    ] {
        assert_eq!(load_with(lines).map(drop), Err(vec![format!("feed.toml:5: {expected}")]), "{lines}");
    }
    let lines = "[limits]\nring_full = \"drop_oldest\"\n[state]\ndir = \"/tmp\"\n[spill]\nenabled = false";
    assert_eq!(load_with(lines).map(drop), Err(vec![format!("feed.toml:5: {oldest}")]));
}
