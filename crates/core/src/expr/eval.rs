//! What an expression is worth inside a run.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::ast::{Ast, Expression, Operator, Root, What};
use super::{ExprError, functions, ops};
use crate::finding::nearest;
use crate::json::{self, type_name};
use crate::limits::EXPRESSION_FUEL;
use crate::time::Time;

/// What the names of an expression hold.
pub trait Names {
    /// The value of a root that is not a node and not `secrets`.
    fn value(&self, root: &Root) -> Cow<'_, Value>;
    /// The node `id`, `up` blocks further out.
    fn node(&self, up: u8, id: &str) -> NodeView<'_>;
    /// The attribute `name` of the unit of work that a guard looks at; `None` if it has none.
    fn attribute(&self, name: &str) -> Option<Cow<'_, Value>> {
        let _ = name;
        None
    }
}

/// What an expression can see of a node.
#[derive(Clone, Debug)]
pub struct NodeView<'a> {
    /// The step's status, `pending` before it is reached.
    pub status: &'static str,
    /// The output. `None` before the step has succeeded.
    pub output: Option<&'a Value>,
    /// `{code, message, …}` of a failed step.
    pub error: Option<Value>,
}

/// Everything one evaluation may look at, and how much work it may still do.
pub struct Environment<'a> {
    names: &'a dyn Names,
    pub(super) now: Time,
    fuel: Cell<u32>,
}

impl<'a> Environment<'a> {
    /// An environment with a full tank. `now` answers `now()`.
    pub fn new(names: &'a dyn Names, now: Time) -> Environment<'a> {
        Environment { names, now, fuel: Cell::new(EXPRESSION_FUEL) }
    }

    pub(super) fn burn(&self, amount: usize, offset: usize) -> Result<(), ExprError> {
        let amount = u32::try_from(amount).unwrap_or(u32::MAX);
        match self.fuel.get().checked_sub(amount) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => {
                let message = format!("the expression takes more than {EXPRESSION_FUEL} steps");
                Err(ExprError::new("out-of-fuel", offset, message))
            }
        }
    }

    /// A value of its own. A copy is paid for before it is made: a value may be large, and an
    /// expression may name it often.
    pub(super) fn own(&self, value: Cow<'_, Value>, offset: usize) -> Result<Value, ExprError> {
        match value {
            Cow::Owned(value) => Ok(value),
            Cow::Borrowed(value) => self.copy(value, offset),
        }
    }

    pub(super) fn copy(&self, value: &Value, offset: usize) -> Result<Value, ExprError> {
        self.look_at(value, offset)?;
        Ok(value.clone())
    }

    /// Pays for reading all of a value.
    pub(super) fn look_at(&self, value: &Value, offset: usize) -> Result<(), ExprError> {
        self.burn(json::size(value) / 64, offset)
    }
}

impl Expression {
    /// The value of the expression.
    ///
    /// # Errors
    ///
    /// The first error, in the order of evaluation. Nothing is coerced and nothing is guessed.
    pub fn evaluate<'a>(&'a self, env: &Environment<'a>) -> Result<Cow<'a, Value>, ExprError> {
        evaluate(&self.root, env)
    }

    /// The value of a condition.
    ///
    /// # Errors
    ///
    /// As [`Expression::evaluate`], and if the value is not a bool.
    pub fn holds(&self, env: &Environment<'_>) -> Result<bool, ExprError> {
        bool_of(&self.root, env, "a condition")
    }
}

pub(super) fn evaluate<'a>(
    ast: &'a Ast,
    env: &Environment<'a>,
) -> Result<Cow<'a, Value>, ExprError> {
    env.burn(1, ast.offset)?;
    Ok(match &ast.what {
        What::Literal(value) => Cow::Borrowed(value),
        What::Root(root) => return value_of(root, ast.offset, env),
        What::Attribute(name) => {
            return env.names.attribute(name).ok_or_else(|| {
                let message = format!("there is no attribute `{name}`");
                ExprError::new("missing-attribute", ast.offset, message)
            });
        }
        What::Field(base, name) => return field(ast, base, name, env),
        What::Index(base, index) => return index_into(base, index, env),
        What::List(items) => {
            let values = items.iter().map(|item| env.own(evaluate(item, env)?, item.offset));
            Cow::Owned(Value::Array(values.collect::<Result<_, _>>()?))
        }
        What::Object(fields) => {
            let mut object = Map::new();
            for (name, value) in fields {
                object.insert(name.clone(), env.own(evaluate(value, env)?, value.offset)?);
            }
            Cow::Owned(Value::Object(object))
        }
        What::Not(value) => Cow::Owned(Value::Bool(!bool_of(value, env, "`not`")?)),
        What::Negative(value) => Cow::Owned(ops::negate(&*evaluate(value, env)?, ast.offset)?),
        What::And(a, b) => {
            Cow::Owned(Value::Bool(bool_of(a, env, "`and`")? && bool_of(b, env, "`and`")?))
        }
        What::Or(a, b) => {
            Cow::Owned(Value::Bool(bool_of(a, env, "`or`")? || bool_of(b, env, "`or`")?))
        }
        What::Binary(operator, a, b) => Cow::Owned(binary(*operator, a, b, env)?),
        What::If { condition, then, otherwise } => {
            let branch = if bool_of(condition, env, "`if`")? { then } else { otherwise };
            return evaluate(branch, env);
        }
        What::Call(name, arguments) => return functions::call(name, arguments, ast.offset, env),
        What::Name(name) => {
            return Err(ExprError::new("unknown-name", ast.offset, format!("no `{name}` here")));
        }
    })
}

fn value_of<'a>(
    root: &'a Root,
    offset: usize,
    env: &Environment<'a>,
) -> Result<Cow<'a, Value>, ExprError> {
    match root {
        Root::Secrets => {
            let message = "secrets cannot be read in an expression";
            Err(ExprError::new("secret", offset, message))
        }
        Root::Node { up, id } => {
            let node = env.names.node(*up, id);
            let mut object = Map::new();
            object.insert("status".into(), node.status.into());
            let output = node.output.map_or(Ok(Value::Null), |output| env.copy(output, offset))?;
            object.insert("output".into(), output);
            object.insert("error".into(), node.error.unwrap_or(Value::Null));
            Ok(Cow::Owned(Value::Object(object)))
        }
        other => Ok(env.names.value(other)),
    }
}

/// `base.name`. An attribute of a node's null `output` or `error` is null, so that `later.output.x`
/// can be asked about before `later` has run; any other missing field is an error.
fn field<'a>(
    ast: &'a Ast,
    base: &'a Ast,
    name: &str,
    env: &Environment<'a>,
) -> Result<Cow<'a, Value>, ExprError> {
    if let What::Root(Root::Node { up, id }) = &base.what {
        let node = env.names.node(*up, id);
        return match name {
            "output" => Ok(node.output.map_or(Cow::Owned(Value::Null), Cow::Borrowed)),
            "status" => Ok(Cow::Owned(Value::from(node.status))),
            "error" => Ok(Cow::Owned(node.error.unwrap_or(Value::Null))),
            _ => {
                let message = format!("a node has no `{name}`");
                let hint =
                    Some(format!("a node has `output`, `status` and `error`: `{id}.output`"));
                Err(ExprError::new("missing-field", ast.offset, message).hint(hint))
            }
        };
    }
    let value = evaluate(base, env)?;
    if value.is_null() && is_of_null_output(base, env) {
        return Ok(Cow::Owned(Value::Null));
    }
    let type_of_base = type_name(&value);
    let names: Vec<String> = match &*value {
        Value::Object(fields) => fields.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let found = match value {
        Cow::Borrowed(value) => value.get(name).map(Cow::Borrowed),
        Cow::Owned(mut value) => value.get_mut(name).map(|value| Cow::Owned(value.take())),
    };
    found.ok_or_else(|| {
        let message = match type_of_base {
            "object" => format!("there is no field `{name}`"),
            other => format!("a {other} has no field `{name}`"),
        };
        ExprError::new("missing-field", ast.offset, message)
            .hint(nearest(name, names.iter().map(String::as_str)))
    })
}

fn index_into<'a>(
    base: &'a Ast,
    index: &'a Ast,
    env: &Environment<'a>,
) -> Result<Cow<'a, Value>, ExprError> {
    let value = evaluate(base, env)?;
    if value.is_null() && is_of_null_output(base, env) {
        return Ok(Cow::Owned(Value::Null));
    }
    let key = evaluate(index, env)?;
    let missing = |message: String| ExprError::new("missing-field", index.offset, message);
    let type_of_base = type_name(&value);
    match (&*value, &*key) {
        (Value::Object(_), Value::String(name)) => match value {
            Cow::Borrowed(value) => value.get(name).map(Cow::Borrowed),
            Cow::Owned(mut value) => value.get_mut(name).map(|value| Cow::Owned(value.take())),
        }
        .ok_or_else(|| missing(format!("there is no field `{name}`"))),
        (Value::Array(items), Value::Number(number)) => {
            let length = items.len();
            let place = number.as_i64().and_then(|at| {
                let from_end = i64::try_from(length).ok()?.checked_add(at)?;
                usize::try_from(if at < 0 { from_end } else { at }).ok()
            });
            place
                .and_then(|place| match value {
                    Cow::Borrowed(value) => value.get(place).map(Cow::Borrowed),
                    Cow::Owned(mut value) => {
                        value.get_mut(place).map(|value| Cow::Owned(value.take()))
                    }
                })
                .ok_or_else(|| missing(format!("the list has {length} items, none at {number}")))
        }
        (_, key) => {
            let message = format!("a {type_of_base} cannot be indexed by a {}", type_name(key));
            Err(ExprError::new("type-mismatch", index.offset, message))
        }
    }
}

/// Whether `ast` is a path that starts at a node's `output` or `error` and that value is null.
fn is_of_null_output(ast: &Ast, env: &Environment<'_>) -> bool {
    match &ast.what {
        What::Field(base, name) => match &base.what {
            What::Root(Root::Node { up, id }) => match name.as_str() {
                "output" => env.names.node(*up, id).output.is_none_or(Value::is_null),
                "error" => env.names.node(*up, id).error.is_none(),
                _ => false,
            },
            _ => is_of_null_output(base, env),
        },
        What::Index(base, _) => is_of_null_output(base, env),
        _ => false,
    }
}

fn binary<'a>(
    operator: Operator,
    a: &'a Ast,
    b: &'a Ast,
    env: &Environment<'a>,
) -> Result<Value, ExprError> {
    let (left, right) = (evaluate(a, env)?, evaluate(b, env)?);
    match operator {
        Operator::Equal | Operator::NotEqual => {
            // Of values of other types or lengths nothing more is read.
            match (&*left, &*right) {
                (Value::String(a_text), Value::String(b_text)) if a_text.len() == b_text.len() => {
                    env.burn(a_text.len() / 64, a.offset)?;
                }
                (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
                    env.look_at(&left, a.offset)?;
                }
                _ => {}
            }
            Ok(Value::Bool(ops::equal(&left, &right) == (operator == Operator::Equal)))
        }
        Operator::In => Ok(Value::Bool(ops::contains(&right, &left, b.offset, env)?)),
        Operator::NotIn => Ok(Value::Bool(!ops::contains(&right, &left, b.offset, env)?)),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            Ok(Value::Bool(ops::ordered(operator, &left, &right, a.offset, env)?))
        }
        _ => ops::arithmetic(operator, &left, &right, a.offset, env),
    }
}

fn bool_of(ast: &Ast, env: &Environment<'_>, who: &str) -> Result<bool, ExprError> {
    match &*evaluate(ast, env)? {
        Value::Bool(value) => Ok(*value),
        other => {
            let message = format!("{who} needs true or false, not a {}", type_name(other));
            Err(ExprError::new("type-mismatch", ast.offset, message))
        }
    }
}
