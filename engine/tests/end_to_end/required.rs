//! Programs that are not ours. A test that needs one is skipped where it is missing, with a line that says what to
//! install, unless `K2_REQUIRE_REAL`, of a browser `K2_REQUIRE_BROWSER`, of promtool `K2_REQUIRE_PROMTOOL`, is set: then
//! that is a failure.

use std::path::Path;
use std::process::{Command, Stdio};

/// What makes a missing program a failure.
const REAL: &str = "K2_REQUIRE_REAL";
/// The same of a browser, which is larger than all the others together.
const BROWSER: &str = "K2_REQUIRE_BROWSER";
/// The same of Prometheus' own checks.
const PROMTOOL: &str = "K2_REQUIRE_PROMTOOL";

/// Whether it went well; if not, it is said, and a failure where that is asked for.
pub(crate) fn or_skipped<T>(outcome: &Result<T, String>) -> bool {
    or_skipped_unless(REAL, outcome)
}

/// The same of a browser.
#[allow(dead_code, reason = "only one of the tests' programs looks at pages")]
pub(crate) fn browser_or_skipped<T>(outcome: &Result<T, String>) -> bool {
    or_skipped_unless(BROWSER, outcome)
}

/// The same of promtool.
#[allow(dead_code, reason = "only one of the tests' programs looks at metrics")]
pub(crate) fn promtool_or_skipped<T>(outcome: &Result<T, String>) -> bool {
    or_skipped_unless(PROMTOOL, outcome)
}

fn or_skipped_unless<T>(required: &str, outcome: &Result<T, String>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(why) if std::env::var_os(required).is_some() => panic!("{required} is set: {why}"),
        Err(why) => {
            eprintln!("skipped: {why}");
            false
        }
    }
}

/// Runs the command to its end.
pub(crate) fn done(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// A script that fetches and starts such a program.
pub(crate) fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../perf/real").join(name))
}
