//! What was counted so far, in the text that Prometheus reads.

use super::{Counts, Tally};

/// Upper bounds of latencies, in microseconds.
const BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
    30_000_000,
];

/// The text. Cases that come later are there from the start.
pub fn exposition(tally: &Tally, cases: &[&'static str], in_flight: u64) -> String {
    let mut out = String::new();
    head(&mut out, "requests_total", "counter", "Sign-ins by case, and how the verdict compares with what it must be.");
    let none = Counts::default();
    for case in cases {
        let counts = tally.cases.get(*case).unwrap_or(&none);
        for (outcome, count) in [
            ("as_expected", counts.as_expected()),
            ("false_accept", counts.false_accepts),
            ("false_reject", counts.false_rejects),
            ("wrong_code", counts.wrong_codes),
            ("unclear", counts.unclear),
            ("error", counts.errors),
        ] {
            let labels = format!("case=\"{case}\",outcome=\"{outcome}\"");
            out.push_str(&format!("samlgate_load_requests_total{{{labels}}} {count}\n"));
        }
    }
    let held = tally.held_up;
    head(&mut out, "held_up_total", "counter", "Sign-ins that did not start when they were meant to.");
    for (reason, count) in
        [("connections", held.by_connections), ("signing", held.by_signing), ("not_sent", held.not_sent)]
    {
        out.push_str(&format!("samlgate_load_held_up_total{{reason=\"{reason}\"}} {count}\n"));
    }
    let connections = tally.connections;
    for (name, help, count) in [
        ("connections_opened_total", "Connections that were opened.", connections.opened),
        ("sent_bytes_total", "Bytes that went out, below TLS.", connections.sent_bytes),
        ("received_bytes_total", "Bytes that came in, below TLS.", connections.received_bytes),
        ("relay_state_mixed_total", "Answers that name the RelayState of another request.", tally.relay_state.mixed),
    ] {
        head(&mut out, name, "counter", help);
        out.push_str(&format!("samlgate_load_{name} {count}\n"));
    }
    head(&mut out, "in_flight", "gauge", "Sign-ins whose answers are not there.");
    out.push_str(&format!("samlgate_load_in_flight {in_flight}\n"));
    head(&mut out, "latency_seconds", "histogram", "From the intended start of a sign-in to the end of its answer.");
    let latency = &tally.latency;
    for bound in BOUNDS {
        let within = latency.count().saturating_sub(latency.above(bound));
        out.push_str(&format!("samlgate_load_latency_seconds_bucket{{le=\"{}\"}} {within}\n", bound as f64 / 1e6));
    }
    let (count, sum) = (latency.count(), latency.mean() * latency.count() as f64 / 1e6);
    out.push_str(&format!("samlgate_load_latency_seconds_bucket{{le=\"+Inf\"}} {count}\n"));
    out.push_str(&format!("samlgate_load_latency_seconds_sum {sum}\nsamlgate_load_latency_seconds_count {count}\n"));
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    out.push_str(&format!("# HELP samlgate_load_{name} {help}\n# TYPE samlgate_load_{name} {kind}\n"));
}
