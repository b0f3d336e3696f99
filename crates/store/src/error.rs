//! Why the store cannot be opened, or did not do what it was asked.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be made or used.
    #[error("cannot use {}: {error}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Another process has the store.
    #[error("{} is used by another server: give each its own data_dir", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// The database was written by a later version.
    #[error(
        "{} has schema {found}, this version knows up to {known}: run the version that wrote it, \
         or a later one",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest schema known here.
        known: i64,
    },
    /// The database cannot be read or written.
    #[error(
        "{}: {error}{}",
        path.display(),
        advice(.error)
    )]
    Database {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        error: StoreError,
    },
}

/// Why the store did not do what it was asked; nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Another process holds the database.
    #[error("the database is locked by another process")]
    Busy,
    /// The file is no database, or damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// Reading or writing the file failed.
    #[error("the database cannot be read or written: {0}")]
    Io(String),
    /// The database holds something that this version does not write.
    #[error("the database holds an unknown {what}: {value}")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// What it is.
        value: String,
    },
}

impl StoreError {
    /// Whether it may go away by itself, or by making room on the disk.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full | Self::Busy | Self::Io(_) => true,
            Self::Corrupt(_) | Self::Unknown { .. } => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            // Every other failure of SQLite, and those of its binding: the schema is ours, so what
            // is left is the file beneath it.
            Some(_) | None => Self::Io(text),
        }
    }
}

/// What an operator can do.
fn advice(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full => "; make room on it",
        StoreError::Busy => "; end the process that has it open",
        StoreError::Corrupt(_) | StoreError::Unknown { .. } => {
            "; restore it from a backup, or move it away to begin with an empty one: rules and \
             callbacks that were not sent are in it"
        }
        StoreError::Io(_) => "",
    }
}
