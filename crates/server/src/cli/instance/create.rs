use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::exit::Usage;
use crate::cli::output::cell;
use crate::cli::{Connect, Exit, Format, input, output};
use crate::client::Question;

/// Makes an instance of a template.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The template, by name or id.
    template: String,
    /// What people call the instance. Left out: `Instance_` and the template's name.
    #[arg(long)]
    name: Option<String>,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    /// The template's version. Left out: the newest.
    #[arg(long = "at", value_name = "VERSION")]
    version: Option<u32>,
    /// What it says of its units: `key=value`, a JSON object, `@FILE`. Several are put together.
    #[arg(long, value_name = "PART")]
    setting: Vec<String>,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Create {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut body = Map::from_iter([("template".to_owned(), Value::from(self.template))]);
        for (name, value) in [("name", self.name), ("description", self.description)] {
            body.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        body.extend(self.version.map(|version| ("version".to_owned(), version.into())));
        if !self.setting.is_empty() {
            let settings = input::read(&self.setting)?;
            if !settings.is_object() {
                return Err(Usage("the settings of an instance are an object".to_owned()).into());
            }
            body.insert("settings".to_owned(), settings);
        }
        let client = self.connect.client().await?;
        let made = client.expect(Question::post("/api/v1/instances", &json!(body))).await?;
        match self.output {
            Format::Json => output::json(&made),
            Format::Table => {
                output::line(&format!("{} {}", cell(&made, "id"), cell(&made, "name")));
            }
        }
        Ok(Exit::Ok)
    }
}
