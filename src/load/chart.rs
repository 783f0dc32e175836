//! Drawings of latencies, as SVG inside a page: time against latency, and part of all against latency.

use super::{Latencies, Timeline};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 30.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 12.0;

/// A line of points from 0 to 1, with its class for the style.
struct Curve {
    class: &'static str,
    points: Vec<(f64, f64)>,
}

/// A scale of latencies by powers of ten.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(micros: impl Iterator<Item = u64>) -> Self {
        let (mut least, mut most) = (f64::MAX, 0.0_f64);
        for micros in micros.filter(|micros| *micros > 0) {
            let power = (micros as f64).log10();
            least = least.min(power);
            most = most.max(power);
        }
        if most <= 0.0 {
            return Self { least: 2.0, most: 4.0 };
        }
        Self { least: least.floor(), most: most.ceil().max(least.floor() + 1.0) }
    }

    fn place(&self, micros: u64) -> f64 {
        let power = (micros.max(1) as f64).log10();
        ((power - self.least) / (self.most - self.least)).clamp(0.0, 1.0)
    }

    /// The powers of ten, with their names.
    fn marks(&self) -> Vec<(f64, String)> {
        let mut marks = Vec::new();
        let mut power = self.least;
        while power <= self.most {
            let seconds = 10_f64.powf(power) / 1e6;
            let name = match seconds {
                _ if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
                _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
                _ => format!("{seconds:.0} s"),
            };
            marks.push(((power - self.least) / (self.most - self.least), name));
            power += 1.0;
        }
        marks
    }
}

/// Median, 99 % and the longest over time.
pub(super) fn over_time(timeline: &Timeline) -> String {
    let unpacked = timeline.points.iter().map(|point| point.latency.unpacked()).enumerate();
    let points: Vec<(usize, Latencies)> = unpacked.filter(|(_, latency)| latency.count() > 0).collect();
    let last = timeline.points.len().saturating_sub(1).max(1) as f64;
    let scale = Scale::of(points.iter().flat_map(|(_, latency)| [latency.percentile(50.0), latency.max()]));
    let curve = |class, percent| Curve {
        class,
        points: points
            .iter()
            .map(|(index, latency)| (*index as f64 / last, scale.place(latency.percentile(percent))))
            .collect(),
    };
    let seconds = (timeline.points.len() as u64 * timeline.seconds_each) as f64;
    let marks = (0..=4_u32).map(|part| f64::from(part) / 4.0).map(|part| (part, format!("{} s", seconds * part)));
    drawing(
        "latency over time",
        &scale.marks(),
        &marks.collect::<Vec<_>>(),
        &[curve("max", 100.0), curve("p99", 99.0), curve("p50", 50.0)],
    )
}

/// Latency by the part of all that took no longer, ever finer towards all of them.
pub(super) fn by_percentile(latencies: &Latencies, before: Option<&Latencies>) -> String {
    const NINES: f64 = 4.0;
    let all = [Some(latencies), before].into_iter().flatten();
    let scale = Scale::of(all.flat_map(|one| [one.percentile(0.0), one.max()]));
    let curve = |class, latencies: &Latencies| Curve {
        class,
        points: (0..=200)
            .map(|step| {
                let nines = NINES * f64::from(step) / 200.0;
                let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
                (nines / NINES, scale.place(latencies.percentile(percent)))
            })
            .collect(),
    };
    let marks = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99].map(|percent: f64| {
        let nines = -(1.0 - percent / 100.0).log10();
        (nines / NINES, format!("{percent} %"))
    });
    let mut curves = Vec::new();
    curves.extend(before.filter(|before| before.count() > 0).map(|before| curve("before", before)));
    curves.push(curve("p50", latencies));
    drawing("latency by percentile", &scale.marks(), &marks, &curves)
}

fn drawing(name: &str, up: &[(f64, String)], along: &[(f64, String)], curves: &[Curve]) -> String {
    let x = |part: f64| LEFT + part * (WIDTH - LEFT - RIGHT);
    let y = |part: f64| HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name}\">\n");
    for (part, mark) in up {
        let (right, y) = (WIDTH - RIGHT, y(*part));
        out.push_str(&format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
        out.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{mark}</text>\n",
            LEFT - 8.0,
            y + 4.0
        ));
    }
    for (part, mark) in along {
        let (x, bottom) = (x(*part), HEIGHT - BOTTOM);
        out.push_str(&format!("<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>"));
        let anchor = if *part > 0.95 { "end" } else { "middle" };
        out.push_str(&format!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{mark}</text>\n",
            HEIGHT - 10.0
        ));
    }
    for Curve { class, points } in curves {
        let points: Vec<String> = points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        out.push_str(&format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" ")));
    }
    out + "</svg>\n"
}
