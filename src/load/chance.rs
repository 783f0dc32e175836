//! Chance that is the same again for the same seed: no request needs the one before it.

/// 64 bits that follow from a seed and a place, and look like nothing at all (SplitMix64).
pub(super) fn bits(seed: u64, place: u64) -> u64 {
    let mut bits = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A place among so many; 0 among none.
pub(super) fn below(seed: u64, place: u64, count: u64) -> u64 {
    bits(seed, place).checked_rem(count).unwrap_or_default()
}

/// A number from 0 up to 1.
pub(super) fn unit(seed: u64, place: u64) -> f64 {
    // 53 bits are what the fraction holds
    (bits(seed, place) >> 11) as f64 / (1_u64 << 53) as f64
}
