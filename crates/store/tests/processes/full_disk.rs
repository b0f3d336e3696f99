//! A disk that is full for a while.

use std::fs;
use std::process::Command;

use odeum_store::{Store, StoreError};

use crate::alone;
use crate::scene::{enqueue, waiting};

/// A small disk, gone with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(folder.path());
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        is_mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).output());
    }
}

#[test]
fn a_full_disk_refuses_whole_commits_and_takes_them_again_when_there_is_room() {
    let _alone = alone();
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let mut store = Store::open(&disk.0.path().join("data")).unwrap();
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![0; 128 * 1_024]).unwrap();
    let body = "b".repeat(4_000);
    let mut committed = 0;
    let error = loop {
        match store.commit(&[enqueue("r", &body), enqueue("r", &body)]) {
            Ok(numbers) => committed += numbers.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full | StoreError::Io(_)), "{error}");
    assert!(error.is_transient());
    let reader = store.reader().unwrap();
    assert_eq!(waiting(&reader).len(), committed, "all of a commit or nothing");
    assert!(store.commit(&[enqueue("r", &body)]).is_err(), "it is full still");
    fs::remove_file(&ballast).unwrap();
    store.commit(&[enqueue("r", "after")]).unwrap();
    let waits = waiting(&reader);
    assert_eq!((waits.len(), waits.last().unwrap().as_str()), (committed + 1, "after"));
}
