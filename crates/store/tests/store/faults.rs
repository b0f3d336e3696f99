//! A database in use, locked, newer, older or damaged: a clear error, nothing half done, and work
//! goes on when the fault is gone.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use odeum_store::{CallbackNumber, OpenError, Store, StoreError};
use rusqlite::Connection;

use crate::scene::{enqueue, fresh, waiting};

/// Where the database is.
fn database(folder: &Path) -> PathBuf {
    folder.join("odeum.sqlite")
}

#[test]
fn a_folder_has_one_server_at_a_time() {
    let (folder, store) = fresh();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("give each its own data_dir"), "{error}");
    drop(store);
    Store::open(folder.path()).unwrap();
}

#[test]
fn nobody_else_may_read_it() {
    let (folder, _store) = fresh();
    let mode = fs::metadata(database(folder.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_callback_keeps_its_name_and_a_number_that_comes_again_has_another() {
    let (folder, mut store) = fresh();
    let first = store.commit(&[enqueue("r", "1")]).unwrap()[0];
    let name = store.identity().of(first).to_owned();
    drop(store);
    let backup = tempfile::tempdir().unwrap();
    fs::copy(database(folder.path()), database(backup.path())).unwrap();

    let second = |folder: &Path| {
        let mut store = Store::open(folder).unwrap();
        assert_eq!(store.identity().of(first), name, "the same after every start");
        let number = store.commit(&[enqueue("r", "2")]).unwrap()[0];
        (number, store.identity().of(number).to_owned())
    };
    let (here, name_here) = second(folder.path());
    let (restored, name_restored) = second(backup.path());
    assert_eq!(here, restored, "the backup knows nothing of what came after it");
    assert_ne!(name_here, name_restored);
    let (_other, store) = fresh();
    assert_ne!(store.identity().of(first), name);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("data")).unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }), "{error}");
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[test]
fn a_later_version_is_left_alone() {
    let (folder, mut store) = fresh();
    store.commit(&[enqueue("r", "kept")]).unwrap();
    drop(store);
    let direct = Connection::open(database(folder.path())).unwrap();
    let version = |to: i64| direct.pragma_update(None, "user_version", to).unwrap();
    let known: i64 = direct.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    version(known + 1);
    let error = Store::open(folder.path()).unwrap_err();
    match error {
        OpenError::Newer { found, known: told, .. } => {
            assert_eq!((found, told), (known + 1, known))
        }
        other => panic!("{other}"),
    }
    version(known);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(waiting(&store.reader().unwrap()), ["kept"]);
}

#[test]
fn an_older_schema_is_brought_up_to_date_with_all_that_it_holds() {
    let (folder, mut store) = fresh();
    store.commit(&[enqueue("r", "kept")]).unwrap();
    drop(store);
    let direct = Connection::open(database(folder.path())).unwrap();
    direct
        .execute_batch(
            "ALTER TABLE rooms DROP COLUMN last_ms;
             DROP INDEX user_rules_by_end;
             DROP INDEX stream_rules_by_end;
             DROP TABLE epochs;
             CREATE TABLE identity (value TEXT NOT NULL) STRICT;
             INSERT INTO identity VALUES ('0123456789abcdef');
             PRAGMA user_version = 1",
        )
        .unwrap();
    drop(direct);
    let store = Store::open(folder.path()).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(waiting(&reader), ["kept"]);
    assert_eq!(reader.open_rooms().unwrap(), []);
    assert_eq!(store.identity().of(CallbackNumber(1)), "0123456789abcdef");
}

#[test]
fn a_commit_fails_while_another_process_has_the_database_and_not_after() {
    let (folder, mut store) = fresh();
    store.commit(&[enqueue("r", "1")]).unwrap();
    let other = Connection::open(database(folder.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(&[enqueue("r", "2")]).unwrap_err();
    assert_eq!(error, StoreError::Busy);
    assert!(error.is_transient());
    let reader = store.reader().unwrap();
    assert_eq!(waiting(&reader), ["1"], "readers do not wait for it");
    other.execute_batch("COMMIT").unwrap();
    store.commit(&[enqueue("r", "3")]).unwrap();
    assert_eq!(waiting(&reader), ["1", "3"]);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let text = "somebody's notes, longer than the header of a database\n".repeat(100);
    fs::write(database(folder.path()), &text).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(&error, OpenError::Database { error: StoreError::Corrupt(_), .. }), "{error}");
    assert!(error.to_string().contains("odeum.sqlite"), "{error}");
    assert_eq!(fs::read_to_string(database(folder.path())).unwrap(), text);
}

#[test]
fn damaged_pages_are_an_error_and_never_a_panic() {
    let (folder, mut store) = fresh();
    let body = "b".repeat(1_000);
    for _ in 0..40 {
        store.commit(&[enqueue("r", &body), enqueue("s", &body)]).unwrap();
    }
    drop(store);
    let path = database(folder.path());
    let length = fs::metadata(&path).unwrap().len();
    assert!(length > 16 * 4_096, "{length}");
    let mut corrupt = 0;
    for page in 1..length / 4_096 {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(&path, database(copy.path())).unwrap();
        let mut file = OpenOptions::new().write(true).open(database(copy.path())).unwrap();
        file.seek(SeekFrom::Start(page * 4_096)).unwrap();
        file.write_all(&[0xA5; 4_096]).unwrap();
        drop(file);
        let damaged = |error: StoreError| match error {
            StoreError::Corrupt(_) | StoreError::Unknown { .. } | StoreError::Io(_) => 1,
            other => panic!("page {page}: {other}"),
        };
        corrupt += match Store::open(copy.path()) {
            Err(OpenError::Database { error, .. }) => damaged(error),
            Err(other) => panic!("page {page}: {other}"),
            Ok(mut store) => store.commit(&[enqueue("r", &body)]).err().map_or(0, damaged),
        };
    }
    assert!(corrupt > 0, "no damage was noticed");
}
