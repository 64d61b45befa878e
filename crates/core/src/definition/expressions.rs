//! Expressions where they stand in a definition: compiled, typed, and asked what they read.

use serde_json::Value;

use super::compile::{Compiler, Scope};
use crate::expr::{Expression, Template, Type, infer};
use crate::finding::Finding;
use crate::json;

impl Compiler<'_, '_> {
    pub(super) fn condition(
        &mut self,
        condition: &Value,
        path: &str,
        reader: Option<(&Scope<'_>, usize)>,
    ) -> Option<Expression> {
        let text = match condition {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            other => {
                let message =
                    format!("a condition is an expression, not a {}", json::type_name(other));
                self.findings.add(Finding::error("bad-value", path, message));
                return None;
            }
        };
        match Expression::condition(&text, &self.names) {
            Ok(expression) => {
                let of = self.infer(&expression, path, reader);
                if !of.may_equal(&Type::Bool) {
                    let message = format!("a condition is true or false, but this is a {of}");
                    self.findings.add(Finding::error("type-mismatch", path, message));
                }
                Some(expression)
            }
            Err(errors) => {
                errors.iter().for_each(|error| self.findings.add_expression(path, error));
                None
            }
        }
    }

    pub(super) fn template(
        &mut self,
        value: &Value,
        path: &str,
        secrets: bool,
        reader: Option<(&Scope<'_>, usize)>,
    ) -> Option<Template> {
        match Template::compile(value, &self.names, secrets) {
            Ok(template) => {
                for (inside, expression) in template.expressions() {
                    self.infer(expression, &format!("{path}{inside}"), reader);
                }
                Some(template)
            }
            Err(errors) => {
                for (inside, error) in errors {
                    self.findings.add_expression(&format!("{path}{inside}"), &error);
                }
                None
            }
        }
    }

    pub(super) fn infer(
        &mut self,
        expression: &Expression,
        path: &str,
        reader: Option<(&Scope<'_>, usize)>,
    ) -> Type {
        let (of, errors) = infer(expression, &self.names);
        errors.iter().for_each(|error| self.findings.add_expression(path, error));
        if let Some((scope, index)) = reader
            && let Some(upstream) = scope.upstream
        {
            let reader_id = scope.doc.nodes[index].1.id.as_str();
            for (up, id) in expression.nodes() {
                if up == 0
                    && let Some(read) = scope.ids.get(id)
                {
                    upstream.warn((index, reader_id), (*read, id), path, self.findings);
                }
            }
        }
        of
    }
}
