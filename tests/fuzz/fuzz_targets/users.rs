//! Exports of users, federation settings and certificates: read or refused, and every user who is read is found again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use samlgate::tenant::{Directory, Lookup, Settings, certificate, diagnose};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(loaded) = Directory::load(bytes) {
        for user in loaded.directory.users() {
            if let Some(id) = user.immutable_id {
                assert!(!matches!(loaded.directory.lookup(id), Lookup::None));
            }
            let _ = diagnose(&loaded.directory, user.upn);
        }
    }
    let _ = Settings::parse(bytes, None);
    let _ = certificate(bytes);
});
