use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::StepStatus;

/// How many steps of a run stand where. Steps of a block count from when their item is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts([u32; StepStatus::ALL.len()]);

impl Counts {
    /// How many steps have this status.
    pub fn of(&self, status: StepStatus) -> u32 {
        self.0[status as usize]
    }

    /// How many steps there are.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Those that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (StepStatus, u32)> {
        StepStatus::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// Adds steps that have this status.
    pub fn add(&mut self, status: StepStatus, count: u32) {
        self.0[status as usize] += count;
    }

    pub(super) fn shift(&mut self, from: StepStatus, to: StepStatus) {
        self.0[from as usize] = self.0[from as usize].saturating_sub(1);
        self.0[to as usize] += 1;
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (status, count) in self.iter() {
            map.serialize_entry(status.as_str(), &count)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counts, D::Error> {
        let by_word = std::collections::BTreeMap::<String, u32>::deserialize(deserializer)?;
        let mut counts = Counts::default();
        for (word, count) in by_word {
            if let Some(status) = StepStatus::parse(&word) {
                counts.add(status, count);
            }
        }
        Ok(counts)
    }
}
