//! The functions, each also a filter: `len(x)` is `x | len`. All are total but for the errors they
//! name, and none has a side effect.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine as _;
use serde_json::Value;

use super::ExprError;
use super::ast::Ast;
use super::eval::{Environment, evaluate};
use super::ops;
use crate::json::type_name;
use crate::limits::MAP_ITEM_COUNT_MAX;

/// Every function with the least and the most values it takes.
const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("abs", 1, 1),
    ("all", 1, 1),
    ("any", 1, 1),
    ("base64", 1, 1),
    ("ceil", 1, 1),
    ("default", 2, 2),
    ("float", 1, 1),
    ("floor", 1, 1),
    ("int", 1, 1),
    ("join", 1, 2),
    ("json", 1, 1),
    ("keys", 1, 1),
    ("len", 1, 1),
    ("lower", 1, 1),
    ("max", 1, 16),
    ("min", 1, 16),
    ("now", 0, 0),
    ("pow", 2, 2),
    ("range", 1, 3),
    ("replace", 3, 3),
    ("round", 1, 2),
    ("split", 1, 2),
    ("sqrt", 1, 1),
    ("str", 1, 1),
    ("sum", 1, 1),
    ("trim", 1, 1),
    ("upper", 1, 1),
    ("values", 1, 1),
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _, _)| *name)
}

pub(super) fn arity(name: &str) -> Option<(usize, usize)> {
    FUNCTIONS.iter().find(|(known, _, _)| *known == name).map(|(_, least, most)| (*least, *most))
}

pub(super) fn call<'a>(
    name: &str,
    arguments: &'a [Ast],
    offset: usize,
    env: &Environment<'a>,
) -> Result<Cow<'a, Value>, ExprError> {
    if name == "default" {
        return match evaluate(&arguments[0], env) {
            Ok(value) if !value.is_null() => Ok(value),
            Err(error) if error.code != "missing-field" => Err(error),
            _ => evaluate(&arguments[1], env),
        };
    }
    let values = arguments.iter().map(|argument| evaluate(argument, env));
    let values: Vec<Cow<'a, Value>> = values.collect::<Result<_, _>>()?;
    let call = Call { name, values: &values, offset, env };
    call.result().map(Cow::Owned)
}

pub(super) struct Call<'c, 'a> {
    pub(super) name: &'c str,
    pub(super) values: &'c [Cow<'a, Value>],
    pub(super) offset: usize,
    pub(super) env: &'c Environment<'a>,
}

impl Call<'_, '_> {
    fn result(&self) -> Result<Value, ExprError> {
        match self.name {
            "len" => self.len(),
            "range" => self.range(),
            "round" => self.round(),
            "lower" => self.bounded_text(self.text(0)?.to_lowercase()),
            "upper" => self.bounded_text(self.text(0)?.to_uppercase()),
            "trim" => self.bounded_text(self.text(0)?.trim().to_owned()),
            "split" => self.split(),
            "join" => self.join(),
            "replace" => self.replace(),
            "sum" => self.sum(),
            "min" => self.extreme(Ordering::Less),
            "max" => self.extreme(Ordering::Greater),
            "keys" => Ok(self.object()?.keys().map(|key| Value::from(key.as_str())).collect()),
            "values" => {
                let values = self.object()?.values();
                values.map(|value| self.env.copy(value, self.offset)).collect()
            }
            "abs" | "ceil" | "float" | "floor" | "int" | "pow" | "sqrt" => self.number(),
            "all" => self.bools().map(|bools| bools.iter().all(|one| *one).into()),
            "any" => self.bools().map(|bools| bools.contains(&true).into()),
            "str" => match &*self.values[0] {
                Value::String(text) => self.bounded_text(text.clone()),
                other => self.bounded_text(other.to_string()),
            },
            "json" => self.bounded_text(self.values[0].to_string()),
            "base64" => {
                let text = self.text(0)?;
                self.bounded_text(base64::engine::general_purpose::STANDARD.encode(text))
            }
            _ => Ok(self.env.now.to_string().into()),
        }
    }

    fn len(&self) -> Result<Value, ExprError> {
        match &*self.values[0] {
            Value::String(text) => {
                self.env.burn(text.len() / 64, self.offset)?;
                Ok(text.chars().count().into())
            }
            Value::Array(items) => Ok(items.len().into()),
            Value::Object(fields) => Ok(fields.len().into()),
            other => Err(self.wants("a text, list or object", other)),
        }
    }

    fn range(&self) -> Result<Value, ExprError> {
        let (start, end) = match self.values.len() {
            1 => (0, self.integer(0)?),
            _ => (self.integer(0)?, self.integer(1)?),
        };
        let step = if self.values.len() == 3 { self.integer(2)? } else { 1 };
        if step == 0 {
            return Err(self.error("the step of `range` cannot be 0"));
        }
        let distance = if step > 0 { end - start } else { start - end };
        let count = if distance <= 0 { 0 } else { (distance - 1) / step.abs() + 1 };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > MAP_ITEM_COUNT_MAX {
            let message = format!("the range has more than {MAP_ITEM_COUNT_MAX} numbers");
            return Err(ExprError::new("too-large", self.offset, message));
        }
        self.env.burn(count, self.offset)?;
        let mut numbers = Vec::with_capacity(count);
        let mut next = start;
        for _ in 0..count {
            numbers.push(ops::from_integer(next, self.offset)?);
            next += step;
        }
        Ok(Value::Array(numbers))
    }

    /// Half away from zero, to `digits` decimals (0 if not said). Whole numbers stay whole.
    fn round(&self) -> Result<Value, ExprError> {
        let digits = if self.values.len() == 2 { self.integer(1)? } else { 0 };
        let digits = i32::try_from(digits).ok().filter(|digits| (0..=15).contains(digits));
        let Some(digits) = digits else {
            return Err(self.error("`round` takes 0 to 15 decimals"));
        };
        let Value::Number(number) = &*self.values[0] else {
            return Err(self.wants("a number", &self.values[0]));
        };
        if ops::integer(number).is_some() {
            return Ok(self.values[0].clone().into_owned());
        }
        let scale = 10_f64.powi(digits);
        let rounded = (ops::float(number) * scale).round() / scale;
        if digits == 0 && rounded.abs() < 9.0e15 {
            return ops::from_integer(rounded as i128, self.offset);
        }
        ops::from_float(rounded, self.offset)
    }

    /// At a separator, or at white space if none is given.
    fn split(&self) -> Result<Value, ExprError> {
        let text = self.text(0)?;
        self.env.burn(text.len(), self.offset)?;
        if self.values.len() == 1 {
            return Ok(text.split_whitespace().map(Value::from).collect());
        }
        let separator = self.text(1)?;
        if separator.is_empty() {
            return Err(self.error("the separator of `split` cannot be empty"));
        }
        Ok(text.split(separator).map(Value::from).collect())
    }

    fn join(&self) -> Result<Value, ExprError> {
        let separator = if self.values.len() == 2 { self.text(1)? } else { "" };
        let mut joined = String::new();
        for (index, item) in self.list()?.iter().enumerate() {
            let length = joined.len();
            if index > 0 {
                joined.push_str(separator);
            }
            match item {
                Value::String(text) => joined.push_str(text),
                Value::Array(_) | Value::Object(_) => {
                    return Err(self.wants("a list of texts and numbers", item));
                }
                other => joined.push_str(&other.to_string()),
            }
            // An item counts as one as well: an empty one is work, too.
            self.env.burn(1, self.offset)?;
            ops::grows(length, joined.len() - length, self.offset, self.env)?;
        }
        Ok(joined.into())
    }

    fn replace(&self) -> Result<Value, ExprError> {
        let (text, from, to) = (self.text(0)?, self.text(1)?, self.text(2)?);
        if from.is_empty() {
            return Err(self.error("`replace` cannot look for an empty text"));
        }
        self.env.burn(text.len() / 64, self.offset)?;
        let count = text.matches(from).count();
        let length = text.len() + count.saturating_mul(to.len()) - count * from.len();
        ops::grown(length, self.offset, self.env)?;
        Ok(text.replace(from, to).into())
    }

    fn sum(&self) -> Result<Value, ExprError> {
        let items = self.list()?;
        self.env.burn(items.len(), self.offset)?;
        items.iter().try_fold(Value::from(0), |sum, item| match item {
            Value::Number(_) => {
                let operator = super::ast::Operator::Add;
                ops::arithmetic(operator, &sum, item, self.offset, self.env)
            }
            other => Err(self.wants("a list of numbers", other)),
        })
    }

    /// The smallest or largest of a list, or of several values. All numbers, or all texts.
    fn extreme(&self, wanted: Ordering) -> Result<Value, ExprError> {
        let items: Vec<&Value> = match self.values.len() {
            1 => self.list()?.iter().collect(),
            _ => self.values.iter().map(|value| &**value).collect(),
        };
        self.env.burn(items.len(), self.offset)?;
        let mut items = items.into_iter();
        let Some(mut best) = items.next() else {
            return Err(self.error(&format!("`{}` of an empty list", self.name)));
        };
        if !best.is_number() && !best.is_string() {
            return Err(self.wants("numbers or texts", best));
        }
        for item in items {
            let ordering = match (item, best) {
                (Value::Number(a), Value::Number(b)) => ops::compare_numbers(a, b),
                (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
                _ => return Err(self.wants("only numbers or only texts", item)),
            };
            if ordering == Some(wanted) {
                best = item;
            }
        }
        self.env.copy(best, self.offset)
    }

    fn text(&self, at: usize) -> Result<&str, ExprError> {
        match &*self.values[at] {
            Value::String(text) => Ok(text),
            other => Err(self.wants("a text", other)),
        }
    }

    fn integer(&self, at: usize) -> Result<i128, ExprError> {
        match &*self.values[at] {
            Value::Number(number) => ops::integer(number)
                .ok_or_else(|| self.error(&format!("`{}` needs a whole number", self.name))),
            other => Err(self.wants("a whole number", other)),
        }
    }

    pub(super) fn list(&self) -> Result<&Vec<Value>, ExprError> {
        match &*self.values[0] {
            Value::Array(items) => Ok(items),
            other => Err(self.wants("a list", other)),
        }
    }

    fn object(&self) -> Result<&serde_json::Map<String, Value>, ExprError> {
        match &*self.values[0] {
            Value::Object(fields) => Ok(fields),
            other => Err(self.wants("an object", other)),
        }
    }

    fn bounded_text(&self, text: String) -> Result<Value, ExprError> {
        ops::grown(text.len(), self.offset, self.env)?;
        Ok(text.into())
    }

    pub(super) fn wants(&self, wanted: &str, got: &Value) -> ExprError {
        let message = format!("`{}` needs {wanted}, not a {}", self.name, type_name(got));
        ExprError::new("type-mismatch", self.offset, message)
    }

    pub(super) fn error(&self, message: &str) -> ExprError {
        ExprError::new("bad-arguments", self.offset, message)
    }
}
