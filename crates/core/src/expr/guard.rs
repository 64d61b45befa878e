//! Guards: the conditions that decide which way a unit of work goes.
//!
//! They are expressions with less in them. A bare name is an attribute of the unit or one of its
//! reserved names; there are no fields, no items, no objects, no `if` and no filters, and of the
//! functions only [`GUARD_FUNCTIONS`]. Python's `True`, `False`, `None` and tuples are read, since
//! that is what guards were written in before.

use super::ExprError;
use super::ast::{Ast, Expression, What};
use super::parse;
use crate::finding::nearest;

/// The functions a guard may call.
pub const GUARD_FUNCTIONS: &[&str] = &[
    "abs", "all", "any", "ceil", "float", "floor", "int", "len", "max", "min", "pow", "round",
    "sqrt", "str", "sum",
];

impl Expression {
    /// Parses a whole text as a guard. `forbidden` says why a name may not be read.
    ///
    /// # Errors
    ///
    /// The first syntax error, or every part that a guard may not have.
    pub fn guard(
        text: &str,
        forbidden: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Expression, Vec<ExprError>> {
        let mut root = parse::guard(text).map_err(|error| vec![known_functions(error)])?;
        let mut errors = Vec::new();
        root.walk(&mut |ast| errors.extend(refused(ast, forbidden)));
        if !errors.is_empty() {
            return Err(errors);
        }
        name_attributes(&mut root);
        Ok(Expression { root })
    }

    /// The attributes and reserved names a guard reads, each as often as it is named.
    pub fn attributes(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.root.walk(&mut |ast| {
            if let What::Attribute(name) = &ast.what {
                found.push(name.as_str());
            }
        });
        found
    }

    /// Whether the expression is the word `true`.
    pub fn is_always_true(&self) -> bool {
        self.literal() == Some(&serde_json::Value::Bool(true))
    }
}

fn refused(ast: &Ast, forbidden: &dyn Fn(&str) -> Option<String>) -> Option<ExprError> {
    let (message, hint) = match &ast.what {
        What::Name(name) => (forbidden(name)?, None),
        What::Call(name, _) if !GUARD_FUNCTIONS.contains(&name.as_str()) => {
            let message = format!("a guard cannot call `{name}`");
            let error = ExprError::new("unknown-function", ast.offset, message);
            return Some(known_functions(error));
        }
        What::Field(_, name) => (
            format!("a guard cannot read the field `{name}` of a value"),
            Some("give the unit an attribute of its own for it".to_owned()),
        ),
        What::Index(..) => ("a guard cannot read an item of a value".to_owned(), None),
        What::Object(_) => ("a guard cannot have an object in it".to_owned(), None),
        What::If { .. } => (
            "a guard cannot have an `if` in it".to_owned(),
            Some("say it with `and` and `or`, or with a branch more".to_owned()),
        ),
        _ => return None,
    };
    Some(ExprError::new("not-in-a-guard", ast.offset, message).hint(hint))
}

/// The same error, with a hint that names what a guard may call.
fn known_functions(error: ExprError) -> ExprError {
    if error.code != "unknown-function" {
        return error;
    }
    let typed = error.message.split('`').nth(1).unwrap_or_default().to_owned();
    let hint = nearest(&typed, GUARD_FUNCTIONS.iter().copied())
        .unwrap_or_else(|| format!("a guard knows {}", GUARD_FUNCTIONS.join(", ")));
    error.hint(Some(hint))
}

fn name_attributes(ast: &mut Ast) {
    match &mut ast.what {
        What::Name(name) => ast.what = What::Attribute(std::mem::take(name)),
        What::Literal(_) | What::Root(_) | What::Attribute(_) => {}
        What::Field(base, _) | What::Not(base) | What::Negative(base) => name_attributes(base),
        What::Index(a, b) | What::And(a, b) | What::Or(a, b) | What::Binary(_, a, b) => {
            name_attributes(a);
            name_attributes(b);
        }
        What::List(items) | What::Call(_, items) => items.iter_mut().for_each(name_attributes),
        What::Object(fields) => fields.iter_mut().for_each(|(_, value)| name_attributes(value)),
        What::If { condition, then, otherwise } => {
            name_attributes(condition);
            name_attributes(then);
            name_attributes(otherwise);
        }
    }
}
