//! Values in Postgres' own binary form.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::sql::Value;
use crate::text::nul_safe;

type Encoded = Result<IsNull, Box<dyn Error + Sync + Send>>;

impl ToSql for Value<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Encoded {
        match self {
            // Texts from outside are made safe where they come in; this one slipped through, and
            // Postgres would refuse it.
            Value::Text(text) => out.extend_from_slice(nul_safe(text).as_bytes()),
            Value::Int(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::Null => return Ok(IsNull::Yes),
        }
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TEXT | Type::VARCHAR | Type::INT8)
    }

    to_sql_checked!();
}

/// The values of one placeholder for many rows: an array.
#[derive(Debug, Default)]
pub(super) struct Column {
    count: i32,
    has_null: bool,
    body: Vec<u8>,
}

impl Column {
    pub(super) fn push(&mut self, value: Value<'_>) {
        self.count += 1;
        match value {
            Value::Text(text) => {
                let text = nul_safe(text);
                // A text is far below two gigabytes; the limits of the core see to it.
                let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
                self.body.extend_from_slice(&length.to_be_bytes());
                self.body.extend_from_slice(text.as_bytes());
            }
            Value::Int(value) => {
                self.body.extend_from_slice(&8_i32.to_be_bytes());
                self.body.extend_from_slice(&value.to_be_bytes());
            }
            Value::Null => {
                self.has_null = true;
                self.body.extend_from_slice(&(-1_i32).to_be_bytes());
            }
        }
    }
}

impl ToSql for Column {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        let Kind::Array(member) = ty.kind() else { return Err("not an array".into()) };
        let dimensions = 1_i32;
        let first = 1_i32;
        out.reserve(20 + self.body.len());
        out.extend_from_slice(&dimensions.to_be_bytes());
        out.extend_from_slice(&i32::from(self.has_null).to_be_bytes());
        out.extend_from_slice(&member.oid().to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&first.to_be_bytes());
        out.extend_from_slice(&self.body);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::INT8_ARRAY)
    }

    to_sql_checked!();
}
