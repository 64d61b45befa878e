use super::ExprError;
use super::ast::{Ast, Expression, Root, What};
use super::parse;
use crate::finding::nearest;

/// Which names an expression may use where it stands.
pub trait Bindings {
    /// What `name` stands for; `None` if it is unknown.
    fn root(&self, name: &str) -> Option<Root>;
    /// The node `id`, as in `nodes["my-id"]`; `None` if there is none.
    fn node(&self, id: &str) -> Option<Root>;
    /// Every known name, for hints.
    fn names(&self) -> Vec<String>;
    /// Why `name` is not known here although it is elsewhere.
    fn why_not(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }
}

impl Expression {
    /// Parses and binds a whole text, as in `when` and `condition`. `{{` and `}}` are parentheses.
    ///
    /// # Errors
    ///
    /// The first syntax error, or every unknown name.
    pub fn condition(text: &str, bindings: &dyn Bindings) -> Result<Expression, Vec<ExprError>> {
        bind(parse::condition(text).map_err(|error| vec![error])?, bindings)
    }

    /// Parses and binds what stands behind a `{{` at character `start`; also says where it ends.
    pub(super) fn embedded(
        chars: &[char],
        start: usize,
        bindings: &dyn Bindings,
    ) -> Result<(Result<Expression, Vec<ExprError>>, usize), ExprError> {
        let (ast, end) = parse::embedded(chars, start)?;
        Ok((bind(ast, bindings), end))
    }
}

fn bind(mut root: Ast, bindings: &dyn Bindings) -> Result<Expression, Vec<ExprError>> {
    let mut errors = Vec::new();
    bind_part(&mut root, bindings, &mut errors);
    if errors.is_empty() { Ok(Expression { root }) } else { Err(errors) }
}

fn bind_part(ast: &mut Ast, bindings: &dyn Bindings, errors: &mut Vec<ExprError>) {
    let offset = ast.offset;
    match &mut ast.what {
        What::Name(name) => match bindings.root(name) {
            Some(root) => ast.what = What::Root(root),
            None => errors.push(unknown(name, offset, bindings)),
        },
        What::Index(base, index) if base.what == What::Name("nodes".to_owned()) => {
            let What::Literal(serde_json::Value::String(id)) = &index.what else {
                let message = "`nodes[…]` takes a node's id as a text";
                errors.push(ExprError::new("unknown-name", index.offset, message));
                return;
            };
            match bindings.node(id) {
                Some(root) => ast.what = What::Root(root),
                None => errors.push(unknown(id, index.offset, bindings)),
            }
        }
        What::Literal(_) | What::Root(_) | What::Attribute(_) => {}
        What::Field(base, _) | What::Not(base) | What::Negative(base) => {
            bind_part(base, bindings, errors);
        }
        What::Index(a, b) | What::And(a, b) | What::Or(a, b) | What::Binary(_, a, b) => {
            bind_part(a, bindings, errors);
            bind_part(b, bindings, errors);
        }
        What::List(items) | What::Call(_, items) => {
            items.iter_mut().for_each(|item| bind_part(item, bindings, errors));
        }
        What::Object(fields) => {
            fields.iter_mut().for_each(|(_, value)| bind_part(value, bindings, errors));
        }
        What::If { condition, then, otherwise } => {
            bind_part(condition, bindings, errors);
            bind_part(then, bindings, errors);
            bind_part(otherwise, bindings, errors);
        }
    }
}

fn unknown(name: &str, offset: usize, bindings: &dyn Bindings) -> ExprError {
    let names = bindings.names();
    let hint = bindings
        .why_not(name)
        .or_else(|| nearest(name, names.iter().map(String::as_str)))
        .or_else(|| Some(format!("known here: {}", names.join(", "))));
    ExprError::new("unknown-name", offset, format!("there is no `{name}` here")).hint(hint)
}
