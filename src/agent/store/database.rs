//! The `SQLite` file: one row per object, one counter.
//!
//! Write-ahead log and `synchronous=FULL`: a transaction that was answered is on the disk, one that
//! was not leaves nothing, whenever the process dies. The file is locked for as long as it is open,
//! so that two agents never share it.

use super::seal::Sealer;
use super::{Key, Stored};
use crate::yaml::Node;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The layout of the file; a file of a later one is refused.
const FORMAT: i64 = 1;

/// Marks the file as wharf's (`SQLite`'s `application_id`): "wrhf".
const APPLICATION: i64 = 0x7772_6866;

/// Resources whose objects are encrypted.
const SEALED: &[&str] = &["secrets"];

const SCHEMA: &str = "
    CREATE TABLE counter (revision INTEGER NOT NULL);
    INSERT INTO counter VALUES (1);
    CREATE TABLE object (
        resource  TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name      TEXT NOT NULL,
        revision  INTEGER NOT NULL,
        sealed    INTEGER NOT NULL,
        body      BLOB NOT NULL,
        PRIMARY KEY (resource, namespace, name)
    ) WITHOUT ROWID;
";

/// One row to write.
pub(super) enum Write<'a> {
    /// Adds or replaces.
    Put(&'a Stored),
    /// Removes.
    Remove(&'a Key),
}

/// The open file.
pub(super) struct Database {
    connection: Connection,
    sealer: Sealer,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("it was written by a later wharf (format {0}); this one knows format {FORMAT}")]
    Later(i64),
    #[error("it is a database of another program")]
    Foreign,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("{0} cannot be decrypted: the key file is not the one it was written with")]
    Sealed(Key),
    #[error("{key} cannot be read")]
    Object { key: Key, source: serde_json::Error },
}

impl Database {
    pub(super) fn open(path: &Path, sealer: Sealer) -> Result<Database, AnyError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Database::prepare(Connection::open(path)?, sealer)
    }

    pub(super) fn in_memory() -> Result<Database, AnyError> {
        Database::prepare(Connection::open_in_memory()?, Sealer::random())
    }

    fn prepare(mut connection: Connection, sealer: Sealer) -> Result<Database, AnyError> {
        connection.busy_timeout(Duration::from_millis(100))?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // the mode comes back as a row; a database in memory keeps its own
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -256)?;
        connection.set_prepared_statement_cache_capacity(8);
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let pragma = |name: &str| transaction.pragma_query_value(None, name, |row| row.get(0));
        let (format, application): (i64, i64) =
            (pragma("user_version")?, pragma("application_id")?);
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
        } else if application != APPLICATION {
            return Err(Fault::Foreign.into());
        } else if format > FORMAT {
            return Err(Fault::Later(format).into());
        }
        transaction.commit()?;
        Ok(Database { connection, sealer })
    }

    /// Reads everything, and the newest revision.
    pub(super) fn load(&self) -> Result<(BTreeMap<Key, Arc<Stored>>, u64), AnyError> {
        let check: String =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if check != "ok" {
            return Err(Fault::Damaged(check).into());
        }
        let revision: Option<i64> = self
            .connection
            .query_row("SELECT revision FROM counter", [], |row| row.get(0))
            .optional()?;
        let revision = revision.and_then(|revision| u64::try_from(revision).ok());
        let Some(revision) = revision else {
            return Err(Fault::Damaged("the counter is missing".into()).into());
        };
        let mut statement = self
            .connection
            .prepare("SELECT resource, namespace, name, revision, sealed, body FROM object")?;
        let mut rows = statement.query([])?;
        let mut objects = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let text = |at: usize| row.get_ref(at).map(|value| value.as_str().map(str::to_owned));
            let key = Key::new(text(0)??.as_str(), &text(1)??, &text(2)??);
            let revision = row.get::<_, i64>(3)?.unsigned_abs();
            let body = row.get_ref(5)?.as_blob()?;
            let opened;
            let json = if row.get::<_, bool>(4)? {
                opened = self
                    .sealer
                    .open_body(&context(&key, revision), body)
                    .ok_or_else(|| Fault::Sealed(key.clone()))?;
                opened.as_slice()
            } else {
                body
            };
            let object: Node = serde_json::from_slice(json)
                .map_err(|source| Fault::Object { key: key.clone(), source })?;
            objects.insert(key.clone(), Arc::new(Stored { key, object, revision }));
        }
        Ok((objects, revision))
    }

    /// Writes rows and the counter in one transaction.
    pub(super) fn write<'a>(
        &mut self,
        writes: impl Iterator<Item = Write<'a>>,
        revision: u64,
    ) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO object VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET revision = ?4, sealed = ?5, body = ?6",
            )?;
            let mut remove = transaction.prepare_cached(
                "DELETE FROM object WHERE resource = ?1 AND namespace = ?2 AND name = ?3",
            )?;
            for write in writes {
                match write {
                    Write::Put(stored) => {
                        let key = &stored.key;
                        let mut body =
                            serde_json::to_vec(&stored.object).expect("a node has text keys only");
                        let sealed = SEALED.contains(&key.resource.as_str());
                        if sealed {
                            body = self.sealer.seal_body(&context(key, stored.revision), body);
                        }
                        put.execute(params![
                            key.resource.as_str(),
                            key.namespace.as_str(),
                            key.name.as_str(),
                            integer(stored.revision),
                            sealed,
                            body,
                        ])?;
                    }
                    Write::Remove(key) => {
                        remove.execute(params![
                            key.resource.as_str(),
                            key.namespace.as_str(),
                            key.name.as_str(),
                        ])?;
                    }
                }
            }
            transaction
                .prepare_cached("UPDATE counter SET revision = ?1")?
                .execute([integer(revision)])?;
        }
        transaction.commit()
    }
}

/// What a ciphertext is bound to: it opens in no other row and in no other version of its row.
fn context(key: &Key, revision: u64) -> String {
    format!("{}/{}/{}@{revision}", key.resource, key.namespace, key.name)
}

fn integer(revision: u64) -> i64 {
    i64::try_from(revision).expect("a counter that starts at 1 does not reach 2^63")
}
