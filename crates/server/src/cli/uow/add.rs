use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::output::cell;
use crate::cli::{Connect, Exit, Format, input, output};
use crate::client::{Question, segment};
use crate::http::key::IDEMPOTENCY_KEY;

/// Gives an instance a unit of work.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The instance, by id or name.
    instance: String,
    /// Its attributes: `key=value`, a JSON object, `@FILE`, or `-` for standard input. Several are put
    /// together.
    #[arg(short, long, value_name = "PART")]
    attribute: Vec<String>,
    /// Why it has them.
    #[arg(long)]
    reasoning: Option<String>,
    /// The higher, the sooner its turn comes, -1000 to 1000.
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Units of different keys take turns.
    #[arg(long)]
    fairness_key: Option<String>,
    /// How often it may be taken.
    #[arg(long, value_name = "COUNT")]
    max_interactions: Option<u32>,
    /// The same key gives the same unit, for 7 days.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Add {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let attributes = input::read(&self.attribute)?;
        let mut body = Map::from_iter([("attributes".to_owned(), attributes)]);
        let mut put = |name: &str, value: Option<Value>| {
            body.extend(value.map(|value| (name.to_owned(), value)));
        };
        put("reasoning", self.reasoning.map(Value::from));
        put("priority", self.priority.map(Value::from));
        put("fairness_key", self.fairness_key.map(Value::from));
        put("max_interactions", self.max_interactions.map(Value::from));
        let client = self.connect.client().await?;
        let path = format!("/api/v1/instances/{}/uows", segment(&self.instance));
        let mut question = Question::post(&path, &json!(body));
        question.headers.extend(self.idempotency_key.map(|key| (IDEMPOTENCY_KEY, key)));
        let unit = client.expect(question).await?;
        match self.output {
            Format::Json => output::json(&unit),
            Format::Table => {
                let place = cell(&unit, "place");
                output::line(&format!(
                    "{} {} at {place}",
                    cell(&unit, "id"),
                    cell(&unit, "status")
                ));
            }
        }
        Ok(Exit::Ok)
    }
}
