//! What can be said about an expression before a run: its type, and what can never work.

use super::ExprError;
use super::ast::{Ast, Expression, Operator, Root, What};
use super::types::Type;
use crate::finding::nearest;

/// What is known of the names.
pub trait TypeEnv {
    /// The type of a root that is not a node.
    fn root(&self, root: &Root) -> Type;
    /// The type of a node's output.
    fn output(&self, up: u8, id: &str) -> Type;
}

/// The type of `expression`, and what can be seen to fail. An error with the code `always-false` is
/// not an error in a run: it is a comparison that can only have one answer.
pub fn infer(expression: &Expression, env: &dyn TypeEnv) -> (Type, Vec<ExprError>) {
    let mut inference = Inference { env, errors: Vec::new() };
    let of = inference.of(&expression.root);
    (of, inference.errors)
}

struct Inference<'a> {
    env: &'a dyn TypeEnv,
    errors: Vec<ExprError>,
}

impl Inference<'_> {
    fn of(&mut self, ast: &Ast) -> Type {
        match &ast.what {
            What::Literal(value) => Type::of(value),
            What::Name(_) | What::Attribute(_) => Type::Any,
            What::Root(Root::Node { id, .. }) => {
                let message = format!("`{id}` is a node, not a value");
                let hint = format!("say `{id}.output`, `{id}.status` or `{id}.error`");
                self.errors
                    .push(ExprError::new("type-mismatch", ast.offset, message).hint(Some(hint)));
                Type::Any
            }
            What::Root(root) => self.env.root(root),
            What::Field(base, name) => self.field(ast, base, name),
            What::Index(base, index) => {
                let (base_type, index_type) = (self.of(base), self.of(index));
                self.index(&base_type, &index_type, index)
            }
            What::List(items) => {
                let mut types: Vec<Type> = items.iter().map(|item| self.of(item)).collect();
                let first = types.pop().unwrap_or(Type::Any);
                let same = types.iter().all(|other| *other == first);
                Type::List(Box::new(if same { first } else { Type::Any }))
            }
            What::Object(fields) => {
                let fields =
                    fields.iter().map(|(name, value)| (name.clone(), self.of(value))).collect();
                Type::Object { fields, open: false }
            }
            What::Not(value) => {
                self.bool(value, "`not`");
                Type::Bool
            }
            What::And(a, b) | What::Or(a, b) => {
                let who = if matches!(ast.what, What::And(..)) { "`and`" } else { "`or`" };
                self.bool(a, who);
                self.bool(b, who);
                Type::Bool
            }
            What::Negative(value) => {
                let of = self.of(value);
                if !of.may_equal(&Type::Number) {
                    self.mismatch(value.offset, format!("`-` needs a number, not a {of}"));
                }
                Type::Number
            }
            What::Binary(operator, a, b) => self.binary(*operator, a, b),
            What::If { condition, then, otherwise } => {
                self.bool(condition, "`if`");
                let (then, otherwise) = (self.of(then), self.of(otherwise));
                if then == otherwise { then } else { Type::Any }
            }
            What::Call(name, arguments) => self.call(name, arguments),
        }
    }

    fn field(&mut self, ast: &Ast, base: &Ast, name: &str) -> Type {
        if let What::Root(Root::Node { up, id }) = &base.what {
            return match name {
                "output" => self.env.output(*up, id),
                "status" => Type::Text,
                "error" => Type::object(),
                _ => {
                    let message = format!("a node has no `{name}`");
                    let hint = format!("say `{id}.output`, `{id}.status` or `{id}.error`");
                    let error = ExprError::new("missing-field", ast.offset, message);
                    self.errors.push(error.hint(Some(hint)));
                    Type::Any
                }
            };
        }
        if base.what == What::Root(Root::Secrets) {
            return Type::Text;
        }
        match self.of(base) {
            Type::Any | Type::Null => Type::Any,
            Type::Object { fields, open } => match fields.get(name) {
                Some(of) => of.clone(),
                None if open => Type::Any,
                None => {
                    let message = format!("there is no field `{name}`");
                    let hint = nearest(name, fields.keys().map(String::as_str)).or_else(|| {
                        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
                        Some(format!("known: {}", names.join(", ")))
                    });
                    let error = ExprError::new("missing-field", ast.offset, message).hint(hint);
                    self.errors.push(error);
                    Type::Any
                }
            },
            other => {
                self.mismatch(ast.offset, format!("a {other} has no field `{name}`"));
                Type::Any
            }
        }
    }

    fn index(&mut self, base: &Type, index: &Type, at: &Ast) -> Type {
        match (base, index) {
            (Type::List(items), Type::Number | Type::Any) => (**items).clone(),
            (Type::Object { fields, .. }, Type::Text | Type::Any) => match &at.what {
                What::Literal(serde_json::Value::String(name)) => {
                    fields.get(name).cloned().unwrap_or(Type::Any)
                }
                _ => Type::Any,
            },
            (Type::Any | Type::Null, _) | (_, Type::Any) => Type::Any,
            (base, index) => {
                self.mismatch(at.offset, format!("a {base} cannot be indexed by a {index}"));
                Type::Any
            }
        }
    }

    fn binary(&mut self, operator: Operator, a: &Ast, b: &Ast) -> Type {
        let (left, right) = (self.of(a), self.of(b));
        let known = left != Type::Any && right != Type::Any;
        match operator {
            Operator::Equal | Operator::NotEqual => {
                if !left.may_equal(&right) {
                    let message = format!(
                        "`{}` between a {left} and a {right} can only have one answer",
                        operator.sign()
                    );
                    self.errors.push(ExprError::new("always-false", a.offset, message));
                }
                Type::Bool
            }
            Operator::In | Operator::NotIn => {
                if matches!(right, Type::Number | Type::Bool) {
                    self.mismatch(b.offset, format!("nothing can be `in` a {right}"));
                }
                Type::Bool
            }
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => {
                let ordered = |of: &Type| matches!(of, Type::Number | Type::Text | Type::Any);
                let can = ordered(&left) && ordered(&right) && (!known || left == right);
                if !can {
                    self.no_meaning(operator, &left, &right, a.offset);
                }
                Type::Bool
            }
            Operator::Add if known && left == right && matches!(left, Type::Text) => Type::Text,
            Operator::Add if matches!((&left, &right), (Type::List(_), Type::List(_))) => {
                if left == right { left } else { Type::List(Box::new(Type::Any)) }
            }
            Operator::Multiply
                if matches!(
                    (&left, &right),
                    (Type::Text, Type::Number) | (Type::Number, Type::Text)
                ) =>
            {
                Type::Text
            }
            _ if known && (left != Type::Number || right != Type::Number) => {
                self.no_meaning(operator, &left, &right, a.offset);
                Type::Any
            }
            _ if known => Type::Number,
            _ => Type::Any,
        }
    }

    fn call(&mut self, name: &str, arguments: &[Ast]) -> Type {
        if name == "default" {
            // The first value may well be missing: that is what `default` is for.
            let errors_before = self.errors.len();
            let first = self.of(&arguments[0]);
            let kept = self.errors.split_off(errors_before);
            self.errors.extend(kept.into_iter().filter(|error| error.code != "missing-field"));
            let second = self.of(&arguments[1]);
            return if first == second { first } else { Type::Any };
        }
        let types: Vec<Type> = arguments.iter().map(|argument| self.of(argument)).collect();
        match name {
            "abs" | "ceil" | "float" | "floor" | "int" | "len" | "pow" | "round" | "sqrt"
            | "sum" => Type::Number,
            "all" | "any" => Type::Bool,
            "range" => Type::List(Box::new(Type::Number)),
            "lower" | "upper" | "trim" | "replace" | "join" | "json" | "base64" | "now" | "str" => {
                Type::Text
            }
            "split" | "keys" => Type::List(Box::new(Type::Text)),
            "values" => Type::List(Box::new(Type::Any)),
            _ => match types.first() {
                Some(Type::List(items)) if types.len() == 1 => (**items).clone(),
                _ => Type::Any,
            },
        }
    }

    fn bool(&mut self, ast: &Ast, who: &str) {
        let of = self.of(ast);
        if !of.may_equal(&Type::Bool) {
            self.mismatch(ast.offset, format!("{who} needs true or false, not a {of}"));
        }
    }

    fn no_meaning(&mut self, operator: Operator, a: &Type, b: &Type, offset: usize) {
        let sign = operator.sign();
        self.mismatch(offset, format!("`{sign}` has no meaning between a {a} and a {b}"));
    }

    fn mismatch(&mut self, offset: usize, message: String) {
        self.errors.push(ExprError::new("type-mismatch", offset, message));
    }
}
