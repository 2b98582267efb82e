//! Tables, triggers, and the steps from one schema version to the next.

use rusqlite::{Connection, Transaction};

use crate::store::StoreError;

/// The schema this program writes.
pub(super) const VERSION: i64 = 3;

const STEPS: [&str; 3] = [include_str!("schema_1.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")];

/// Brings a database to the current schema; each step is one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(StoreError::NewerSchema { found, known: VERSION });
    }
    for (index, step) in STEPS.iter().enumerate() {
        let version = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1);
        if version > found {
            let transaction = connection.transaction()?;
            apply(&transaction, step, version)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

fn apply(transaction: &Transaction<'_>, step: &str, version: i64) -> Result<(), StoreError> {
    transaction.execute_batch(step)?;
    transaction.pragma_update(None, "user_version", version)?;
    Ok(())
}
