use serde_json::Value;

/// An expression, parsed and bound to its names, ready to be evaluated many times.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub(super) root: Ast,
}

/// One part of an expression, and where it starts in the text (in characters).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ast {
    pub(super) what: What,
    pub(super) offset: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Literal(Value),
    /// A name as written. Binding turns every one into a [`What::Root`].
    Name(String),
    Root(Root),
    /// An attribute of a unit of work: what a bare name means in a guard.
    Attribute(String),
    Field(Box<Ast>, String),
    Index(Box<Ast>, Box<Ast>),
    List(Vec<Ast>),
    Object(Vec<(String, Ast)>),
    Not(Box<Ast>),
    Negative(Box<Ast>),
    And(Box<Ast>, Box<Ast>),
    Or(Box<Ast>, Box<Ast>),
    Binary(Operator, Box<Ast>, Box<Ast>),
    If {
        condition: Box<Ast>,
        then: Box<Ast>,
        otherwise: Box<Ast>,
    },
    Call(String, Vec<Ast>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
            Operator::NotIn => "not in",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
        }
    }
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// The run's input.
    Input,
    /// The item of the closest `map` around.
    Item,
    /// That item's number, from 0.
    Index,
    /// The definition's `vars`.
    Vars,
    /// The run itself: `id`, `workflow`, `version`, `created_at`, `labels`.
    Run,
    /// Secrets, which only the dispatcher can read.
    Secrets,
    /// Why the body of the closest `try` failed; null if it did not.
    Error,
    /// A node, `up` blocks further out than the expression.
    Node {
        /// 0 for a node of the same graph.
        up: u8,
        /// Its id.
        id: String,
    },
}

impl Expression {
    /// The nodes this expression reads, each as often as it is named.
    pub fn nodes(&self) -> Vec<(u8, &str)> {
        let mut found = Vec::new();
        self.root.walk(&mut |ast| {
            if let What::Root(Root::Node { up, id }) = &ast.what {
                found.push((*up, id.as_str()));
            }
        });
        found
    }

    /// The name of the secret, if the expression is nothing but `secrets.name`.
    pub(super) fn lone_secret(&self) -> Option<&str> {
        match &self.root.what {
            What::Field(base, name) if base.what == What::Root(Root::Secrets) => Some(name),
            _ => None,
        }
    }

    /// Where a secret is read, if one is.
    pub(super) fn first_secret(&self) -> Option<usize> {
        let mut found = None;
        self.root.walk(&mut |ast| {
            if ast.what == What::Root(Root::Secrets) {
                found.get_or_insert(ast.offset);
            }
        });
        found
    }

    /// The value, if the expression is a literal.
    pub(super) fn literal(&self) -> Option<&Value> {
        match &self.root.what {
            What::Literal(value) => Some(value),
            _ => None,
        }
    }
}

impl Ast {
    pub(super) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Ast)) {
        visit(self);
        match &self.what {
            What::Literal(_) | What::Name(_) | What::Root(_) | What::Attribute(_) => {}
            What::Field(base, _) | What::Not(base) | What::Negative(base) => base.walk(visit),
            What::Index(a, b) | What::And(a, b) | What::Or(a, b) | What::Binary(_, a, b) => {
                a.walk(visit);
                b.walk(visit);
            }
            What::List(items) | What::Call(_, items) => {
                items.iter().for_each(|item| item.walk(visit));
            }
            What::Object(fields) => fields.iter().for_each(|(_, value)| value.walk(visit)),
            What::If { condition, then, otherwise } => {
                condition.walk(visit);
                then.walk(visit);
                otherwise.walk(visit);
            }
        }
    }
}
