//! The users of a tenant, looked up by ImmutableId.

/// The users of a tenant.
#[derive(Debug, Default)]
pub struct Directory {}
