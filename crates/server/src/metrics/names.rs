use std::collections::HashSet;

use parking_lot::Mutex;

/// Names that get a label of their own. Further ones are counted as `other`, so that whoever makes up
/// names cannot fill the memory.
const NAME_COUNT_MAX: usize = 500;

/// Names that others make up, as values of a label.
#[derive(Default)]
pub(super) struct Names(Mutex<HashSet<String>>);

impl Names {
    pub(super) fn label(&self, name: &str) -> String {
        let mut known = self.0.lock();
        if !known.contains(name) {
            if known.len() >= NAME_COUNT_MAX {
                return "other".to_owned();
            }
            known.insert(name.to_owned());
        }
        name.to_owned()
    }
}
