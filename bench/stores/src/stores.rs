//! The same few calls on each library, each set up as its manual advises for this work: what was
//! written survives the end of the process, power failures are left to a checkpoint of their own.

use std::path::Path;

use millrace_localstate::LocalDir;
use millrace_ports::{Answered, Identity, LocalStore, LocalStores, Space};

/// A key and its new value.
pub type Change = (Vec<u8>, Vec<u8>);

const CHECKPOINT: &[u8] = b"\0checkpoint";

/// What local state asks of a store.
pub trait Store {
    /// All of it or nothing.
    fn write(&self, changes: &[Change], checkpoint: u64);
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    fn checkpoint(&self) -> Option<u64> {
        self.get(CHECKPOINT).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    }
    /// Waits for what goes on behind the scenes.
    fn settle(&self) {}
}

/// Opens or makes a store.
pub fn open(name: &str, path: &Path) -> Box<dyn Store> {
    std::fs::create_dir_all(path).expect("a folder");
    match name {
        "millrace" => Box::new(Own::open(path)),
        "fjall" => Box::new(Fjall::open(path, false)),
        "fjall-bulk" => Box::new(Fjall::open(path, true)),
        "redb" => Box::new(Redb::open(path)),
        "sqlite" => Box::new(Sqlite::open(path)),
        "lmdb" => Box::new(Lmdb::open(path)),
        other => panic!("{other}: none of these"),
    }
}

/// What became of the comparison: `processors/localstate`.
struct Own(std::sync::Arc<dyn LocalStore>);

impl Own {
    fn open(path: &Path) -> Self {
        let identity = Identity { topic: "bench".into(), partition: 0, partitions: 1, format: 1 };
        Self(LocalDir::new(path).open(&identity).expect("it opens"))
    }
}

impl Store for Own {
    fn write(&self, changes: &[Change], checkpoint: u64) {
        let changes: Vec<_> = changes
            .iter()
            .map(|(key, value)| millrace_ports::Change { space: Space::Aggregates, key, value: Some(value) })
            .collect();
        let answered = Answered { oldest: 0, newest: 0 };
        self.0.write(&changes, answered, &checkpoint.to_le_bytes()).expect("it writes");
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(Space::Aggregates, key).expect("it reads").map(|value| value.to_vec())
    }

    fn checkpoint(&self) -> Option<u64> {
        let bytes = self.0.checkpoint().expect("it reads")?;
        Some(u64::from_le_bytes(bytes[..].try_into().expect("8 bytes")))
    }
}

struct Fjall {
    db: fjall::Database,
    all: fjall::Keyspace,
    /// Writes sorted files instead of a journal, as fjall advises for bulk loads.
    is_bulk: bool,
}

impl Fjall {
    fn open(path: &Path, is_bulk: bool) -> Self {
        let builder = fjall::Database::builder(path).worker_threads(1).cache_size(32 << 20);
        let db = builder.max_journaling_size(64 << 20).open().expect("fjall opens");
        let options = || fjall::KeyspaceCreateOptions::default().max_memtable_size(16 << 20);
        let all = db.keyspace("all", options).expect("a keyspace");
        Self { db, all, is_bulk }
    }
}

impl Store for Fjall {
    fn write(&self, changes: &[Change], checkpoint: u64) {
        if self.is_bulk {
            let mut ingestion = self.all.start_ingestion().expect("fjall begins");
            // it sorts before all others
            ingestion.write(CHECKPOINT, checkpoint.to_le_bytes()).expect("fjall writes");
            for (key, value) in changes {
                ingestion.write(key.as_slice(), value.as_slice()).expect("fjall writes");
            }
            return ingestion.finish().expect("fjall writes");
        }
        let mut batch = self.db.batch();
        for (key, value) in changes {
            batch.insert(&self.all, key.as_slice(), value.as_slice());
        }
        batch.insert(&self.all, CHECKPOINT, checkpoint.to_le_bytes().as_slice());
        batch.commit().expect("fjall writes");
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.all.get(key).expect("fjall reads").map(|value| value.to_vec())
    }

    fn settle(&self) {
        while self.db.outstanding_flushes() > 0 || self.db.active_compactions() > 0 {
            std::thread::yield_now();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

struct Redb(redb::Database);

const TABLE: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("all");

impl Redb {
    fn open(path: &Path) -> Self {
        let mut builder = redb::Builder::new();
        let db = builder.set_cache_size(32 << 20).create(path.join("db.redb")).expect("redb opens");
        Self(db)
    }
}

impl Store for Redb {
    fn write(&self, changes: &[Change], checkpoint: u64) {
        let mut transaction = self.0.begin_write().expect("redb begins");
        // else the next open after a kill goes through the whole file
        transaction.set_quick_repair(true);
        {
            let mut table = transaction.open_table(TABLE).expect("a table");
            for (key, value) in changes {
                table.insert(key.as_slice(), value.as_slice()).expect("redb writes");
            }
            table.insert(CHECKPOINT, checkpoint.to_le_bytes().as_slice()).expect("redb writes");
        }
        transaction.commit().expect("redb commits");
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        use redb::ReadableDatabase;
        let transaction = self.0.begin_read().expect("redb begins");
        let table = transaction.open_table(TABLE).expect("a table");
        table.get(key).expect("redb reads").map(|value| value.value().to_vec())
    }
}

struct Sqlite(rusqlite::Connection);

impl Sqlite {
    fn open(path: &Path) -> Self {
        let db = rusqlite::Connection::open(path.join("db.sqlite")).expect("SQLite opens");
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;
             CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
        )
        .expect("SQLite sets up");
        Self(db)
    }
}

impl Store for Sqlite {
    fn write(&self, changes: &[Change], checkpoint: u64) {
        let transaction = self.0.unchecked_transaction().expect("SQLite begins");
        {
            let sql = "INSERT INTO entries VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
            let mut insert = transaction.prepare_cached(sql).expect("it parses");
            for (key, value) in changes {
                insert.execute((key, value)).expect("SQLite writes");
            }
            insert.execute((CHECKPOINT, checkpoint.to_le_bytes())).expect("SQLite writes");
        }
        transaction.commit().expect("SQLite commits");
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut select =
            self.0.prepare_cached("SELECT value FROM entries WHERE key = ?1").expect("it parses");
        let mut rows = select.query([key]).expect("SQLite reads");
        rows.next().expect("SQLite reads").map(|row| row.get(0).expect("a value"))
    }
}

struct Lmdb {
    env: heed::Env,
    all: heed::Database<heed::types::Bytes, heed::types::Bytes>,
}

impl Lmdb {
    fn open(path: &Path) -> Self {
        let mut options = heed::EnvOpenOptions::new();
        options.map_size(64 << 30);
        // SAFETY: nobody else changes the file. A file that was cut off ends the process here,
        // which is why it was not chosen.
        let env = unsafe {
            options.flags(heed::EnvFlags::NO_SYNC);
            options.open(path).expect("LMDB opens")
        };
        let mut transaction = env.write_txn().expect("LMDB begins");
        let all = env.create_database(&mut transaction, None).expect("a database");
        transaction.commit().expect("LMDB commits");
        Self { env, all }
    }
}

impl Store for Lmdb {
    fn write(&self, changes: &[Change], checkpoint: u64) {
        let mut transaction = self.env.write_txn().expect("LMDB begins");
        for (key, value) in changes {
            self.all.put(&mut transaction, key, value).expect("LMDB writes");
        }
        self.all.put(&mut transaction, CHECKPOINT, &checkpoint.to_le_bytes()).expect("LMDB writes");
        transaction.commit().expect("LMDB commits");
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let transaction = self.env.read_txn().expect("LMDB begins");
        self.all.get(&transaction, key).expect("LMDB reads").map(<[u8]>::to_vec)
    }
}
