//! From tokens to a tree. Loosest first: `a if c else b`, `or`, `and`, `not`, comparison, `+ -`,
//! `* / %`, unary `-`, and last what follows a value: `.field`, `[index]`, `| filter`.

use serde_json::Value;

use super::ExprError;
use super::ast::{Ast, Operator, What};
use super::functions;
use super::token::{Braces, Kind, Token, split};
use crate::finding::nearest;
use crate::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_OPERATOR_COUNT_MAX};

/// Parses a whole text as one expression, as in `when` and `condition`.
pub(super) fn condition(text: &str) -> Result<Ast, ExprError> {
    let chars: Vec<char> = text.chars().collect();
    let (tokens, _) = split(&chars, 0, Braces::Parentheses)?;
    whole(tokens, text.len(), Dialect::Full)
}

/// Parses a whole text as a guard: `True`, `False` and `None` are read as Python means them, and
/// `(1, 2)` is a list.
pub(super) fn guard(text: &str) -> Result<Ast, ExprError> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, _) = split(&chars, 0, Braces::Parentheses)?;
    for token in &mut tokens {
        let Kind::Word(word) = &mut token.kind else { continue };
        match word.as_str() {
            "True" => "true".clone_into(word),
            "False" => "false".clone_into(word),
            "None" => "null".clone_into(word),
            _ => {}
        }
    }
    whole(tokens, text.len(), Dialect::Guard)
}

/// How much of the language there is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Full,
    /// Several values in parentheses are a list, and there are no filters.
    Guard,
}

/// Parses the expression behind a `{{` at character `start`; also says where it ends.
pub(super) fn embedded(chars: &[char], start: usize) -> Result<(Ast, usize), ExprError> {
    let (tokens, end) = split(chars, start, Braces::End)?;
    let length = chars[start..end].iter().map(|c| c.len_utf8()).sum();
    Ok((whole(tokens, length, Dialect::Full)?, end))
}

fn whole(tokens: Vec<Token>, length: usize, dialect: Dialect) -> Result<Ast, ExprError> {
    let start = tokens[0].offset;
    if length > EXPRESSION_BYTES_MAX {
        let message = format!("an expression may have at most {EXPRESSION_BYTES_MAX} bytes");
        return Err(ExprError::new("too-large", start, message));
    }
    let mut parser = Parser { tokens, at: 0, depth: 0, operators: 0, dialect };
    if parser.peek() == &Kind::End {
        return Err(ExprError::new("syntax", start, "an expression is expected here"));
    }
    let ast = parser.expression()?;
    match parser.peek() {
        Kind::End => Ok(ast),
        other => Err(parser.unexpected(&format!("{} was not expected here", show(other)))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    /// Chains such as `a + b + c` and `a.b.c` nest to the left without nesting in the text.
    operators: u32,
    dialect: Dialect,
}

impl Parser {
    fn expression(&mut self) -> Result<Ast, ExprError> {
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            let message = format!("the expression nests deeper than {EXPRESSION_DEPTH_MAX}");
            return Err(ExprError::new("too-deep", self.offset(), message));
        }
        let value = self.or()?;
        let ast = if self.take_word("if") {
            let condition = Box::new(self.or()?);
            self.expect_word("else")?;
            let otherwise = Box::new(self.expression()?);
            let offset = value.offset;
            Ast { what: What::If { condition, then: Box::new(value), otherwise }, offset }
        } else {
            value
        };
        self.depth -= 1;
        Ok(ast)
    }

    fn or(&mut self) -> Result<Ast, ExprError> {
        let mut left = self.and()?;
        while self.take_word("or") {
            self.count_operator()?;
            let right = Box::new(self.and()?);
            left = Ast { offset: left.offset, what: What::Or(Box::new(left), right) };
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Ast, ExprError> {
        let mut left = self.not()?;
        while self.take_word("and") {
            self.count_operator()?;
            let right = Box::new(self.not()?);
            left = Ast { offset: left.offset, what: What::And(Box::new(left), right) };
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Ast, ExprError> {
        let offset = self.offset();
        let mut negations = 0_usize;
        while self.take_word("not") {
            negations += 1;
        }
        let mut ast = self.comparison()?;
        // Two negations are not nothing: both still demand a bool.
        for _ in 0..negations.min(2 + negations % 2) {
            ast = Ast { what: What::Not(Box::new(ast)), offset };
        }
        Ok(ast)
    }

    fn comparison(&mut self) -> Result<Ast, ExprError> {
        let left = self.sum()?;
        let Some(operator) = self.comparison_operator()? else { return Ok(left) };
        let right = self.sum()?;
        if self.comparison_operator()?.is_some() {
            let message = "comparisons cannot be chained";
            let error = ExprError::new("syntax", self.tokens[self.at - 1].offset, message);
            return Err(error.hint(Some("join them with `and`".to_owned())));
        }
        let offset = left.offset;
        Ok(Ast { what: What::Binary(operator, Box::new(left), Box::new(right)), offset })
    }

    fn comparison_operator(&mut self) -> Result<Option<Operator>, ExprError> {
        let operator = match self.peek() {
            Kind::Sign("==") => Operator::Equal,
            Kind::Sign("!=") => Operator::NotEqual,
            Kind::Sign("<") => Operator::Less,
            Kind::Sign("<=") => Operator::LessOrEqual,
            Kind::Sign(">") => Operator::Greater,
            Kind::Sign(">=") => Operator::GreaterOrEqual,
            Kind::Word(word) if word == "in" => Operator::In,
            Kind::Word(word) if word == "not" => {
                self.at += 1;
                self.expect_word("in")?;
                return Ok(Some(Operator::NotIn));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(operator))
    }

    fn sum(&mut self) -> Result<Ast, ExprError> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Kind::Sign("+") => Operator::Add,
                Kind::Sign("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            self.count_operator()?;
            let right = Box::new(self.product()?);
            let offset = left.offset;
            left = Ast { what: What::Binary(operator, Box::new(left), right), offset };
        }
    }

    fn product(&mut self) -> Result<Ast, ExprError> {
        let mut left = self.negative()?;
        loop {
            let operator = match self.peek() {
                Kind::Sign("*") => Operator::Multiply,
                Kind::Sign("/") => Operator::Divide,
                Kind::Sign("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            self.at += 1;
            self.count_operator()?;
            let right = Box::new(self.negative()?);
            let offset = left.offset;
            left = Ast { what: What::Binary(operator, Box::new(left), right), offset };
        }
    }

    fn negative(&mut self) -> Result<Ast, ExprError> {
        let offset = self.offset();
        if !self.take_sign("-") {
            return self.postfix();
        }
        self.depth += 1;
        if self.depth > EXPRESSION_DEPTH_MAX {
            return Err(ExprError::new("too-deep", offset, "too many signs"));
        }
        let value = Box::new(self.negative()?);
        self.depth -= 1;
        Ok(Ast { what: What::Negative(value), offset })
    }

    fn postfix(&mut self) -> Result<Ast, ExprError> {
        let mut value = self.primary()?;
        loop {
            let offset = self.offset();
            self.count_operator()?;
            if self.take_sign(".") {
                let name = self.word("a field name")?;
                value = Ast { what: What::Field(Box::new(value), name), offset: offset + 1 };
            } else if self.take_sign("[") {
                let index = Box::new(self.expression()?);
                self.expect_sign("]")?;
                value = Ast { what: What::Index(Box::new(value), index), offset };
            } else if self.dialect == Dialect::Full && self.take_sign("|") {
                let offset = self.offset();
                let name = self.word("a filter's name")?;
                let mut arguments = vec![value];
                if self.take_sign("(") {
                    self.list(")", &mut arguments)?;
                }
                value = call(name, arguments, offset)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Result<Ast, ExprError> {
        let Token { kind, offset } = self.tokens[self.at].clone();
        self.at += 1;
        let what = match kind {
            Kind::Number(number) => What::Literal(Value::Number(number)),
            Kind::Text(text) => What::Literal(Value::String(text)),
            Kind::Word(word) => match word.as_str() {
                "true" => What::Literal(Value::Bool(true)),
                "false" => What::Literal(Value::Bool(false)),
                "null" => What::Literal(Value::Null),
                "and" | "or" | "not" | "in" | "if" | "else" => {
                    self.at -= 1;
                    return Err(self.unexpected(&format!("`{word}` needs a value before it")));
                }
                _ if self.take_sign("(") => {
                    let mut arguments = Vec::new();
                    self.list(")", &mut arguments)?;
                    return call(word, arguments, offset);
                }
                _ => What::Name(word),
            },
            Kind::Sign("(") if self.dialect == Dialect::Guard && self.take_sign(")") => {
                What::List(Vec::new())
            }
            Kind::Sign("(") => {
                let inner = self.expression()?;
                if self.dialect == Dialect::Guard && self.take_sign(",") {
                    let mut items = vec![inner];
                    self.list(")", &mut items)?;
                    return Ok(Ast { what: What::List(items), offset });
                }
                self.expect_sign(")")?;
                return Ok(Ast { offset, ..inner });
            }
            Kind::Sign("[") => {
                let mut items = Vec::new();
                self.list("]", &mut items)?;
                What::List(items)
            }
            Kind::Sign("{") => What::Object(self.fields()?),
            other => {
                self.at -= 1;
                return Err(self.unexpected(&format!("a value is expected, not {}", show(&other))));
            }
        };
        Ok(Ast { what, offset })
    }

    fn list(&mut self, end: &'static str, into: &mut Vec<Ast>) -> Result<(), ExprError> {
        if self.take_sign(end) {
            return Ok(());
        }
        loop {
            into.push(self.expression()?);
            if self.take_sign(end) {
                return Ok(());
            }
            self.expect_sign(",")?;
            if self.take_sign(end) {
                return Ok(());
            }
        }
    }

    fn fields(&mut self) -> Result<Vec<(String, Ast)>, ExprError> {
        let mut fields = Vec::new();
        loop {
            if self.take_sign("}") {
                return Ok(fields);
            }
            let key = match self.tokens[self.at].kind.clone() {
                Kind::Text(key) | Kind::Word(key) => key,
                other => {
                    let message = format!("a field's name is expected, not {}", show(&other));
                    return Err(self.unexpected(&message));
                }
            };
            self.at += 1;
            self.expect_sign(":")?;
            fields.push((key, self.expression()?));
            if !self.take_sign(",") {
                self.expect_sign("}")?;
                return Ok(fields);
            }
        }
    }

    fn count_operator(&mut self) -> Result<(), ExprError> {
        self.operators += 1;
        if self.operators > EXPRESSION_OPERATOR_COUNT_MAX {
            let message = format!("more than {EXPRESSION_OPERATOR_COUNT_MAX} operators");
            return Err(ExprError::new("too-large", self.offset(), message));
        }
        Ok(())
    }

    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn offset(&self) -> usize {
        self.tokens[self.at].offset
    }

    fn take_sign(&mut self, sign: &'static str) -> bool {
        let found = self.peek() == &Kind::Sign(sign);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Kind::Word(found) if found == word);
        self.at += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &'static str) -> Result<(), ExprError> {
        if self.take_sign(sign) {
            return Ok(());
        }
        let message = format!("`{sign}` is expected, not {}", show(self.peek()));
        Err(self.unexpected(&message))
    }

    fn expect_word(&mut self, word: &str) -> Result<(), ExprError> {
        if self.take_word(word) {
            return Ok(());
        }
        let message = format!("`{word}` is expected, not {}", show(self.peek()));
        Err(self.unexpected(&message))
    }

    fn word(&mut self, what: &str) -> Result<String, ExprError> {
        match self.tokens[self.at].kind.clone() {
            Kind::Word(word) => {
                self.at += 1;
                Ok(word)
            }
            other => Err(self.unexpected(&format!("{what} is expected, not {}", show(&other)))),
        }
    }

    fn unexpected(&self, message: &str) -> ExprError {
        ExprError::new("syntax", self.offset(), message)
    }
}

fn call(name: String, arguments: Vec<Ast>, offset: usize) -> Result<Ast, ExprError> {
    let Some((least, most)) = functions::arity(&name) else {
        let message = format!("there is no function `{name}`");
        let hint = nearest(&name, functions::names()).or_else(|| {
            Some(format!("known: {}", functions::names().collect::<Vec<_>>().join(", ")))
        });
        return Err(ExprError::new("unknown-function", offset, message).hint(hint));
    };
    if arguments.len() < least || arguments.len() > most {
        let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let noun = if wanted == "1" { "value" } else { "values" };
        let message = format!("`{name}` takes {wanted} {noun}, not {}", arguments.len());
        return Err(ExprError::new("bad-arguments", offset, message));
    }
    Ok(Ast { what: What::Call(name, arguments), offset })
}

fn show(kind: &Kind) -> String {
    match kind {
        Kind::Number(number) => format!("`{number}`"),
        Kind::Text(_) => "a text".to_owned(),
        Kind::Word(word) => format!("`{word}`"),
        Kind::Sign(sign) => format!("`{sign}`"),
        Kind::End => "the end".to_owned(),
    }
}
