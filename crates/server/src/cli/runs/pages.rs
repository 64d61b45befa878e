//! Reading lists page by page.

use clap::Args;
use serde_json::Value;

use crate::cli::Format;
use crate::client::{Client, Question};

/// How much of a list, and how to write it.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// How many at most.
    #[arg(long, default_value_t = 50, value_name = "COUNT",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    pub output: Format,
}

/// The first items of a list. `path` ends in `?` or `&`.
///
/// # Errors
///
/// If the server refuses.
pub(crate) async fn read(client: &Client, path: &str, limit: u64) -> anyhow::Result<Vec<Value>> {
    let limit = usize::try_from(limit)?;
    let mut items = Vec::new();
    let mut cursor = String::new();
    while items.len() < limit {
        let count = (limit - items.len()).min(1_000);
        let page = format!("{path}limit={count}{cursor}");
        let mut answer = client.expect(Question::get(&page)).await?;
        if let Value::Array(more) = answer["items"].take() {
            items.extend(more);
        }
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    Ok(items)
}
