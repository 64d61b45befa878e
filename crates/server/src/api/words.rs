//! Words that requests bring: their bounds, said once.

use uuid::Uuid;
use windlass_core::limits::{LABEL_BYTES_MAX, PRIORITY_MAX};

use crate::http::problem::{Code, Problem};

/// The longest name, in characters.
pub(crate) const NAME_MAX: usize = 200;
/// The longest description, reason or explanation, in characters.
pub(crate) const TEXT_MAX: usize = 10_000;

/// Refuses a field of a body that is empty or too long, counted in characters.
///
/// # Errors
///
/// `invalid-request`.
pub(crate) fn check_text(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    if (1..=most).contains(&text.chars().count()) {
        return Ok(());
    }
    let message = format!("a text of 1 to {most} characters is expected");
    Err(Problem::parameter(field, message).in_body())
}

/// The same for a field that may be left out.
///
/// # Errors
///
/// `invalid-request`.
pub(crate) fn check_text_if(field: &str, text: Option<&str>, most: usize) -> Result<(), Problem> {
    text.map_or(Ok(()), |text| check_text(field, text, most))
}

/// Refuses a place in a queue that none has.
///
/// # Errors
///
/// `invalid-request`.
pub(crate) fn check_place(priority: Option<i32>, fairness_key: &str) -> Result<(), Problem> {
    if priority.is_some_and(|one| !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&one)) {
        let message = format!("a priority is -{PRIORITY_MAX} to {PRIORITY_MAX}");
        return Err(Problem::parameter("priority", message).in_body());
    }
    if fairness_key.len() > LABEL_BYTES_MAX {
        let message = format!("a key has at most {LABEL_BYTES_MAX} bytes");
        return Err(Problem::parameter("fairness_key", message).in_body());
    }
    Ok(())
}

/// The id in a path. A word that is none names nothing that there is.
///
/// # Errors
///
/// The problem that there is no such thing.
pub(crate) fn id_of(word: &str, none: Code) -> Result<Uuid, Problem> {
    Uuid::parse_str(word).map_err(|_| Problem::new(none, format!("`{word:.64}` is no id")))
}

/// The id in a query.
///
/// # Errors
///
/// `bad-parameter` if it is none.
pub(crate) fn id_in_query(name: &str, word: Option<&str>) -> Result<Option<Uuid>, Problem> {
    let wanted = |_| Problem::parameter(name, "an id is expected, a UUID");
    word.map(|word| word.parse().map_err(wanted)).transpose()
}
