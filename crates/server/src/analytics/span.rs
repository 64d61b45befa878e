use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use windlass_core::Time;

use crate::http::problem::Problem;

/// What is answered if nobody says since when.
const USUAL: Duration = Duration::from_secs(7 * 86_400);
/// A stretch this long or shorter is told by the hour, if nobody says how.
const BY_HOUR_UP_TO: Duration = Duration::from_secs(3 * 86_400);
/// Buckets of one answer.
const BUCKETS_MAX: i64 = 1_000;

/// A stretch of time, and how it is cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when on.
    pub from: Time,
    /// Up to when; what is created then is not in it.
    pub until: Time,
    /// How long its buckets are.
    pub interval: Interval,
}

/// How long a bucket is. It begins on the full hour or day, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

impl Interval {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Interval::Hour => "hour",
            Interval::Day => "day",
        }
    }

    fn micros(self) -> i64 {
        match self {
            Interval::Hour => 3_600_000_000,
            Interval::Day => 86_400_000_000,
        }
    }
}

impl Span {
    /// What a query asks for.
    ///
    /// # Errors
    ///
    /// `bad-parameter`.
    pub fn read(
        from: Option<&str>,
        to: Option<&str>,
        interval: Option<&str>,
        now: Time,
    ) -> Result<Span, Problem> {
        let until = time("to", to, true)?.unwrap_or(now);
        let usual = Time::from_micros(until.micros() - micros(USUAL));
        let from = time("from", from, false)?.unwrap_or(usual);
        if from >= until {
            return Err(Problem::parameter("from", "it lies before `to`"));
        }
        let interval = match interval.filter(|word| !word.is_empty()) {
            Some("hour") => Interval::Hour,
            Some("day") => Interval::Day,
            Some(_) => return Err(Problem::parameter("interval", "`hour` or `day` is expected")),
            None if until.since(from) <= BY_HOUR_UP_TO => Interval::Hour,
            None => Interval::Day,
        };
        let span = Span { from, until, interval };
        if span.count() > BUCKETS_MAX {
            let message = format!("at most {BUCKETS_MAX} of them fit between `from` and `to`");
            return Err(Problem::parameter("interval", message));
        }
        Ok(span)
    }

    /// The number of a time's bucket, if it lies within.
    pub fn bucket_of(&self, at: Time) -> Option<usize> {
        self.place_of(at).filter(|_| at >= self.from && at < self.until)
    }

    /// The number of the bucket in which a time lies, if there is one: the first and the last reach
    /// further than the stretch itself.
    pub fn place_of(&self, at: Time) -> Option<usize> {
        let place = at.micros().div_euclid(self.interval.micros()) - self.first();
        usize::try_from(place).ok().filter(|_| place < self.count())
    }

    /// The last moment that is in it.
    pub fn last(&self) -> Time {
        Time::from_micros(self.until.micros() - 1)
    }

    /// When each bucket begins.
    pub fn buckets(&self) -> impl Iterator<Item = Time> + use<> {
        let (first, count, micros) = (self.first(), self.count(), self.interval.micros());
        (0..count).map(move |place| Time::from_micros((first + place) * micros))
    }

    fn first(&self) -> i64 {
        self.from.micros().div_euclid(self.interval.micros())
    }

    fn count(&self) -> i64 {
        (self.until.micros() - 1).div_euclid(self.interval.micros()) - self.first() + 1
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A time, or a day: its beginning or, as an end, the beginning of the next.
fn time(name: &str, text: Option<&str>, is_end: bool) -> Result<Option<Time>, Problem> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
    {
        let date = if is_end { date.tomorrow().unwrap_or(date) } else { date };
        let zoned = date.to_zoned(TimeZone::UTC);
        let at = zoned.map(|zoned| zoned.timestamp().as_microsecond());
        return Ok(at.ok().map(Time::from_micros));
    }
    let wanted =
        "a time such as `2026-01-31T12:00:00Z`, or a day such as `2026-01-31`, is expected";
    Time::parse(text).map(Some).ok_or_else(|| Problem::parameter(name, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    #[test]
    fn a_stretch_is_cut_at_full_hours_and_days() {
        let now = at("2026-11-22T17:30:00Z");
        let span = Span::read(Some("2026-11-22T10:20:00Z"), None, None, now).unwrap();
        assert_eq!(span.interval, Interval::Hour);
        let buckets: Vec<String> = span.buckets().map(|at| at.to_string()).collect();
        assert_eq!((buckets.len(), &*buckets[0]), (8, "2026-11-22T10:00:00.000000Z"));
        assert_eq!(span.bucket_of(at("2026-11-22T10:19:00Z")), None);
        assert_eq!(span.bucket_of(at("2026-11-22T10:20:00Z")), Some(0));
        assert_eq!(span.bucket_of(at("2026-11-22T17:29:00Z")), Some(7));
        assert_eq!(span.bucket_of(now), None);
        let days = Span::read(Some("2026-11-01"), Some("2026-11-07"), None, now).unwrap();
        assert_eq!((days.interval, days.buckets().count()), (Interval::Day, 7));
        let usual = Span::read(None, None, None, now).unwrap();
        assert_eq!(usual.buckets().count(), 8, "a week, begun in the middle of a day");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let now = at("2026-11-22T17:30:00Z");
        for (from, to, interval) in [
            (Some("yesterday"), None, None),
            (Some("2026-11-23"), None, None),
            (None, None, Some("week")),
            (Some("2020-01-01"), None, Some("hour")),
            (Some("1900-01-01"), None, None),
        ] {
            assert!(Span::read(from, to, interval, now).is_err(), "{from:?} {to:?} {interval:?}");
        }
    }
}
