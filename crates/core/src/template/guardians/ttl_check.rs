//! `TTL_CHECK`: refuses what is too old. `{reference_field, max_age_seconds}` measures from an
//! attribute that holds a time; `{max_age_seconds}` alone, a day if left out, from the unit's birth.

use std::time::Duration;

use serde_json::Value;

use super::{Verdict, field, seconds};
use crate::definition::findings::Findings;
use crate::template::reader::{Broken, Reader};
use crate::template::subject::Subject;
use crate::time::Time;

const AGE_DEFAULT: Duration = Duration::from_secs(86_400);

/// How old a unit may be.
#[derive(Clone, Debug, PartialEq)]
pub struct TtlCheck {
    /// The attribute with the time it is measured from; `None` for the unit's birth.
    pub reference_field: Option<String>,
    /// How old it may be.
    pub max_age: Duration,
}

pub(super) fn compile(config: &mut Reader<'_>, out: &mut Findings<'_>) -> Result<TtlCheck, Broken> {
    let reference_field = config.name(&["reference_field"], out);
    let max_age = seconds(config, "max_age_seconds", out);
    let max_age = match &reference_field {
        Ok(None) => max_age.map(|age| age.unwrap_or(AGE_DEFAULT)),
        _ => config.need(max_age, "max_age_seconds", "say how old a unit may be", out),
    };
    Ok(TtlCheck { reference_field: reference_field?, max_age: max_age? })
}

impl TtlCheck {
    pub(super) fn judge(&self, subject: &dyn Subject, now: Time) -> Verdict {
        let since = match &self.reference_field {
            None => subject.created_at(),
            Some(name) => match field(subject, name).map(|value| time_of(&value)) {
                Err(verdict) => return verdict,
                Ok(Some(time)) => time,
                Ok(None) => return Verdict::reject(format!("`{name}` holds no ISO 8601 time")),
            },
        };
        if now.since(since) <= self.max_age {
            return Verdict::Pass;
        }
        let of = match &self.reference_field {
            Some(name) => format!("`{name}`"),
            None => "the unit".to_owned(),
        };
        Verdict::reject(format!("{of} is older than {} seconds", self.max_age.as_secs_f64()))
    }
}

/// A time with its offset, or a time or day without one, which is UTC.
fn time_of(value: &Value) -> Option<Time> {
    let text = value.as_str()?.trim();
    Time::parse(text).or_else(|| {
        let naive: jiff::civil::DateTime = text.parse().ok()?;
        let utc = naive.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Time::from_micros(utc.timestamp().as_microsecond()))
    })
}
