//! Who takes units of work.

use uuid::Uuid;

use super::read::{Columns, all, page};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::rows::Page;
use crate::text::nul_safe;
use crate::tokens::ActorRow;

static INSERT: Statement = Statement::new(
    "INSERT INTO actor (instance_id, actor_id, identity_key, name, description, kind, capabilities,
                        created_at, seen_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
);

static UPDATE: Statement = Statement::new(
    "UPDATE actor SET name = $1, kind = $2, capabilities = $3, seen_at = $4
      WHERE instance_id = $5 AND actor_id = $6",
);

static BY_IDENTITY: Statement = Statement::new(
    "SELECT instance_id, actor_id, identity_key, name, description, kind, capabilities, created_at,
            seen_at
       FROM actor WHERE instance_id = $1 AND identity_key = $2",
);

static BY_ID: Statement = Statement::new(
    "SELECT instance_id, actor_id, identity_key, name, description, kind, capabilities, created_at,
            seen_at
       FROM actor WHERE instance_id = $1 AND actor_id = $2",
);

static LIST: Statement = Statement::new(
    "SELECT instance_id, actor_id, identity_key, name, description, kind, capabilities, created_at,
            seen_at
       FROM actor WHERE instance_id = $1 AND actor_id > $2 ORDER BY actor_id LIMIT $3",
);

fn actor(row: &dyn Row) -> Result<ActorRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(ActorRow {
        instance_id: columns.id()?,
        actor_id: columns.id()?,
        identity_key: columns.text()?,
        name: columns.text()?,
        description: columns.opt_text()?,
        kind: columns.text()?,
        capabilities: columns.json()?,
        created_at: columns.time()?,
        seen_at: columns.time()?,
    })
}

fn find(
    connection: &mut impl Connection,
    instance: &IdText,
    identity_key: &str,
    id: Option<Uuid>,
) -> Result<Option<ActorRow>, SqlError> {
    let values = [instance.value(), identity_key.into()];
    let by_key = all(connection, &BY_IDENTITY, &values, actor)?.pop();
    let (None, Some(id)) = (&by_key, id.map(IdText::of)) else { return Ok(by_key) };
    Ok(all(connection, &BY_ID, &[instance.value(), id.value()], actor)?.pop())
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn write_actor(&self, actor: &ActorRow) -> Result<ActorRow, StoreError> {
        let actor = actor.clone().safe();
        let instance = IdText::of(actor.instance_id);
        let capabilities = actor.capabilities.to_string();
        let result = self.0.write(|connection| {
            let known = find(connection, &instance, &actor.identity_key, Some(actor.actor_id))?;
            let kept =
                known.map_or_else(|| (true, actor.clone()), |it| (false, actor.known_as(it)));
            let (is_new, row) = kept;
            let id = IdText::of(row.actor_id);
            if is_new {
                let values = [
                    instance.value(),
                    id.value(),
                    (&row.identity_key).into(),
                    (&row.name).into(),
                    row.description.as_deref().into(),
                    (&row.kind).into(),
                    (&capabilities).into(),
                    row.created_at.into(),
                    row.seen_at.into(),
                ];
                connection.execute(&INSERT, &values)?;
            } else {
                let values = [
                    (&row.name).into(),
                    (&row.kind).into(),
                    (&capabilities).into(),
                    row.seen_at.into(),
                    instance.value(),
                    id.value(),
                ];
                connection.execute(&UPDATE, &values)?;
            }
            Ok(row)
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn read_actor(
        &self,
        instance_id: Uuid,
        word: &str,
    ) -> Result<Option<ActorRow>, StoreError> {
        let (instance, id) = (IdText::of(instance_id), Uuid::parse_str(word).ok());
        self.0.read(|connection| Ok(find(connection, &instance, &nul_safe(word), id)?))
    }

    pub(super) fn read_actors(
        &self,
        instance_id: Uuid,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ActorRow>, StoreError> {
        let instance = IdText::of(instance_id);
        // In front of all ids.
        let after = after.map(IdText::of);
        let after = after.as_ref().map_or(Value::Text(""), IdText::value);
        let values = [instance.value(), after, limit.saturating_add(1).into()];
        self.0.read(|connection| Ok(page(all(connection, &LIST, &values, actor)?, limit)))
    }
}
