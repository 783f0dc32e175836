//! What is counted of requests and of tunnels.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::family::{increment, register, series};
use super::label::{Direction, Listener, Route, TunnelFailure};

/// The first digit of a status, from 2.
pub(super) const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// What each listener does with requests.
const ROUTES: [(Listener, Route); 9] = [
    (Listener::Reverse, Route::Inspect),
    (Listener::Reverse, Route::Pass),
    (Listener::Reverse, Route::Refuse),
    (Listener::Connect, Route::Intercept),
    (Listener::Connect, Route::Tunnel),
    (Listener::Connect, Route::Inspect),
    (Listener::Connect, Route::Pass),
    (Listener::Connect, Route::Refuse),
    (Listener::Admin, Route::Admin),
];

/// Requests by listener, and what went through tunnels.
pub(super) struct Requests {
    answered: Vec<(Listener, Route, Vec<IntCounter>)>,
    in_flight: Vec<(Listener, IntGauge)>,
    tunnels: IntGauge,
    tunnelled: Vec<(Direction, IntCounter)>,
    tunnel_errors: Vec<(TunnelFailure, IntCounter)>,
}

impl Requests {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let opts = |name: &str, help: &str| Opts::new(name, help).namespace("samlgate");
        let counters =
            |name: &str, help: &str, labels: &[&str]| register(registry, IntCounterVec::new(opts(name, help), labels)?);
        let answered = counters(
            "requests_total",
            "Requests answered, by listener, route and class of the status.",
            &["listener", "route", "status_class"],
        )?;
        let answered = ROUTES.into_iter().map(|(listener, route)| {
            let of_class =
                |class: &str| answered.get_metric_with_label_values(&[listener.as_str(), route.as_str(), class]);
            Ok((listener, route, CLASSES.into_iter().map(of_class).collect::<Result<_, _>>()?))
        });
        let answered = answered.collect::<Result<_, Error>>()?;
        let in_flight = opts("requests_in_flight", "Requests being answered, by listener.");
        let in_flight = register(registry, IntGaugeVec::new(in_flight, &["listener"])?)?;
        let tunnelled =
            counters("tunnel_bytes_total", "Bytes that went through tunnels, by direction.", &["direction"])?;
        let errors = counters("tunnel_errors_total", "Tunnels that were not opened, by reason.", &["reason"])?;
        let tunnels = opts("tunnels_open", "Tunnels that are open.");
        Ok(Self {
            answered,
            in_flight: series(Listener::ALL, |listener| in_flight.get_metric_with_label_values(&[listener.as_str()]))?,
            tunnels: register(registry, IntGauge::with_opts(tunnels)?)?,
            tunnelled: series(Direction::ALL, |way| tunnelled.get_metric_with_label_values(&[way.as_str()]))?,
            tunnel_errors: series(TunnelFailure::ALL, |reason| {
                errors.get_metric_with_label_values(&[reason.as_str()])
            })?,
        })
    }

    pub(super) fn answered(&self, listener: Listener, route: Route, status: u16) {
        let family = self.answered.iter().find(|(l, r, _)| (*l, *r) == (listener, route));
        let class = usize::from(status / 100).checked_sub(2);
        if let Some(counter) = family.zip(class).and_then(|((_, _, classes), class)| classes.get(class)) {
            counter.inc();
        }
    }

    pub(super) fn in_flight(&self, listener: Listener) -> InFlight {
        let gauge = self.in_flight.iter().find(|(known, _)| *known == listener).map(|(_, gauge)| gauge.clone());
        gauge.iter().for_each(IntGauge::inc);
        InFlight(gauge)
    }

    pub(super) fn tunnel_opens(&self) -> TunnelOpen {
        self.tunnels.inc();
        TunnelOpen(self.tunnels.clone())
    }

    pub(super) fn tunnelled(&self, direction: Direction, bytes: u64) {
        if let Some((_, counter)) = self.tunnelled.iter().find(|(known, _)| *known == direction) {
            counter.inc_by(bytes);
        }
    }

    pub(super) fn tunnel_failed(&self, reason: TunnelFailure) {
        increment(&self.tunnel_errors, |known| known == reason);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight(Option<IntGauge>);

impl InFlight {
    /// How many requests of its listener are being answered, this one among them.
    pub fn beside(&self) -> i64 {
        self.0.as_ref().map_or(0, IntGauge::get)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.iter().for_each(IntGauge::dec);
    }
}

/// A tunnel that is open.
#[derive(Debug)]
pub struct TunnelOpen(IntGauge);

impl Drop for TunnelOpen {
    fn drop(&mut self) {
        self.0.dec();
    }
}
