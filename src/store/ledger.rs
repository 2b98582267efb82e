//! The database file: opening it safely, appending to it, reading runs back.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use thiserror::Error;

use crate::domain::{Currency, DealId, LedgerId, MarketTime, Money, OrderId, RunId, Sequence};
use crate::engine::TapeRef;
use crate::store::codec::{self, HashedFields};
use crate::store::head::Head;
use crate::store::{Entry, RunRow, RunStatus, StoredEntry, projections, schema, verify};

/// The oldest SQLite that is trusted with the ledger: 3.51.3 fixed a rare loss in WAL mode.
const OLDEST_SQLITE: i32 = 3_051_003;

/// What went wrong with the ledger.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The library linked in is too old.
    #[error("SQLite {found} is linked in; the ledger needs 3.51.3 or newer")]
    OldSqlite {
        /// Its version.
        found: String,
    },
    /// SQLite refused.
    #[error("the ledger database: {0}")]
    Sqlite(rusqlite::Error),
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was asked for cannot be written out.
    #[error("the output cannot be written: {0}")]
    Output(std::io::Error),
    /// A pragma did not take.
    #[error("the database does not accept {pragma}: it says {found}")]
    Pragma {
        /// Which.
        pragma: &'static str,
        /// What it answered.
        found: String,
    },
    /// Written by a newer program.
    #[error("the database has schema {found}; this program knows up to {known}. Use the newer program; nothing was changed")]
    NewerSchema {
        /// Schema of the file.
        found: i64,
        /// Schema of the program.
        known: i64,
    },
    /// Written by a newer program.
    #[error(
        "journal entry {seq} has version {version}, which this program does not know. Use the newer program; nothing was changed"
    )]
    NewerEntry {
        /// Which entry.
        seq: i64,
        /// Its version.
        version: i64,
    },
    /// There is an anchor, but nothing it could belong to.
    #[error("the ledger {path} is {how}, though ledger.head beside it says that it ended with entry {entries}")]
    Lost {
        /// Where it should be.
        path: PathBuf,
        /// Missing or empty.
        how: &'static str,
        /// The number of its last entry.
        entries: i64,
    },
    /// The anchor cannot be understood.
    #[error("{path}, which holds the end of the journal's chain, cannot be read as that: it is damaged or was edited")]
    Head {
        /// Its file.
        path: PathBuf,
    },
    /// SQLite's own check failed.
    #[error("the database file is damaged: {what}")]
    Damaged {
        /// What the check said.
        what: String,
    },
    /// The hash chain does not hold.
    #[error("the journal was changed or cut at entry {seq}: {what}")]
    Chain {
        /// Where.
        seq: i64,
        /// How.
        what: &'static str,
    },
    /// An entry cannot be read.
    #[error("journal entry {seq} cannot be read: {source}")]
    Decode {
        /// Which.
        seq: i64,
        /// Why.
        source: serde_json::Error,
    },
    /// An entry cannot be written.
    #[error("an entry cannot be put into words: {0}")]
    Encode(serde_json::Error),
    /// A segment of market events does not hold what the journal counts on.
    #[error("the market events of a live run: {what}")]
    Segment {
        /// What is wrong.
        what: String,
    },
    /// There is no such run.
    #[error("there is no {0} in this ledger")]
    NoRun(RunId),
}

impl From<rusqlite::Error> for StoreError {
    /// A file that SQLite cannot make sense of is damage, not a disk that is full or a lock that is held.
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { what: "its pages do not fit together; it was cut or overwritten".to_owned() }
            }
            Some(ErrorCode::NotADatabase) => Self::Damaged { what: "it is not an SQLite database".to_owned() },
            Some(_) | None => Self::Sqlite(error),
        }
    }
}

/// The ledger database, opened by its one writer.
#[derive(Debug)]
pub struct LedgerFile {
    pub(super) connection: Connection,
    ledger: LedgerId,
    last_seq: i64,
    last_hash: [u8; 32],
    head: Head,
}

impl LedgerFile {
    /// Opens or creates the ledger and checks it: SQLite's version, the file, the schema, the chain's end against its anchor.
    ///
    /// `fresh_id` names a ledger that has to be created.
    pub fn open(path: &Path, fresh_id: LedgerId) -> Result<Self, StoreError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(StoreError::OldSqlite { found: rusqlite::version().to_owned() });
        }
        // Before anything is created or written: a database put in the place of a lost one must not look like it.
        let head = Head::open(path);
        check_presence(path, &head)?;
        let mut connection = Connection::open(path)?;
        configure(&connection)?;
        quick_check(&connection)?;
        schema::migrate(&mut connection)?;
        let ledger = ledger_id(&connection, fresh_id)?;
        let (last_seq, last_hash) = last_entry(&connection)?;
        let file = Self { connection, ledger, last_seq, last_hash, head };
        file.check_head()?;
        verify::walk(&file.connection, verify::Payloads::Hashed)?;
        Ok(file)
    }

    /// Opens an existing ledger for reading only, beside its writer.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let file = Self::open_to_verify(path)?;
        file.check_head()?;
        Ok(file)
    }

    /// Opens an existing ledger for [`verify`](crate::store::verify), which itself holds the chain's end against its anchor.
    pub fn open_to_verify(path: &Path) -> Result<Self, StoreError> {
        let head = Head::open(path);
        check_presence(path, &head)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found > schema::VERSION {
            return Err(StoreError::NewerSchema { found, known: schema::VERSION });
        }
        let ledger = ledger_id(&connection, LedgerId(0))?;
        let (last_seq, last_hash) = last_entry(&connection)?;
        Ok(Self { connection, ledger, last_seq, last_hash, head })
    }

    /// The ledger's number.
    pub const fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The number of the last entry.
    pub const fn last_seq(&self) -> Sequence {
        Sequence(self.last_seq.unsigned_abs())
    }

    /// Appends entries of a run with their projections, all or nothing, and returns once they are on the disk.
    pub fn append(&mut self, run: RunId, entries: &[Entry]) -> Result<Sequence, StoreError> {
        let transaction = self.connection.transaction()?;
        let (mut seq, mut before) = (self.last_seq, self.last_hash);
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO journal (seq, run, market_index, market_at, kind, version, payload, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for entry in entries {
                seq += 1;
                let encoded = codec::encode(&entry.body)?;
                let fields = HashedFields {
                    seq,
                    run: signed(run.0),
                    market_index: signed(entry.market_index),
                    market_at: entry.market_at.0,
                    kind: encoded.kind,
                    version: codec::VERSION,
                    payload: &encoded.payload,
                };
                before = codec::hash(&before, &fields);
                let HashedFields { run, market_index, market_at, kind, version, payload, .. } = fields;
                insert.execute(params![seq, run, market_index, market_at, kind, version, payload, before])?;
            }
        }
        for entry in entries {
            projections::project(&transaction, self.ledger, run, entry)?;
        }
        transaction.commit()?;
        (self.last_seq, self.last_hash) = (seq, before);
        Ok(self.last_seq())
    }

    /// Writes the chain's end beside the database, so that a cut or rolled-back database shows.
    pub fn anchor(&mut self) -> Result<(), StoreError> {
        self.head.write(self.last_seq, &self.last_hash)
    }

    /// The newest run.
    pub fn latest_run(&self) -> Result<Option<RunRow>, StoreError> {
        let newest: Option<i64> = self.connection.query_row("SELECT max(run) FROM runs", [], |row| row.get(0))?;
        newest.map(|run| self.run(RunId(run.unsigned_abs()))).transpose()
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Result<RunRow, StoreError> {
        let sql = "SELECT run, ledger, tape, tape_sha256, seed, capital, version, settings, status FROM runs WHERE run = ?1";
        let row = self.connection.query_row(sql, [signed(run.0)], read_run).optional()?;
        row.ok_or(StoreError::NoRun(run))
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let sql = "SELECT run, ledger, tape, tape_sha256, seed, capital, version, settings, status FROM runs ORDER BY run";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], read_run)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Hands every entry of a run to `take`, in order.
    pub fn read_run(&self, run: RunId, mut take: impl FnMut(StoredEntry) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let sql = "SELECT seq, market_index, market_at, kind, version, payload FROM journal WHERE run = ?1 ORDER BY seq";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([signed(run.0)])?;
        while let Some(row) = rows.next()? {
            let (seq, market_index, market_at): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (kind, version, payload): (String, i64, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
            let body = codec::decode(seq, &kind, version, &payload)?;
            let entry = Entry { market_index: market_index.unsigned_abs(), market_at: MarketTime(market_at), body };
            take(StoredEntry { seq: Sequence(seq.unsigned_abs()), run, entry })?;
        }
        Ok(())
    }

    /// The first numbers that no order and no trade of this ledger has used.
    pub fn free_numbers(&self) -> Result<(OrderId, DealId), StoreError> {
        let largest = |sql: &str| self.connection.query_row::<Option<i64>, _, _>(sql, [], |row| row.get(0));
        // Numbers made from a broker's own are not ours to go on from.
        let ours = signed(OrderId::FOREIGN.0);
        let order = largest(&format!("SELECT max(order_id) FROM orders WHERE order_id < {ours}"))?.map_or(1, |order| order + 3);
        let deal = largest("SELECT max(deal_id) FROM fills")?.map_or(1, |deal| deal + 1);
        Ok((OrderId(order.unsigned_abs()), DealId(deal.unsigned_abs())))
    }

    /// How many rows a projection holds, for `status`.
    pub fn count_open(&self, run: RunId) -> Result<(u64, u64), StoreError> {
        let count = |sql| self.connection.query_row::<i64, _, _>(sql, [signed(run.0)], |row| row.get(0));
        let positions = count("SELECT count(*) FROM positions WHERE run = ?1 AND closed_at IS NULL")?;
        let closed = "('filled','cancelled','expired','rejected','never sent','not placed')";
        let orders = count(&format!("SELECT count(*) FROM orders WHERE run = ?1 AND state NOT IN {closed}"))?;
        Ok((positions.unsigned_abs(), orders.unsigned_abs()))
    }

    /// Holds the chain's end against its anchor.
    pub(super) fn check_head(&self) -> Result<(), StoreError> {
        let Some((seq, hash)) = self.head.read()? else { return Ok(()) };
        if seq == 0 {
            return Ok(());
        }
        let found: Option<Vec<u8>> =
            self.connection.query_row("SELECT hash FROM journal WHERE seq = ?1", [seq], |row| row.get(0)).optional()?;
        match found {
            Some(found) if found == hash => Ok(()),
            Some(_) => Err(StoreError::Chain { seq, what: "its hash differs from the one anchored beside the database" }),
            None => Err(StoreError::Chain { seq, what: "it is anchored beside the database but missing in it" }),
        }
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read_run(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRow> {
    let (run, ledger, seed, capital): (i64, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(4)?, row.get(5)?);
    let status: String = row.get(8)?;
    Ok(RunRow {
        run: RunId(run.unsigned_abs()),
        ledger: LedgerId(u32::try_from(ledger).unwrap_or(0)),
        tape: TapeRef { name: row.get(2)?, sha256: row.get(3)?, seed: u64::from_ne_bytes(seed.to_ne_bytes()) },
        capital: Money::from_nanos(capital, Currency::USD),
        version: row.get(6)?,
        settings: row.get(7)?,
        status: if status == "suspended" { RunStatus::Suspended } else { RunStatus::Running },
    })
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    let wanted: [(&'static str, &str, &str); 6] = [
        ("journal_mode", "WAL", "wal"),
        ("synchronous", "FULL", "2"),
        ("foreign_keys", "ON", "1"),
        ("recursive_triggers", "ON", "1"),
        ("trusted_schema", "OFF", "0"),
        ("fullfsync", "ON", "1"),
    ];
    for (pragma, value, expected) in wanted {
        connection.pragma_update(None, pragma, value)?;
        let found: rusqlite::types::Value = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
        let found = match found {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        if found != expected {
            return Err(StoreError::Pragma { pragma, found });
        }
    }
    Ok(())
}

/// Refuses to take a new or empty file for the ledger that an anchor tells of.
fn check_presence(path: &Path, head: &Head) -> Result<(), StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    // What was committed last may still lie in SQLite's own log.
    let has_log = std::fs::metadata(log).is_ok_and(|found| found.len() > 0);
    let how = match std::fs::metadata(path) {
        Ok(found) if found.len() > 0 || has_log => return Ok(()),
        Ok(_) => "empty",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "missing",
        Err(source) => return Err(StoreError::Io { path: path.to_owned(), source }),
    };
    match head.read()? {
        Some((entries, _)) if entries > 0 => Err(StoreError::Lost { path: path.to_owned(), how, entries }),
        Some(_) | None => Ok(()),
    }
}

fn quick_check(connection: &Connection) -> Result<(), StoreError> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer == "ok" { Ok(()) } else { Err(StoreError::Damaged { what: answer }) }
}

fn ledger_id(connection: &Connection, fresh: LedgerId) -> Result<LedgerId, StoreError> {
    let read =
        || connection.query_row::<String, _, _>("SELECT value FROM meta WHERE key = 'ledger'", [], |row| row.get(0)).optional();
    if let Some(text) = read()? {
        return text.parse().map(LedgerId).map_err(|_| StoreError::Damaged { what: "its own number is unreadable".to_owned() });
    }
    connection.execute("INSERT INTO meta (key, value) VALUES ('ledger', ?1)", [fresh.0.to_string()])?;
    Ok(fresh)
}

pub(super) fn last_entry(connection: &Connection) -> Result<(i64, [u8; 32]), StoreError> {
    let sql = "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1";
    let last: Option<(i64, [u8; 32])> = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(last.unwrap_or((0, [0; 32])))
}
