//! The fuzz targets' corpus, on the stable compiler.
#![allow(clippy::expect_used, reason = "the lint spares tests, not their helpers")]

#[allow(unreachable_pub, reason = "it is public where the fuzz targets use it")]
#[path = "../fuzz/src/lib.rs"]
mod properties;

use std::fs;
use std::path::Path;

/// Runs `check` over the corpus of `target`. Which file it was is the panic's last line.
fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file");
        if let Err(panic) = std::panic::catch_unwind(|| check(&bytes)) {
            eprintln!("in {}", path.display());
            std::panic::resume_unwind(panic);
        }
        count += 1;
    }
    assert!(count >= 20, "{} has only {count} files", folder.display());
}

#[test]
fn decoder() {
    run("decoder", properties::decoder::check);
}

#[test]
fn deframer() {
    run("deframer", properties::deframer::check);
}
