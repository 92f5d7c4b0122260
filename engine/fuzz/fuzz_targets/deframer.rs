#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| k2_feed_fuzz::deframer::check(bytes));
