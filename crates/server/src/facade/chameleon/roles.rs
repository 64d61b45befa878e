//! Which instance a role is of: the id of a role alone says it, and actors send nothing else.

use std::collections::{HashMap, HashSet};

use parking_lot::RwLock;
use uuid::Uuid;
use windlass_store::{InstanceRow, Page, Store};

use crate::app::App;
use crate::facade::Detail;
use crate::facade::trouble::missing;
use crate::http::problem;
use crate::units;

/// Instances read at once.
const INSTANCES_A_READ: usize = 100;
/// Roles that are remembered. Past that all are looked for anew.
const ROLES_MAX: usize = 1_000_000;

/// Roles by id, as far as anybody has asked for them.
#[derive(Debug, Default)]
pub(crate) struct RoleIndex {
    known: RwLock<HashMap<Uuid, Uuid>>,
    /// One looks at a time; the others find what it has found.
    looked: tokio::sync::Mutex<HashMap<String, Looked>>,
}

/// What was read of a project.
#[derive(Debug, Default)]
struct Looked {
    instances: HashSet<Uuid>,
    /// Whether the oldest has been reached.
    is_whole: bool,
}

impl RoleIndex {
    /// The instance of a role.
    ///
    /// # Errors
    ///
    /// 404 if no instance of the project has such a role, or that the store is away.
    pub(crate) async fn instance_of(
        &self,
        app: &App,
        project: &str,
        role_id: Uuid,
    ) -> Result<Uuid, Detail> {
        if let Some(found) = self.known.read().get(&role_id) {
            return Ok(*found);
        }
        let mut all = self.looked.lock().await;
        if self.known.read().len() > ROLES_MAX {
            self.known.write().clear();
            all.clear();
        }
        let looked = all.entry(project.to_owned()).or_default();
        let (mut after, mut unread) = (None, None);
        loop {
            if let Some(found) = self.known.read().get(&role_id) {
                return Ok(*found);
            }
            let own = project.to_owned();
            let read =
                move |store: &dyn Store| store.instances(&own, None, after, INSTANCES_A_READ);
            let page: Page<InstanceRow> = app.engine.read(read).await?;
            let mut is_news = false;
            for row in &page.items {
                if looked.instances.contains(&row.instance_id) {
                    continue;
                }
                is_news = true;
                let word = row.instance_id.to_string();
                // One that cannot be read must not hide the roles of the others. It is tried again the
                // next time: the store may have been away.
                let instance = match units::instance::find(app, project, &word).await {
                    Ok(instance) => instance,
                    Err(problem) => {
                        unread = Some(problem);
                        continue;
                    }
                };
                looked.instances.insert(row.instance_id);
                let mut known = self.known.write();
                known.extend(instance.roles().map(|role| (role.id, row.instance_id)));
                drop(known);
            }
            after = page.items.last().map(|row| row.instance_id);
            looked.is_whole |= !page.has_more;
            // The newest come first, so behind a page of known ones there is nothing new.
            if !page.has_more || (looked.is_whole && !is_news) {
                let found = self.known.read().get(&role_id).copied();
                return found.ok_or_else(|| match unread {
                    // It may be one of that.
                    Some(problem) => problem.into(),
                    None => {
                        let message = format!("there is no role {role_id}");
                        missing(problem::ROLE_NOT_FOUND, message)
                    }
                });
            }
        }
    }
}
