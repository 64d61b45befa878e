use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Permission;
use crate::api::approvals::list::list;
use crate::http::paging::LIMIT;
use crate::http::problem::Problem;
use crate::mcp::tool::{Call, Tool};

/// Lists approvals that wait to be decided, those that have waited longest first, 50 at a time.
/// `get_approval` shows what one asks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListApprovals {
    /// The `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

impl Tool for ListApprovals {
    const NAME: &'static str = "list_approvals";
    const NEED: Permission = Permission::Read;

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let found = list(&call.app, &call.caller, self.cursor.as_deref(), LIMIT).await?;
        Ok(json!({ "approvals": found.items, "next_cursor": found.next_cursor }))
    }
}
