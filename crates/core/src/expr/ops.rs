//! What the operators do. Nothing is coerced: an operator that has no meaning for two types says
//! so, with both of them.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::ExprError;
use super::ast::Operator;
use super::eval::Environment;
use crate::json::type_name;
use crate::limits::PAYLOAD_BYTES_MAX;

/// Equal values; numbers by what they are worth, unlike types never.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        (a, b) => a == b,
    }
}

pub(super) fn ordered(
    operator: Operator,
    a: &Value,
    b: &Value,
    offset: usize,
    env: &Environment<'_>,
) -> Result<bool, ExprError> {
    let ordering = match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => {
            env.burn(a.len().min(b.len()) / 64, offset)?;
            Some(a.cmp(b))
        }
        _ => None,
    };
    let Some(ordering) = ordering else { return Err(mismatch(operator, a, b, offset)) };
    Ok(match operator {
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        _ => ordering.is_ge(),
    })
}

/// Whether `item` is in `container`: an element of a list, a part of a text, a field of an object.
pub(super) fn contains(
    container: &Value,
    item: &Value,
    offset: usize,
    env: &Environment<'_>,
) -> Result<bool, ExprError> {
    match (container, item) {
        (Value::Array(items), _) => {
            env.burn(items.len(), offset)?;
            env.look_at(container, offset)?;
            Ok(items.iter().any(|one| equal(one, item)))
        }
        (Value::String(text), Value::String(part)) => {
            env.burn(text.len() / 64, offset)?;
            Ok(text.contains(part.as_str()))
        }
        (Value::Object(fields), Value::String(name)) => Ok(fields.contains_key(name)),
        _ => Err(mismatch(Operator::In, item, container, offset)),
    }
}

pub(super) fn negate(value: &Value, offset: usize) -> Result<Value, ExprError> {
    match value {
        Value::Number(number) => match integer(number) {
            Some(value) => from_integer(-value, offset),
            None => from_float(-float(number), offset),
        },
        other => {
            let message = format!("`-` needs a number, not a {}", type_name(other));
            Err(ExprError::new("type-mismatch", offset, message))
        }
    }
}

pub(super) fn arithmetic(
    operator: Operator,
    a: &Value,
    b: &Value,
    offset: usize,
    env: &Environment<'_>,
) -> Result<Value, ExprError> {
    match (operator, a, b) {
        (_, Value::Number(a), Value::Number(b)) => numbers(operator, a, b, offset),
        (Operator::Add, Value::String(a), Value::String(b)) => {
            grown(a.len() + b.len(), offset, env)?;
            Ok(Value::String(format!("{a}{b}")))
        }
        (Operator::Add, Value::Array(a), Value::Array(b)) => {
            env.burn(a.len() + b.len(), offset)?;
            let items = a.iter().chain(b).map(|item| env.copy(item, offset));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        (Operator::Multiply, Value::String(text), Value::Number(times))
        | (Operator::Multiply, Value::Number(times), Value::String(text)) => {
            let times = times.as_u64().and_then(|times| usize::try_from(times).ok());
            let Some(times) = times else { return Err(mismatch(operator, a, b, offset)) };
            grown(text.len().saturating_mul(times), offset, env)?;
            Ok(Value::String(text.repeat(times)))
        }
        _ => Err(mismatch(operator, a, b, offset)),
    }
}

/// Whole numbers stay whole while they can: `6 / 3` is `2`, `7 / 2` is `3.5`.
fn numbers(operator: Operator, a: &Number, b: &Number, offset: usize) -> Result<Value, ExprError> {
    let by_zero = || ExprError::new("division-by-zero", offset, "division by zero");
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        let whole = match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            Operator::Multiply => a.checked_mul(b),
            Operator::Remainder => Some(a.checked_rem_euclid(b).ok_or_else(by_zero)?),
            _ if b == 0 => return Err(by_zero()),
            _ if a % b == 0 => Some(a / b),
            _ => return from_float(a as f64 / b as f64, offset),
        };
        return match whole {
            Some(value) => from_integer(value, offset),
            None => Err(overflow(offset)),
        };
    }
    let (a, b) = (float(a), float(b));
    match operator {
        Operator::Add => from_float(a + b, offset),
        Operator::Subtract => from_float(a - b, offset),
        Operator::Multiply => from_float(a * b, offset),
        Operator::Divide | Operator::Remainder if b == 0.0 => Err(by_zero()),
        Operator::Divide => from_float(a / b, offset),
        _ => from_float(a.rem_euclid(b), offset),
    }
}

pub(crate) fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => float(a).partial_cmp(&float(b)),
    }
}

pub(super) fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

pub(super) fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

pub(super) fn from_integer(value: i128, offset: usize) -> Result<Value, ExprError> {
    i64::try_from(value)
        .map(Value::from)
        .or_else(|_| u64::try_from(value).map(Value::from))
        .map_err(|_| overflow(offset))
}

pub(super) fn from_float(value: f64, offset: usize) -> Result<Value, ExprError> {
    Number::from_f64(value).map(Value::Number).ok_or_else(|| overflow(offset))
}

/// Pays for a text of `length` bytes before it is made.
pub(super) fn grown(length: usize, offset: usize, env: &Environment<'_>) -> Result<(), ExprError> {
    grows(0, length, offset, env)
}

/// Pays for `more` bytes behind the `length` that a text has.
pub(super) fn grows(
    length: usize,
    more: usize,
    offset: usize,
    env: &Environment<'_>,
) -> Result<(), ExprError> {
    let length = length.saturating_add(more);
    if length > PAYLOAD_BYTES_MAX {
        let message = format!("the text would have {length} bytes, more than {PAYLOAD_BYTES_MAX}");
        return Err(ExprError::new("too-large", offset, message));
    }
    env.burn(more / 64, offset)
}

fn overflow(offset: usize) -> ExprError {
    ExprError::new("overflow", offset, "the number is too large")
}

fn mismatch(operator: Operator, a: &Value, b: &Value, offset: usize) -> ExprError {
    let message = format!(
        "`{}` has no meaning between a {} and a {}",
        operator.sign(),
        type_name(a),
        type_name(b)
    );
    ExprError::new("type-mismatch", offset, message)
}
