//! What is being answered, counted for as long as that takes.

use prometheus::IntGauge;

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight(pub(super) Option<IntGauge>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.iter().for_each(IntGauge::dec);
    }
}
