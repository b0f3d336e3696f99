//! Memory that is needed soon.
#![allow(unsafe_code)]

/// Bytes of a cache line on every processor that this is made for.
const LINE_BYTES: usize = 64;

/// Asks the processor to bring `value` near while other work goes on. A hint: nothing is read, and
/// nothing can be told from it but time. Does nothing where the standard library has no such hint
/// (all but x86-64).
#[inline]
pub fn prefetch<T: ?Sized>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    let size = size_of_val(value);
    let mut offset = 0;
    while offset < size {
        prefetch_line(start.wrapping_add(offset));
        offset += LINE_BYTES;
    }
    // A value that does not begin with a line ends one line later.
    if size > 0 {
        prefetch_line(start.wrapping_add(size - 1));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn prefetch_line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: PREFETCHT0 is a hint: it neither faults nor changes what a program can see, whatever
    // the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn prefetch_line(_address: *const u8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_can_be_asked_for() {
        let bytes = vec![7_u8; 1_000];
        for length in [0, 1, 63, 64, 65, 1_000] {
            prefetch(&bytes[..length]);
            prefetch(&bytes[1_000 - length..]);
        }
        prefetch(&());
        assert_eq!(bytes, [7; 1_000]);
    }
}
