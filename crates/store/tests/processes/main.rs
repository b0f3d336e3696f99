//! The store and other processes: kills, and a disk that `mount` makes.
//!
//! Apart from the other tests: between fork and exec a child has every open file of its parent, the
//! store's lock among them, so that another test's store would seem to be in use.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod full_disk;
mod killed;
#[path = "../store/scene.rs"]
#[allow(dead_code, reason = "shared with the other tests of the store, which use more of it")]
mod scene;

/// One test at a time has children.
fn alone() -> MutexGuard<'static, ()> {
    static CHILDREN: Mutex<()> = Mutex::new(());
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}
