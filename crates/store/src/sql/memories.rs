//! What roles remember from one unit of work to the next.

use uuid::Uuid;
use windlass_core::Time;

use super::read::{Columns, all};
use super::run_list::like_pattern;
use super::waves::{Writing, rounds, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::text::nul_safe;
use crate::tokens::{GLOBAL, MemoryRow, OF_A_ROLE_MAX};

/// The mark of what is toxic is on a value, and goes with it.
static PUT: Statement = Statement::new(
    "INSERT INTO role_memory (memory_id, instance_id, role, context_type, context_id, actor_id, key,
                              value, confidence, is_toxic, toxic_reason, created_at, accessed_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     ON CONFLICT (instance_id, role, context_id, key) DO UPDATE
        SET context_type = excluded.context_type, actor_id = excluded.actor_id,
            value = excluded.value, confidence = excluded.confidence,
            is_toxic = CASE WHEN role_memory.value = excluded.value
                            THEN role_memory.is_toxic ELSE excluded.is_toxic END,
            toxic_reason = CASE WHEN role_memory.value = excluded.value
                                THEN role_memory.toxic_reason ELSE excluded.toxic_reason END,
            accessed_at = excluded.accessed_at",
);

static BY_KEY: Statement = Statement::new(
    "SELECT memory_id, instance_id, role, context_type, context_id, actor_id, key, value,
            confidence, is_toxic, toxic_reason, created_at, accessed_at
       FROM role_memory
      WHERE instance_id = $1 AND role = $2 AND context_id = $3 AND key = $4",
);

static BY_ID: Statement = Statement::new(
    "SELECT memory_id, instance_id, role, context_type, context_id, actor_id, key, value,
            confidence, is_toxic, toxic_reason, created_at, accessed_at
       FROM role_memory WHERE memory_id = $1",
);

/// Of one context, so that the index has them in order.
static OF_CONTEXT: Statement = Statement::new(
    "SELECT memory_id, instance_id, role, context_type, context_id, actor_id, key, value,
            confidence, is_toxic, toxic_reason, created_at, accessed_at
       FROM role_memory
      WHERE instance_id = $1 AND role = $2 AND context_id = $3 AND LOWER(key) LIKE $4 ESCAPE '!'
      ORDER BY key LIMIT $5",
);

static TOUCH: Statement =
    Statement::new("UPDATE role_memory SET accessed_at = $1 WHERE memory_id = $2");

static MARK: Statement =
    Statement::new("UPDATE role_memory SET is_toxic = 1, toxic_reason = $1 WHERE memory_id = $2");

static DECAY: Statement = Statement::new("DELETE FROM role_memory WHERE accessed_at < $1");

static DECAY_IN: Statement =
    Statement::new("DELETE FROM role_memory WHERE accessed_at < $1 AND instance_id = $2");

/// The texts of a row that are not at hand as they are written.
struct Texts {
    row: MemoryRow,
    memory_id: IdText,
    instance_id: IdText,
    actor_id: Option<IdText>,
    value: String,
}

impl Texts {
    fn of(row: &MemoryRow) -> Texts {
        let row = row.clone().safe();
        Texts {
            memory_id: IdText::of(row.memory_id),
            instance_id: IdText::of(row.instance_id),
            actor_id: row.actor_id.map(IdText::of),
            value: row.value.to_string(),
            row,
        }
    }

    fn values(&self) -> [Value<'_>; 13] {
        let row = &self.row;
        [
            self.memory_id.value(),
            self.instance_id.value(),
            (&row.role).into(),
            (&row.context_type).into(),
            (&row.context_id).into(),
            self.actor_id.as_ref().map_or(Value::Null, IdText::value),
            (&row.key).into(),
            (&self.value).into(),
            row.confidence.into(),
            Value::Int(row.is_toxic.into()),
            row.toxic_reason.as_deref().into(),
            row.created_at.into(),
            row.accessed_at.into(),
        ]
    }
}

/// Runs of a wave may have learned the same.
pub(super) fn learn(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let texts: Vec<Texts> =
        rows_of(runs, |run| &run.learned).map(|(_, row)| Texts::of(row)).collect();
    for round in rounds(&texts, |texts| texts.row.place()) {
        connection.execute_many(&PUT, round.into_iter().map(Texts::values))?;
    }
    Ok(())
}

fn memory(row: &dyn Row) -> Result<MemoryRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(MemoryRow {
        memory_id: columns.id()?,
        instance_id: columns.id()?,
        role: columns.text()?,
        context_type: columns.text()?,
        context_id: columns.text()?,
        actor_id: columns.opt_id()?,
        key: columns.text()?,
        value: columns.json()?,
        confidence: columns.int()?,
        is_toxic: columns.int::<i64>()? != 0,
        toxic_reason: columns.opt_text()?,
        created_at: columns.time()?,
        accessed_at: columns.opt_time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_memories(
        &self,
        instance_id: Uuid,
        role: &str,
        actor: Option<Uuid>,
        key_part: Option<&str>,
    ) -> Result<Vec<MemoryRow>, StoreError> {
        let (instance, role) = (IdText::of(instance_id), nul_safe(role));
        let pattern = like_pattern(&nul_safe(key_part.unwrap_or("")));
        let actor = actor.map(IdText::of);
        let contexts = [Some(GLOBAL.into()), actor.as_ref().map(IdText::value)];
        self.0.read(|connection| {
            let mut found = Vec::new();
            for context in contexts.into_iter().flatten() {
                let values = [
                    instance.value(),
                    (&*role).into(),
                    context,
                    (&pattern).into(),
                    OF_A_ROLE_MAX.into(),
                ];
                found.extend(all(connection, &OF_CONTEXT, &values, memory)?);
            }
            // Of one key, the one for all was found first, and stays first.
            found.sort_by(|a, b| a.key.cmp(&b.key));
            found.truncate(OF_A_ROLE_MAX);
            Ok(found)
        })
    }

    pub(super) fn read_memory(&self, memory_id: Uuid) -> Result<Option<MemoryRow>, StoreError> {
        let id = IdText::of(memory_id);
        self.0.read(|connection| Ok(all(connection, &BY_ID, &[id.value()], memory)?.pop()))
    }

    pub(super) fn write_access(&self, memory_ids: &[Uuid], now: Time) -> Result<(), StoreError> {
        let ids: Vec<IdText> = memory_ids.iter().copied().map(IdText::of).collect();
        let result = self.0.write(|connection| {
            connection.execute_many(&TOUCH, ids.iter().map(|id| [now.into(), id.value()]))
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn write_memory(&self, row: &MemoryRow) -> Result<MemoryRow, StoreError> {
        let texts = Texts::of(row);
        let result = self.0.write(|connection| {
            connection.execute(&PUT, &texts.values())?;
            let MemoryRow { role, context_id, key, .. } = &texts.row;
            let values = [texts.instance_id.value(), role.into(), context_id.into(), key.into()];
            let kept = all(connection, &BY_KEY, &values, memory)?.pop();
            kept.ok_or_else(|| StoreError::Damaged("a memory is gone at once".into()).into())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn write_toxic(
        &self,
        memory_id: Uuid,
        reason: &str,
    ) -> Result<Option<MemoryRow>, StoreError> {
        let (id, reason) = (IdText::of(memory_id), nul_safe(reason));
        let result = self.0.write(|connection| {
            connection.execute(&MARK, &[(&*reason).into(), id.value()])?;
            Ok(all(connection, &BY_ID, &[id.value()], memory)?.pop())
        });
        result.map_err(StoreError::from)
    }

    pub(super) fn delete_unread(
        &self,
        instance_id: Option<Uuid>,
        before: Time,
    ) -> Result<u64, StoreError> {
        let instance = instance_id.map(IdText::of);
        let result = self.0.write(|connection| match &instance {
            None => connection.execute(&DECAY, &[before.into()]),
            Some(id) => connection.execute(&DECAY_IN, &[before.into(), id.value()]),
        });
        Ok(result.map_err(StoreError::from)? as u64)
    }
}
