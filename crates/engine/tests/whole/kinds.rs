//! Kinds of node that behave as a test needs it.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::kinds::NodeConfig;
use windlass_core::run::AttemptError;
use windlass_engine::EngineConfig;
use windlass_nodes::{Node, NodeContext, Registry, retry};

/// `work` that ends only when it is told to.
#[derive(Deserialize, JsonSchema)]
struct Stuck {}

/// `work` that is done at once.
#[derive(Deserialize, JsonSchema)]
struct Quick {}

/// A node with a fault.
#[derive(Deserialize, JsonSchema)]
struct Faulty {}

macro_rules! described {
    ($($config:ident as $kind:literal),+) => {
        $(impl NodeConfig for $config {
            const KIND: &'static str = $kind;
            const SUMMARY: &'static str = "Stands for work outside";
            const EXAMPLE: &'static str = "";
        })+
    };
}

described!(Stuck as "work", Quick as "work", Faulty as "faulty");

#[async_trait]
impl Node for Stuck {
    async fn run(self, mut context: NodeContext) -> Result<Value, AttemptError> {
        context.stop.asked().await;
        Err(retry("stopped", "it was stopped"))
    }
}

#[async_trait]
impl Node for Quick {
    async fn run(self, context: NodeContext) -> Result<Value, AttemptError> {
        Ok(context.attempt.into())
    }
}

#[async_trait]
impl Node for Faulty {
    async fn run(self, _: NodeContext) -> Result<Value, AttemptError> {
        panic!("a fault in a node")
    }
}

fn with_kind<N: Node>(config: &mut EngineConfig) {
    let mut registry = Registry::builtin();
    registry.add::<N>();
    config.dispatch.registry = Arc::new(registry);
}

/// A server where `work` never ends by itself.
pub(crate) fn stuck(config: &mut EngineConfig) {
    with_kind::<Stuck>(config);
}

/// A server where `work` is done at once, with the attempt's number for an output.
pub(crate) fn quick(config: &mut EngineConfig) {
    with_kind::<Quick>(config);
}

/// A server with a kind `faulty` that panics.
pub(crate) fn faulty(config: &mut EngineConfig) {
    with_kind::<Faulty>(config);
}
