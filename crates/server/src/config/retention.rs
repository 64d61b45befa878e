use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;
use windlass_core::run::RunStatus;
use windlass_engine::{RetentionRules, Rule};

use super::{ArchiveS3Section, Config, within};

/// How long runs are kept once they are over, beside `store.retention`, and where they go then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSection {
    /// How many runs of each workflow are kept, the newest ones. Left out: all.
    pub count: Option<u64>,
    /// How long after its end a run is kept that has succeeded, instead of `store.retention`.
    pub succeeded: Option<HumanDuration>,
    /// Likewise, one that has failed.
    pub failed: Option<HumanDuration>,
    /// Likewise, one that was cancelled.
    pub cancelled: Option<HumanDuration>,
    /// Where runs are written to before they are deleted: a directory, or `s3://BUCKET/PREFIX`. Left
    /// out: they are gone.
    pub archive: Option<String>,
    /// How an archive in S3 is reached, where that differs from how large values are.
    pub s3: ArchiveS3Section,
    /// Rules of their own, by the workflow's name. Nothing else holds for it then.
    pub workflows: BTreeMap<String, RetentionRule>,
}

/// How long the runs of a workflow are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionRule {
    /// How long after its end. Left out: for ever.
    pub age: Option<HumanDuration>,
    /// How many, the newest ones. Left out: all.
    pub count: Option<u64>,
    /// How long after its end a run is kept that has succeeded, instead of `age`.
    pub succeeded: Option<HumanDuration>,
    /// Likewise, one that has failed.
    pub failed: Option<HumanDuration>,
    /// Likewise, one that was cancelled.
    pub cancelled: Option<HumanDuration>,
}

impl RetentionRule {
    fn rule(&self) -> Rule {
        let by_status = [
            (RunStatus::Succeeded, self.succeeded),
            (RunStatus::Failed, self.failed),
            (RunStatus::Cancelled, self.cancelled),
        ];
        Rule {
            age: self.age.map(|age| age.0),
            count: self.count.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            by_status: by_status
                .into_iter()
                .filter_map(|(status, age)| Some((status, age?.0)))
                .collect(),
        }
    }
}

impl Config {
    pub(super) fn check_retention(&self) -> Vec<(&'static str, String)> {
        let own = self.retention.workflows.values().filter_map(|rule| rule.count);
        let counts = own.chain(self.retention.count);
        let wrong = |count| within("retention", count, 1..=u64::from(u32::MAX));
        let mut found: Vec<_> = counts.filter_map(wrong).collect();
        found.extend(self.archive().err().into_iter().flatten());
        found
    }

    /// How long runs are kept.
    pub(crate) fn retention_rules(&self) -> RetentionRules {
        let RetentionSection { count, succeeded, failed, cancelled, .. } = self.retention;
        let age = self.store.retention;
        let default = RetentionRule { age, count, succeeded, failed, cancelled };
        let workflows = self.retention.workflows.iter();
        RetentionRules {
            default: default.rule(),
            workflows: workflows.map(|(name, rule)| (name.clone(), rule.rule())).collect(),
        }
    }
}
