#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pmax_fuzz::run(pmax_fuzz::parsers::watchlist_file, bytes));
