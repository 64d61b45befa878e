use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;
use windlass_engine::desk::{QueueLimits, Rate};

use super::Config;

/// How much of a queue is handed out to workers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSection {
    /// Tasks that may be in somebody's hands at once.
    pub concurrency: Option<u64>,
    /// Tasks that may be handed out in a time, such as `100/s`, `20/min`, `5/10s`.
    pub rate: Option<String>,
}

impl QueueSection {
    fn limits(&self) -> Result<QueueLimits, String> {
        let concurrency = match self.concurrency {
            Some(0) => return Err("`concurrency` is 1 at least".to_owned()),
            other => other.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        };
        let rate = self.rate.as_deref().map(rate).transpose()?;
        Ok(QueueLimits { concurrency, rate })
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`rate` is a number and a time, such as `100/s`, and not `{text}`");
    let (count, per) = text.split_once('/').ok_or_else(wrong)?;
    let count: u32 = count.trim().parse().map_err(|_| wrong())?;
    let per = match per.trim() {
        unit @ ("s" | "m" | "h") => format!("1{unit}"),
        "min" => "1m".to_owned(),
        other => other.to_owned(),
    };
    let per: HumanDuration = per.parse().map_err(|_| wrong())?;
    if count == 0 || per.0.is_zero() {
        return Err(wrong());
    }
    Ok(Rate { count, per: per.0 })
}

impl Config {
    pub(super) fn check_queues(&self) -> Vec<(&'static str, String)> {
        let wrong = |(name, queue): (&String, &QueueSection)| {
            let complaint = queue.limits().err()?;
            Some(("queues", format!("{name}: {complaint}")))
        };
        self.queues.iter().filter_map(wrong).collect()
    }

    /// How much of which queue may be handed out.
    pub(crate) fn queue_limits(&self) -> Vec<(String, QueueLimits)> {
        let limits = self.queues.iter();
        limits.filter_map(|(name, queue)| Some((name.clone(), queue.limits().ok()?))).collect()
    }
}
