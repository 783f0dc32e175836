//! What happened when: at most some hundred points, each of which grows longer when there would be more.

use serde::{Deserialize, Serialize};

use super::{Packed, Tally};

/// Points at most.
const POINTS: usize = 300;

/// A row of times of equal length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Timeline {
    /// Seconds of each point.
    pub seconds_each: u64,
    /// The points, from the start on.
    pub points: Vec<Point>,
}

/// What ended in one of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Point {
    /// Answers, and requests that have none.
    pub requests: u64,
    /// Requests without an answer, or with an error of HTTP.
    pub errors: u64,
    /// Let in, and had to be refused.
    pub false_accepts: u64,
    /// Refused, and had to be let in.
    pub false_rejects: u64,
    /// As in the report.
    #[schemars(with = "super::Figures")]
    pub latency: Packed,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { seconds_each: 1, points: Vec::new() }
    }
}

impl Timeline {
    /// Adds what ended in this second.
    pub fn add(&mut self, second: u64, tally: &Tally) {
        while self.place(second) >= POINTS {
            self.coarsen();
        }
        let totals = tally.totals();
        let point = Point {
            requests: totals.sent,
            errors: totals.errors,
            false_accepts: totals.false_accepts,
            false_rejects: totals.false_rejects,
            latency: Packed::from(&tally.latency),
        };
        let place = self.place(second);
        self.add_at(place, &point);
    }

    /// Adds another row that began so many seconds later.
    pub fn join(&mut self, other: &Self, later: u64) {
        // whoever wrote 0 means nothing by it
        let each = other.seconds_each.max(1);
        while self.seconds_each < each {
            self.coarsen();
        }
        for (number, point) in (0_u64..).zip(&other.points).take(POINTS) {
            let second = later.saturating_add(each.saturating_mul(number));
            while self.place(second) >= POINTS {
                self.coarsen();
            }
            self.add_at(self.place(second), point);
        }
    }

    fn place(&self, second: u64) -> usize {
        usize::try_from(second / self.seconds_each.max(1)).unwrap_or(usize::MAX)
    }

    fn add_at(&mut self, place: usize, point: &Point) {
        while self.points.len() <= place {
            self.points.push(Point::default());
        }
        if let Some(there) = self.points.get_mut(place) {
            there.add(point);
        }
    }

    /// Makes one point of two.
    fn coarsen(&mut self) {
        self.seconds_each = self.seconds_each.max(1).saturating_mul(2);
        let pairs = self.points.chunks(2).map(|pair| {
            let mut sum = Point::default();
            pair.iter().for_each(|point| sum.add(point));
            sum
        });
        self.points = pairs.collect();
    }
}

impl Point {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.false_accepts += other.false_accepts;
        self.false_rejects += other.false_rejects;
        self.latency.add(&other.latency.unpacked());
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_no_more_points_than_a_short_one() {
        let mut timeline = Timeline::default();
        let mut second = Tally::default();
        (1..1000).for_each(|number| second.latency.record(std::time::Duration::from_micros(number * number)));
        for number in 0..3600 {
            timeline.add(number, &second);
        }
        assert_eq!((timeline.seconds_each, timeline.points.len()), (16, 225));
        assert!(timeline.points.iter().all(|point| point.latency.unpacked().count() == 16 * 999));
        // an hour of them takes as much as some seconds would that are not packed
        assert!(timeline.points.iter().map(|point| point.latency.size()).sum::<usize>() < 1024 * 1024);
        let mut short = Timeline::default();
        short.add(1, &second);
        short.join(&timeline, 0);
        assert_eq!(
            (short.seconds_each, short.points[0].latency.unpacked().count(), short.points.len()),
            (16, 17 * 999, 225)
        );
    }

    #[test]
    fn a_row_that_began_later_stands_behind() {
        let row = |requests: &[u64]| Timeline {
            seconds_each: 1,
            points: requests.iter().map(|requests| Point { requests: *requests, ..Point::default() }).collect(),
        };
        let requests = |timeline: &Timeline| timeline.points.iter().map(|point| point.requests).collect::<Vec<_>>();
        let mut all = row(&[1, 1, 1]);
        all.join(&row(&[5, 5]), 2);
        assert_eq!((requests(&all), all.seconds_each), (vec![1, 1, 6, 5], 1));
        all.join(&row(&[7]), 599);
        assert_eq!((all.points.len(), all.seconds_each), (300, 2));
        assert_eq!((all.points[1].requests, all.points[299].requests), (11, 7));
        // whoever writes nonsense is given a row all the same
        all.join(&row(&[9, 9]), u64::MAX);
        assert_eq!(requests(&all).iter().sum::<u64>(), 3 + 10 + 7 + 18);
    }
}
