//! `/api/v1/instances`.

pub mod add_uow;
pub mod archive;
pub mod assign;
pub mod create;
pub mod get;
pub mod kill;
pub mod list;
pub mod list_actors;
pub mod memory;
pub mod pause;
pub mod resume;
pub mod revoke;

use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;

/// Why.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReasonRequest {
    /// Why, in words for whoever looks. 1 to 10,000 characters.
    #[schema(min_length = 1, max_length = 10_000)]
    pub reason: Option<String>,
}
