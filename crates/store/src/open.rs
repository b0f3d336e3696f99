//! Opening the database: its folder, its lock, its settings.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{OpenError, StoreError};
use crate::schema;

/// The database in `data_dir`.
const DATABASE: &str = "odeum.sqlite";

/// Locked for as long as a server has the folder.
const LOCK: &str = "odeum.lock";

/// How long a commit waits for another process that has the database, such as a backup; then it
/// fails with [`StoreError::Busy`] and is tried again by its caller.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

/// Statements kept prepared: more than the crate has.
const STATEMENTS_KEPT: usize = 64;

/// A database whose folder is this process's.
pub(crate) struct Opened {
    /// The writing connection, at the latest schema.
    pub(crate) connection: Connection,
    /// Where the database is.
    pub(crate) path: PathBuf,
    /// The lock on the folder; given back when dropped.
    pub(crate) lock: File,
}

/// Makes the folder, readable for its owner alone, locks it, and opens the database.
pub(crate) fn open(data_dir: &Path) -> Result<Opened, OpenError> {
    let folder = |path: &Path, error| OpenError::Folder { path: path.to_owned(), error };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|error| folder(data_dir, error))?;
    let lock = lock(&data_dir.join(LOCK))?;
    let path = data_dir.join(DATABASE);
    // SQLite gives its other files the mode of this one.
    own_file(&path).map_err(|error| folder(&path, error))?;
    let database = |error: StoreError| OpenError::Database { path: path.clone(), error };
    let mut connection = connect(&path).map_err(database)?;
    let (found, known) = (schema::version(&connection).map_err(database)?, schema::latest());
    if found > known {
        return Err(OpenError::Newer { path, found, known });
    }
    schema::migrate(&mut connection).map_err(database)?;
    Ok(Opened { connection, path, lock })
}

/// The writing connection.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on the disk, and survives a loss of power too.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(connection)
}

/// A connection that only reads, beside the writer.
pub(crate) fn connect_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(connection)
}

fn own_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file =
        own_file(path).map_err(|error| OpenError::Folder { path: path.to_owned(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(OpenError::Folder { path: path.to_owned(), error })
        }
    }
}
