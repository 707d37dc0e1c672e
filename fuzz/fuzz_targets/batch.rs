//! Whatever a stranger posts as a batch must be refused or read, within the caps.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = watchpost_model::wire::unpack(bytes);
});
