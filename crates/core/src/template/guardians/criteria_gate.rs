//! `CRITERIA_GATE`: compares attributes. `{field, operator, threshold}` is one comparison by `GT`,
//! `LT`, `EQ` or `IN`; `{rules: [{field, condition, value}], operator}` are several, joined by `AND`
//! or `OR`.
//!
//! What is missing rejects. The second dialect counts a missing number as 0, and passes without
//! rules.

use std::cmp::Ordering;

use serde_json::Value;

use super::composite::Logic;
use super::{Verdict, field};
use crate::definition::findings::Findings;
use crate::expr::{compare_numbers, equal};
use crate::json::type_name;
use crate::template::model::words;
use crate::template::reader::{Broken, Reader};
use crate::template::subject::Subject;

/// Comparisons, and how they are joined.
#[derive(Clone, Debug, PartialEq)]
pub struct Criteria {
    /// The comparisons, in order.
    pub rules: Vec<Rule>,
    /// Whether all must hold or one.
    pub logic: Logic,
    /// Whether a number that is missing counts as 0.
    pub missing_is_zero: bool,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The attribute.
    pub field: String,
    /// What is asked of it.
    pub test: Test,
    /// What it is compared with; null for `exists` and `not_exists`.
    pub value: Value,
}

/// What is asked of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// It equals the value.
    Equals,
    /// It is there and does not.
    NotEquals,
    /// It is larger.
    Greater,
    /// It is larger or equal.
    GreaterOrEqual,
    /// It is smaller.
    Less,
    /// It is smaller or equal.
    LessOrEqual,
    /// It is one of the values.
    In,
    /// It is a list with the value in it, or a text with it in it.
    Contains,
    /// It is a list or a text without it.
    NotContains,
    /// It is there.
    Exists,
    /// It is not.
    NotExists,
}

// The words of the second dialect.
words!(Test {
    Equals = "equals",
    NotEquals = "not_equals",
    Greater = "gt",
    GreaterOrEqual = "gte",
    Less = "lt",
    LessOrEqual = "lte",
    In = "in",
    Contains = "contains",
    NotContains = "not_contains",
    Exists = "exists",
    NotExists = "not_exists",
});

const OPERATORS: &[(&str, Test)] =
    &[("GT", Test::Greater), ("LT", Test::Less), ("EQ", Test::Equals), ("IN", Test::In)];

pub(super) fn compile(config: &mut Reader<'_>, out: &mut Findings<'_>) -> Result<Criteria, Broken> {
    if config.has("rules") { several(config, out) } else { one(config, out) }
}

fn one(config: &mut Reader<'_>, out: &mut Findings<'_>) -> Result<Criteria, Broken> {
    let field = config.name(&["field"], out);
    let field = config.need(field, "field", "name the attribute to compare", out);
    let words: Vec<&str> = OPERATORS.iter().map(|(word, _)| *word).collect();
    let of = |word: &str| OPERATORS.iter().find(|(known, _)| *known == word).map(|one| one.1);
    let test = config.word(&["operator"], "unknown-operator", &words, of, out);
    let test = config.need(test, "operator", "GT, LT, EQ or IN", out);
    let threshold = config.value(&["threshold"], out);
    if let (Ok(test), Some((value, path))) = (&test, &threshold) {
        comparable(config, *test, value, path, "threshold", out)?;
    }
    let given = Ok(threshold.map(|(value, _)| value.clone()));
    let value = config.need(given, "threshold", "say what it is compared with", out);
    let rule = Rule { field: field?, test: test?, value: value? };
    Ok(Criteria { rules: vec![rule], logic: Logic::And, missing_is_zero: false })
}

fn several(config: &mut Reader<'_>, out: &mut Findings<'_>) -> Result<Criteria, Broken> {
    let logic = config.word(&["operator"], "unknown-operator", Logic::WORDS, Logic::of, out);
    let mut rules = Vec::new();
    let mut is_broken = false;
    for (index, (item, path)) in config.list(&["rules"], out)?.into_iter().flatten().enumerate() {
        let what = format!("rule {} of {}", index + 1, config.what());
        match Reader::new(item, &path, what, out).and_then(|reader| rule(reader, out)) {
            Ok(rule) => rules.push(rule),
            Err(Broken) => is_broken = true,
        }
    }
    let logic = logic?.unwrap_or(Logic::And);
    if is_broken { Err(Broken) } else { Ok(Criteria { rules, logic, missing_is_zero: true }) }
}

fn rule(mut reader: Reader<'_>, out: &mut Findings<'_>) -> Result<Rule, Broken> {
    let field = reader.name(&["field"], out);
    let field = reader.need(field, "field", "name the attribute to compare", out);
    // `in` is the first dialect's.
    let words: Vec<&str> = Test::WORDS.iter().copied().filter(|word| *word != "in").collect();
    let of = |word: &str| Test::of(word).filter(|test| *test != Test::In);
    let test = reader.word(&["condition"], "unknown-condition", &words, of, out);
    let test = reader.need(test, "condition", "such as `equals` or `gte`", out);
    let value = reader.value(&["value"], out);
    let mut result = Ok(());
    if let Ok(test) = &test {
        match &value {
            Some((value, path)) => {
                result = comparable(&reader, *test, value, path, "value", out);
            }
            None if test.is_order() || matches!(test, Test::Contains | Test::NotContains) => {
                result = reader.need(Ok(None), "value", "say what it is compared with", out);
            }
            None => {}
        }
    }
    let value = value.map_or(Value::Null, |(value, _)| value.clone());
    let rest = reader.finish(out);
    result.and(rest)?;
    Ok(Rule { field: field?, test: test?, value })
}

/// A finding if no attribute could ever be compared with `value`.
fn comparable(
    reader: &Reader<'_>,
    test: Test,
    value: &Value,
    path: &str,
    name: &str,
    out: &mut Findings<'_>,
) -> Result<(), Broken> {
    if test.is_order() && !value.is_number() && !value.is_string() {
        return Err(reader.wrong(path, name, "a number or a text", value, out));
    }
    if test == Test::In && !value.is_array() {
        return Err(reader.wrong(path, name, "a list, as `IN` needs one,", value, out));
    }
    Ok(())
}

impl Criteria {
    pub(super) fn judge(&self, subject: &dyn Subject) -> Verdict {
        let mut rejections = Vec::new();
        for rule in &self.rules {
            match (rule.judge(subject, self.missing_is_zero), self.logic) {
                (Verdict::Pass, Logic::Or) => return Verdict::Pass,
                (Verdict::Pass, Logic::And) => {}
                (reject, Logic::And) => return reject,
                (Verdict::Reject { message }, Logic::Or) => rejections.push(message),
            }
        }
        if rejections.is_empty() {
            return Verdict::Pass;
        }
        Verdict::reject(rejections.join("; "))
    }
}

impl Rule {
    fn judge(&self, subject: &dyn Subject, missing_is_zero: bool) -> Verdict {
        let name = &self.field;
        let found = field(subject, name);
        match (self.test, &found) {
            (Test::Exists, Ok(_)) | (Test::NotExists, Err(_)) => return Verdict::Pass,
            (Test::NotExists, Ok(_)) => return Verdict::reject(format!("`{name}` is there")),
            _ => {}
        }
        let found = match found {
            Ok(value) => value,
            Err(_) if missing_is_zero && self.test.is_order() && self.value.is_number() => {
                std::borrow::Cow::Owned(Value::from(0))
            }
            Err(reject) => return reject,
        };
        match self.test.holds(&found, &self.value) {
            Some(true) => Verdict::Pass,
            Some(false) => Verdict::reject(format!("`{name}` {}", self.test.denial(&self.value))),
            None => Verdict::reject(format!(
                "`{name}` is a {}, which cannot be compared by `{}` with a {}",
                type_name(&found),
                self.test.as_str(),
                type_name(&self.value)
            )),
        }
    }
}

impl Test {
    fn is_order(self) -> bool {
        matches!(self, Test::Greater | Test::GreaterOrEqual | Test::Less | Test::LessOrEqual)
    }

    /// `None` if the two have nothing in common.
    fn holds(self, found: &Value, value: &Value) -> Option<bool> {
        Some(match self {
            Test::Equals => equal(found, value),
            Test::NotEquals => !equal(found, value),
            Test::In => value.as_array()?.iter().any(|one| equal(one, found)),
            Test::Contains => contains(found, value)?,
            Test::NotContains => !contains(found, value)?,
            Test::Greater => order(found, value)?.is_gt(),
            Test::GreaterOrEqual => order(found, value)?.is_ge(),
            Test::Less => order(found, value)?.is_lt(),
            Test::LessOrEqual => order(found, value)?.is_le(),
            Test::Exists | Test::NotExists => return None,
        })
    }

    fn denial(self, value: &Value) -> String {
        let value = match value {
            Value::Array(_) | Value::Object(_) => format!("the {} it should", type_name(value)),
            other => other.to_string(),
        };
        match self {
            Test::Equals => format!("does not equal {value}"),
            Test::NotEquals => format!("equals {value}"),
            Test::In => "is not one of the values it may be".to_owned(),
            Test::Contains => format!("does not contain {value}"),
            Test::NotContains => format!("contains {value}"),
            Test::Greater => format!("is not greater than {value}"),
            Test::GreaterOrEqual => format!("is less than {value}"),
            Test::Less => format!("is not less than {value}"),
            Test::LessOrEqual => format!("is greater than {value}"),
            Test::Exists | Test::NotExists => "is not as it should be".to_owned(),
        }
    }
}

fn contains(found: &Value, value: &Value) -> Option<bool> {
    match (found, value) {
        (Value::Array(items), value) => Some(items.iter().any(|item| equal(item, value))),
        (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
        _ => None,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
