//! The send arena: packets are written once, side by side, and leave as slices of it.
//!
//! Packets of one destination and one size that lie next to each other leave as one GSO send: on
//! the loopback of the measuring machine that saves more than everything else together.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::config::{ARENA_BYTES, ARENA_RESERVE_BYTES, SEGMENTS_MAX, TRANSMIT_BYTES_MAX};
use crate::transport_address::{AddressPair, TransportAddress};

/// One send: a datagram, or several of equal size (the last may be shorter) for UDP_SEGMENT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit<'a> {
    /// Where to.
    pub destination: TransportAddress,
    /// Which of this machine's addresses it leaves from; none where the system may choose.
    pub source: Option<IpAddr>,
    /// Size of each datagram but the last; `None` when `bytes` is one datagram.
    pub segment_size: Option<usize>,
    /// The datagrams, side by side: at most 64 and at most 64,000 bytes.
    pub bytes: &'a [u8],
}

impl Transmit<'_> {
    /// How many datagrams it is.
    pub fn packets(&self) -> usize {
        self.segment_size.map_or(1, |size| self.bytes.len().div_ceil(size.max(1)))
    }
}

/// Bytes to be sent, in order.
pub(crate) struct Arena {
    /// Storage of fixed length.
    bytes: Box<[u8]>,
    /// Bytes in use.
    used: usize,
    /// Sends not polled yet.
    runs: VecDeque<Run>,
}

/// A send in the making.
struct Run {
    /// Where to, and from where.
    way: AddressPair,
    /// Its first byte in the arena.
    start: usize,
    /// The byte behind its last.
    end: usize,
    /// Size of the first datagram.
    segment_size: usize,
    /// Datagrams in it.
    segments: usize,
    /// A shorter datagram ended it.
    is_ended: bool,
}

impl Run {
    fn transmit<'a>(&self, bytes: &'a [u8]) -> Transmit<'a> {
        Transmit {
            destination: self.way.remote,
            source: self.way.local,
            segment_size: (self.segments > 1).then_some(self.segment_size),
            bytes: &bytes[self.start..self.end],
        }
    }
}

/// The sends that are ready, in order; those that are not taken are gone.
pub struct Transmits<'a> {
    /// What is left.
    runs: std::collections::vec_deque::Drain<'a, Run>,
    /// What they are made of.
    bytes: &'a [u8],
}

impl<'a> Iterator for Transmits<'a> {
    type Item = Transmit<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.runs.next().map(|run| run.transmit(self.bytes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.runs.size_hint()
    }
}

impl ExactSizeIterator for Transmits<'_> {}

/// A place in the arena to go back to when a peer's handling panicked.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// Bytes that were in use.
    used: usize,
}

/// The arena is full until it has been polled.
#[derive(Debug)]
pub(crate) struct ArenaFull;

impl Arena {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; ARENA_BYTES + ARENA_RESERVE_BYTES].into_boxed_slice(),
            used: 0,
            runs: VecDeque::with_capacity(256),
        }
    }

    /// Room for a datagram of up to `length` bytes; [`Self::commit`] makes it one.
    pub(crate) fn room(&mut self, length: usize) -> Result<&mut [u8], ArenaFull> {
        self.bytes.get_mut(self.used..self.used + length).ok_or(ArenaFull)
    }

    /// The first `length` bytes of the last [`Self::room`] are a datagram that goes this way.
    pub(crate) fn commit(&mut self, way: AddressPair, length: usize) {
        let start = self.used;
        self.used += length;
        if let Some(run) = self.runs.back_mut() {
            let fits = run.way == way
                && run.end == start
                && !run.is_ended
                && length <= run.segment_size
                && run.segments < SEGMENTS_MAX
                && self.used - run.start <= TRANSMIT_BYTES_MAX;
            if fits {
                run.end = self.used;
                run.segments += 1;
                run.is_ended = length < run.segment_size;
                return;
            }
        }
        self.runs.push_back(Run {
            way,
            start,
            end: self.used,
            segment_size: length,
            segments: 1,
            is_ended: length == 0,
        });
    }

    /// The next send. Once the last has been given out, the arena is empty again.
    pub(crate) fn poll(&mut self) -> Option<Transmit<'_>> {
        let run = self.runs.pop_front()?;
        if self.runs.is_empty() {
            self.used = 0;
        }
        Some(run.transmit(&self.bytes))
    }

    /// Every send, in order. The arena is empty again, whether all are taken or not.
    pub(crate) fn drain(&mut self) -> Transmits<'_> {
        self.used = 0;
        Transmits { runs: self.runs.drain(..), bytes: &self.bytes }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { used: self.used }
    }

    /// Takes back everything since `mark`; only while nothing was polled in between.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        while self.runs.back().is_some_and(|run| run.start >= mark.used) {
            self.runs.pop_back();
        }
        if let Some(run) = self.runs.back_mut().filter(|run| run.end > mark.used) {
            run.end = mark.used;
            run.segments = (run.end - run.start).div_ceil(run.segment_size);
        }
        self.used = mark.used;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Enough is here to be sent before more is written.
    pub(crate) fn is_due(&self) -> bool {
        self.used >= ARENA_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> AddressPair {
        std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()
    }

    fn write(arena: &mut Arena, port: u16, length: usize) {
        arena.room(length).unwrap().fill(port as u8);
        arena.commit(address(port), length);
    }

    fn polled(arena: &mut Arena) -> Vec<(u16, Option<usize>, usize)> {
        let mut all = Vec::new();
        while let Some(transmit) = arena.poll() {
            assert!(transmit.bytes.iter().all(|b| *b == transmit.destination.socket.port() as u8));
            all.push((
                transmit.destination.socket.port(),
                transmit.segment_size,
                transmit.bytes.len(),
            ));
        }
        all
    }

    #[test]
    fn equal_sizes_for_one_destination_leave_together_and_a_shorter_one_ends_the_run() {
        let mut arena = Arena::new();
        for (port, length) in [(1, 100), (1, 100), (1, 60), (1, 60), (2, 60), (2, 70)] {
            write(&mut arena, port, length);
        }
        assert_eq!(
            polled(&mut arena),
            [(1, Some(100), 260), (1, None, 60), (2, None, 60), (2, None, 70)]
        );
        assert!(arena.is_empty());
    }

    #[test]
    fn what_leaves_from_another_address_leaves_by_itself() {
        let mut arena = Arena::new();
        let locals = [None, Some([10, 0, 0, 1].into()), Some([10, 0, 0, 2].into())];
        for local in [locals[0], locals[1], locals[1], locals[2]] {
            arena.room(10).unwrap();
            arena.commit(AddressPair { local, ..address(1) }, 10);
        }
        let sources = std::iter::from_fn(|| arena.poll().map(|transmit| transmit.source));
        assert_eq!(sources.collect::<Vec<_>>(), locals);
    }

    #[test]
    fn a_send_holds_no_more_than_the_kernel_takes() {
        let mut arena = Arena::new();
        for _ in 0..65 {
            write(&mut arena, 1, 10);
        }
        for _ in 0..60 {
            write(&mut arena, 2, 1_200);
        }
        assert_eq!(
            polled(&mut arena),
            [
                (1, Some(10), 640),
                (1, None, 10),
                (2, Some(1_200), 53 * 1_200),
                (2, Some(1_200), 7 * 1_200)
            ]
        );
    }

    #[test]
    fn all_sends_at_once_are_those_that_come_one_by_one_and_leave_it_empty() {
        let [mut one, mut all] = [Arena::new(), Arena::new()];
        for arena in [&mut one, &mut all] {
            for (port, length) in [(1, 100), (1, 100), (2, 60), (3, 60)] {
                write(arena, port, length);
            }
        }
        let mut drained = all.drain();
        assert_eq!(drained.len(), 3);
        assert_eq!(drained.next(), one.poll());
        assert_eq!(drained.next(), one.poll());
        drop(drained);
        assert!(all.is_empty() && all.poll().is_none() && all.used == 0);
    }

    #[test]
    fn rewinding_takes_back_what_came_after_the_mark() {
        let mut arena = Arena::new();
        write(&mut arena, 1, 100);
        let mark = arena.mark();
        write(&mut arena, 1, 100);
        write(&mut arena, 2, 100);
        arena.rewind(mark);
        write(&mut arena, 3, 10);
        assert_eq!(polled(&mut arena), [(1, None, 100), (3, None, 10)]);
    }

    #[test]
    fn a_full_arena_says_so() {
        let mut arena = Arena::new();
        while arena.room(1_000).is_ok() {
            arena.commit(address(1), 1_000);
        }
        assert!(arena.is_due());
        while arena.poll().is_some() {}
        assert!(arena.room(1_000).is_ok());
    }
}
