//! Metadata of identity providers: read or refused with a hint, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use samlgate::saml::metadata::IdpMetadata;

fuzz_target!(|bytes: &[u8]| {
    match IdpMetadata::parse(bytes) {
        Ok(metadata) => assert!(!metadata.entity_id.is_empty() && !metadata.signing_certificates.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
    }
});
