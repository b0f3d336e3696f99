//! An allocator that counts what is allocated on behalf of the media plane, and nothing else.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, and what this thread has asked of it inside of [`charge`].
struct Counting;

thread_local! {
    /// Whether calls count.
    static IS_CHARGED: Cell<bool> = const { Cell::new(false) };
    /// Calls that took memory.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes taken and not given back.
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(allocations: u64, bytes: i64) {
    if IS_CHARGED.get() {
        ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
        LIVE_BYTES.set(LIVE_BYTES.get() + bytes);
    }
}

// SAFETY: every call goes to the system's allocator as it is; counting touches thread-local
// numbers that need neither allocation nor destruction.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps to the contract of the trait, which is that of the system's one.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as for `alloc`.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: as for `alloc`.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts what `work` allocates and frees.
pub(super) fn charge<R>(work: impl FnOnce() -> R) -> R {
    let before = IS_CHARGED.replace(true);
    let result = work();
    IS_CHARGED.set(before);
    result
}

/// How often memory was taken so far.
pub(super) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes taken so far and not given back.
pub(super) fn live_bytes() -> i64 {
    LIVE_BYTES.get()
}
