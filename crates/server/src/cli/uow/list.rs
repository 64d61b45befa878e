use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format};
use crate::client::segment;

/// Lists units of work, the newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those of this instance, by id or name.
    #[arg(long)]
    instance: Option<String>,
    /// Only those that stand there, such as `pending`.
    #[arg(long)]
    status: Option<String>,
    /// Only those at this interaction of the instance.
    #[arg(long, requires = "instance")]
    place: Option<String>,
    /// Only those that this role of the instance holds, or held last.
    #[arg(long, requires = "instance")]
    role: Option<String>,
    /// Only parts of this unit.
    #[arg(long, value_name = "UOW")]
    parent: Option<String>,
    /// Only those in the hands of this actor.
    #[arg(long)]
    holder: Option<String>,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let mut path = "/api/v1/uows?".to_owned();
        for (name, value) in [
            ("instance", self.instance),
            ("status", self.status),
            ("place", self.place),
            ("role", self.role),
            ("parent", self.parent),
            ("holder", self.holder),
        ] {
            if let Some(value) = value {
                path.push_str(&format!("{name}={}&", segment(&value)));
            }
        }
        let items = read(&client, &path, self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&items.into()),
            Format::Table => {
                let row = |item: &Value| {
                    vec![
                        cell(item, "id"),
                        cell(item, "status"),
                        cell(item, "place"),
                        cell(item, "holder"),
                        time(item, "entered_at"),
                    ]
                };
                let rows: Vec<_> = items.iter().map(row).collect();
                output::table(&["ID", "STATUS", "PLACE", "HOLDER", "SINCE"], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}
