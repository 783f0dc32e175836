//! Posted bodies: whatever is posted gets one verdict with all checks, and nothing is accepted without a key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use samlgate::inspect::{Effort, Judge, Posted};
use samlgate::verdict::{CheckId, Provenance};

fuzz_target!(|body: &[u8]| {
    let judge = Judge::default();
    for posted in [Posted::Form(body), Posted::Base64(body)] {
        let verdict = judge.inspect(posted, jiff::Timestamp::UNIX_EPOCH, Effort::Diagnose).verdict;
        assert!(verdict.checks.iter().map(|check| check.id).eq(CheckId::ALL));
        assert!(!verdict.accepted && verdict.predicted.is_none());
        assert_eq!(verdict.provenance, Provenance::Unsigned);
    }
});
