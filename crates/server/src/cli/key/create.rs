use clap::Args;
use serde_json::json;
use windlass_core::HumanDuration;

use crate::access::{Permission, Role};
use crate::cli::output::cell;
use crate::cli::{Connect, Exit, Format, exit, output};
use crate::client::Question;

/// Makes a key and prints it, this once. From the first key on, every caller needs one.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What its holder may do.
    #[arg(long, value_enum)]
    role: Role,
    /// What people call it.
    #[arg(long)]
    name: String,
    /// What its holder may do of all that the role may, with commas between. Left out: everything.
    #[arg(long, value_enum, value_delimiter = ',')]
    scope: Option<Vec<Permission>>,
    /// The project it is for. Left out: `default`.
    #[arg(long)]
    project: Option<String>,
    /// How long it is good, such as `30d`. Left out: for ever.
    #[arg(long, value_name = "DURATION")]
    expires: Option<HumanDuration>,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
    #[command(flatten)]
    connect: Connect,
}

impl Create {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        // There may be nothing yet: an exposed server needs its key before its first start.
        let client = self.connect.client_or_new().await?;
        let request = json!({
            "name": self.name,
            "role": self.role,
            "scopes": self.scope,
            "project": self.project,
            "expires_in": self.expires,
        });
        let made = client.expect(Question::post("/api/v1/keys", &request)).await?;
        match self.output {
            Format::Json => output::json(&json!({ "id": made["id"], "key": made["key"] })),
            Format::Table => {
                output::table(&["ID", "KEY"], &[vec![cell(&made, "id"), cell(&made, "key")]]);
                exit::message("the key is shown this once and kept nowhere");
            }
        }
        Ok(Exit::Ok)
    }
}
