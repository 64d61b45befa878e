//! What a node can be. A kind is described here to everybody who has to know it (`check`, the
//! engine, the reference page); one file each.
//!
//! The kinds in this crate are decided by the core itself: they compute, branch, wait or open a
//! block, and touch nothing outside. Kinds that do touch the world are described in
//! `windlass-nodes`, which adds them to the same [`Kinds`].
//!
//! To add a pure kind: one file with its config struct and `impl PureNode`, one line in
//! [`Kinds::pure`].

mod actor;
mod approval;
mod conditional;
mod delay;
mod end;
mod fail;
mod r#loop;
mod map;
mod start;
mod switch;
mod transform;
mod r#try;
mod wait_event;
mod wait_signal;
mod worker;
mod workflow;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use approval::{Approval, OnDeadline, OnReject, Quorum};
use map::BlockBody;
pub(crate) use map::OnItemFailure;
pub use wait_event::WaitEvent;
pub use wait_signal::{OnTimeout, WaitSignal};
pub use workflow::SubRun;

use crate::expr::Type;
use crate::failure::Failure;
use crate::schema::Schema;

/// One kind of node, as everybody but its author sees it.
#[derive(Debug)]
pub struct Kind {
    /// The word users write in a definition. Never changes once released.
    pub name: &'static str,
    /// One sentence for the palette and the reference page.
    pub summary: &'static str,
    /// The config's fields.
    pub schema: Schema,
    /// A whole small workflow that uses the kind, in YAML.
    pub example: &'static str,
    /// Who does the work.
    pub work: Work,
    /// Fields of the config that hold a bare expression, without `{{ }}`.
    pub conditions: &'static [&'static str],
    /// Fields of the config that stay as written, whatever looks like a template in them.
    pub verbatim: &'static [&'static str],
    /// What every output fits, if the kind says so.
    pub output_schema: Option<Schema>,
    output: fn(&Value) -> Type,
    check: fn(&Value) -> Result<(), Complaint>,
    branches: fn(&Value) -> Vec<Branch>,
}

/// What a kind that is described by data says of itself.
#[derive(Debug)]
pub struct Described {
    /// The word users write in a definition.
    pub name: String,
    /// One sentence for the palette and the reference page.
    pub summary: String,
    /// The config's fields. Its `description` is the text of the reference page.
    pub config: Schema,
    /// What every output fits.
    pub output: Option<Schema>,
    /// A whole small workflow that uses the kind, in YAML.
    pub example: String,
}

/// Who does a node's work.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// The core, on the spot.
    Pure(fn(Pure) -> Result<Done, Failure>),
    /// A timer: the step waits, then hands on what came before it.
    Timer(fn(&Value) -> Result<Duration, Failure>),
    /// Somebody outside: the step waits for their word.
    Word(fn(&Value) -> Result<Wait, Failure>),
    /// The core, by running a graph of its own once for each item.
    Map,
    /// The core, by running a graph of its own again and again.
    Loop,
    /// The core, by running a graph of its own, then others that depend on how it went.
    Try,
    /// Another run.
    SubRun,
    /// An executor, outside of the core.
    Outside,
    /// A worker that takes it from the queue that the config says.
    Task(fn(&Value) -> Result<Offered, Failure>),
    /// A worker that does this kind.
    Worker,
}

/// How a step is offered to workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The queue.
    pub queue: String,
    /// What people call it.
    pub title: Option<String>,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
    /// Steps of different keys take turns.
    pub fairness_key: String,
}

/// A wait for somebody's word.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// What for.
    pub awaits: Awaits,
    /// How long until something has to be done without it.
    pub time: Option<Duration>,
}

impl Wait {
    /// The wait for an approval with this config.
    ///
    /// # Errors
    ///
    /// `bad_config` if it is none.
    pub(crate) fn for_approval(config: &Value) -> Result<Wait, Failure> {
        approval::wait(config)
    }
}

/// Whose word a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaits {
    /// The decisions of people.
    Approval,
    /// A signal of this name to the run.
    Signal(String),
    /// An event of this name from outside.
    Event(String),
}

impl Awaits {
    /// The word for [`Awaits::Event`].
    pub const EVENT: &'static str = "event";

    /// The word for it: the reason of the step that waits.
    pub fn as_str(&self) -> &'static str {
        match self {
            Awaits::Approval => "approval",
            Awaits::Signal(_) => "signal",
            Awaits::Event(_) => Awaits::EVENT,
        }
    }
}

/// What a pure node has to work with.
#[derive(Debug)]
pub struct Pure {
    /// The config, rendered.
    pub config: Value,
    /// What the graph was started with: the run's input, or the item of a block.
    pub input: Arc<Value>,
    /// The outputs of the nodes whose edges led here, by id.
    pub upstream: Vec<(String, Arc<Value>)>,
}

impl Pure {
    /// The output of the only node before this one; an object by node id if there are several.
    pub fn handed_on(&self) -> Value {
        match self.upstream.as_slice() {
            [] => Value::Null,
            [(_, only)] => (**only).clone(),
            many => Value::Object(
                many.iter().map(|(id, output)| (id.clone(), (**output).clone())).collect(),
            ),
        }
    }
}

/// What a pure node has come to.
#[derive(Debug)]
pub struct Done {
    /// Its output.
    pub output: Value,
    /// Of the nodes it may branch to, the ones it chose. `None` if it is no branch.
    pub chosen: Option<Vec<String>>,
}

impl Done {
    /// An output, and every edge is taken.
    pub fn with(output: Value) -> Done {
        Done { output, chosen: None }
    }
}

/// A node that another may branch to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Where in the config it is named, as a JSON Pointer.
    pub path: String,
    /// What leads there, for pictures: `true`, `false`, a case.
    pub label: String,
    /// Its id.
    pub target: String,
}

/// What a kind's own check has to say about a config.
#[derive(Debug)]
pub struct Complaint {
    /// JSON Pointer inside the config.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Complaint {
    /// A complaint about the field at `path`.
    pub fn at(path: &str, message: impl Into<String>) -> Complaint {
        Complaint { path: path.to_owned(), message: message.into(), hint: None }
    }

    /// The same complaint with a hint.
    pub fn hint(mut self, hint: &str) -> Complaint {
        self.hint = Some(hint.to_owned());
        self
    }
}

/// What every kind declares about itself. The type is its config: its doc comment becomes the
/// reference page, its fields' comments the JSON Schema.
pub trait NodeConfig: DeserializeOwned + JsonSchema {
    /// The word users write in a definition.
    const KIND: &'static str;
    /// One sentence for the palette and the reference page.
    const SUMMARY: &'static str;
    /// A whole small workflow that uses it, in YAML.
    const EXAMPLE: &'static str;
    /// Fields that hold a bare expression.
    const CONDITIONS: &'static [&'static str] = &[];
    /// Fields that stay as written: a program's text, in which `{{` means something else.
    const VERBATIM: &'static [&'static str] = &[];

    /// Refuses what the types cannot, before a run starts.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    fn check(&self) -> Result<(), Complaint> {
        Ok(())
    }

    /// What the output will be, from the config as written.
    fn output(_config: &Value) -> Type {
        Type::Any
    }

    /// The nodes it may branch to.
    fn branches(&self) -> Vec<Branch> {
        Vec::new()
    }
}

/// A kind that only computes.
pub trait PureNode: NodeConfig {
    /// Computes the output.
    ///
    /// # Errors
    ///
    /// The step has then failed, for good: a pure node is not retried, since it would fail again.
    fn run(self, pure: Pure) -> Result<Done, Failure>;
}

impl Kind {
    /// Describes a kind by its config's type.
    pub fn new<N: NodeConfig>(work: Work) -> Kind {
        let generator = SchemaSettings::draft2020_12().into_generator();
        let schema = generator.into_root_schema_for::<N>().to_value();
        Kind {
            name: N::KIND,
            summary: N::SUMMARY,
            schema: Schema::compile(&schema).expect("a derived schema compiles"),
            example: N::EXAMPLE,
            work,
            conditions: N::CONDITIONS,
            verbatim: N::VERBATIM,
            output_schema: None,
            output: N::output,
            check: |config| match serde_json::from_value::<N>(config.clone()) {
                Ok(config) => config.check(),
                // Which template does not fit is only known once it has a value.
                Err(_) if config.to_string().contains("{{") => Ok(()),
                Err(error) => Err(Complaint::at("", error.to_string())),
            },
            branches: |config| {
                serde_json::from_value::<N>(config.clone())
                    .map_or_else(|_| Vec::new(), |config| config.branches())
            },
        }
    }

    /// A kind that is described by data, as those of plugins are: a worker does its work.
    ///
    /// What it is called stays in memory for as long as the process lives, like the names of the
    /// kinds that are compiled in. So this is for kinds that are known from the start.
    pub fn described(by: Described) -> Kind {
        Kind {
            name: by.name.leak(),
            summary: by.summary.leak(),
            schema: by.config,
            example: by.example.leak(),
            work: Work::Worker,
            conditions: &[],
            verbatim: &[],
            output_schema: by.output,
            output: |_| Type::Any,
            check: |_| Ok(()),
            branches: |_| Vec::new(),
        }
    }

    /// What the output will be, from the config as written.
    pub fn output_type(&self, config: &Value) -> Type {
        match &self.output_schema {
            Some(schema) => Type::of_schema(schema.source()),
            None => (self.output)(config),
        }
    }

    /// The text of the reference page: the doc comment of the config.
    pub fn description(&self) -> &str {
        self.schema.source().get("description").and_then(Value::as_str).unwrap_or(self.summary)
    }

    /// Whether steps of this kind are done outside of the core.
    pub fn is_outside(&self) -> bool {
        matches!(self.work, Work::Outside | Work::Task(_) | Work::Worker)
    }

    /// How a step of this kind is offered to workers, if those do it.
    ///
    /// # Errors
    ///
    /// `bad_config` if the config does not fit.
    pub fn offered(&self, config: &Value) -> Result<Option<Offered>, Failure> {
        match self.work {
            Work::Task(offered) => offered(config).map(Some),
            Work::Worker => Ok(Some(Offered {
                queue: format!("kind:{}", self.name),
                title: None,
                priority: 0,
                fairness_key: String::new(),
            })),
            _ => Ok(None),
        }
    }

    /// Whether it has a graph of its own.
    pub fn is_block(&self) -> bool {
        matches!(self.work, Work::Map | Work::Loop | Work::Try)
    }

    /// What the kind itself has to say about a config without templates.
    ///
    /// # Errors
    ///
    /// Its complaint.
    pub fn check(&self, config: &Value) -> Result<(), Complaint> {
        (self.check)(&self.as_read(config))
    }

    /// The nodes that a node with this config may branch to.
    pub fn branches(&self, config: &Value) -> Vec<Branch> {
        (self.branches)(&self.as_read(config))
    }

    /// The config as its type reads it. An expression is written as a text, but is a bool by the
    /// time a node runs; a template stands for a value of its field's type, so that the rest of the
    /// config can be looked at before there is one.
    fn as_read(&self, config: &Value) -> Value {
        let mut config = config.clone();
        for field in self.conditions {
            if let Some(value) = config.get_mut(*field) {
                *value = Value::Bool(true);
            }
        }
        let properties = self.schema.source().get("properties");
        for (name, value) in config.as_object_mut().into_iter().flatten() {
            let is_template = value.as_str().is_some_and(|text| text.contains("{{"))
                && !self.verbatim.contains(&name.as_str());
            if let Some(property) = properties.and_then(|all| all.get(name)).filter(|_| is_template)
            {
                stand_in(property, value);
            }
        }
        config
    }
}

/// Puts a value of a property's type in the place of a template. A text stays one.
fn stand_in(property: &Value, value: &mut Value) {
    let is = |word: &str| match property.get("type") {
        Some(Value::Array(types)) => types.iter().any(|one| one == word),
        Some(one) => one == word,
        None => false,
    };
    if is("array") {
        *value = Value::Array(vec![Value::from("x")]);
    } else if is("integer") || is("number") {
        *value = Value::from(1);
    } else if is("boolean") {
        *value = Value::Bool(true);
    } else if is("object") {
        *value = empty_config();
    } else if property.get("x-expected").is_some() {
        *value = Value::from("1s");
    }
}

/// Reads a rendered config.
///
/// # Errors
///
/// `bad_config` if a template came out as something else than the field takes.
pub fn parse_config<N: DeserializeOwned>(config: Value) -> Result<N, Failure> {
    serde_json::from_value(config)
        .map_err(|error| Failure::new("bad_config", format!("the config does not fit: {error}")))
}

/// All kinds that a definition may use.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    by_name: BTreeMap<&'static str, Arc<Kind>>,
}

impl Kinds {
    /// The kinds of the core itself.
    pub fn pure() -> Kinds {
        let mut kinds = Kinds::default();
        kinds.add_pure::<start::Start>();
        kinds.add_pure::<end::End>();
        kinds.add_pure::<transform::Transform>();
        kinds.add_pure::<conditional::Conditional>();
        kinds.add_pure::<switch::Switch>();
        kinds.add_pure::<fail::Fail>();
        kinds.add(Kind::new::<delay::Delay>(Work::Timer(delay::wait)));
        kinds.add(Kind::new::<Approval>(Work::Word(approval::wait)));
        kinds.add(Kind::new::<WaitSignal>(Work::Word(wait_signal::wait)));
        kinds.add(Kind::new::<WaitEvent>(Work::Word(wait_event::wait)));
        kinds.add(Kind::new::<map::Map>(Work::Map));
        kinds.add(Kind::new::<r#loop::Loop>(Work::Loop));
        kinds.add(Kind::new::<r#try::Try>(Work::Try));
        kinds.add(Kind::new::<SubRun>(Work::SubRun));
        kinds.add(Kind::new::<actor::Actor>(Work::Task(actor::offered)));
        kinds.add(Kind::new::<worker::Worker>(Work::Task(worker::offered)));
        kinds
    }

    /// Adds a kind.
    ///
    /// # Panics
    ///
    /// If there is one of that name already.
    pub fn add(&mut self, kind: impl Into<Arc<Kind>>) {
        let kind = kind.into();
        let name = kind.name;
        let earlier = self.by_name.insert(name, kind);
        assert!(earlier.is_none(), "two kinds of node are called `{name}`");
    }

    fn add_pure<N: PureNode>(&mut self) {
        self.add(Kind::new::<N>(Work::Pure(|mut pure| {
            let config = std::mem::take(&mut pure.config);
            parse_config::<N>(config)?.run(pure)
        })));
    }

    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Kind>> {
        self.by_name.get(name)
    }

    /// All kinds, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.by_name.values()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }
}

/// `{}` if a config is left out.
pub(crate) fn empty_config() -> Value {
    Value::Object(Map::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition;

    #[test]
    fn every_kind_is_described() {
        for kind in Kinds::pure().iter() {
            assert!(kind.summary.ends_with(|c: char| c.is_alphanumeric()), "{}", kind.name);
            let properties = kind.schema.source().get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                assert!(schema.get("description").is_some(), "{}.{name}", kind.name);
            }
            let checked = definition::check(kind.example, &Kinds::pure());
            assert_eq!(checked.findings, [], "{}", kind.name);
        }
    }
}
