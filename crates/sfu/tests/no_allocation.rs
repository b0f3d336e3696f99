//! The forwarding path does not allocate once its buffers have grown: an allocator that counts
//! stands under 50 viewers of one stream.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use odeum_rtp::sdp::Direction;
use odeum_sfu::{Sfu, SfuConfig};

use client::{Client, Rtx, inter_frame, key_frame};

#[path = "../src/tests/client.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use more of it")]
mod client;

/// The system's allocator, and how often this thread has called it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call goes to the system's allocator as it is; counting touches a thread-local
// number that needs neither allocation nor destruction.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps to the contract of the trait, which is that of the system's one.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as for `alloc`.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: as for `alloc`.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const VIEWERS: u64 = 50;
const PACKETS_PER_ROUND: u64 = 11;

/// Runs ICE and DTLS until neither side has anything to say.
fn connect(sfu: &mut Sfu, now: Instant, client: &mut Client) {
    let check = client.check();
    client.outbox.push(check);
    while !client.outbox.is_empty() {
        for mut datagram in std::mem::take(&mut client.outbox) {
            sfu.handle_datagram(now, client.address, &mut datagram);
        }
        while let Some(transmit) = sfu.poll_transmit() {
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            if transmit.destination == client.address {
                transmit.bytes.chunks(size).for_each(|bytes| client.handle_datagram(now, bytes));
            }
        }
        if client.stun_answers == 1 && client.inbound.is_none() && client.outbox.is_empty() {
            client.start_dtls(now);
        }
    }
    assert!(client.outbound.is_some(), "connected");
}

/// A frame of ten packets and one packet of sound, each number once.
fn round_of(publisher: &mut Client, number: u16) -> Vec<Vec<u8>> {
    let mut packets = vec![publisher.audio(number, &[7; 80])];
    for n in 0..10u8 {
        let begins = number == 0 && n == 0;
        let payload = if begins { key_frame(&[n; 1_100]) } else { inter_frame(&[n; 1_107]) };
        packets.push(publisher.video(u32::from(number) * 3_000, &payload));
    }
    packets
}

fn play(sfu: &mut Sfu, now: &mut Instant, source: SocketAddr, rounds: &mut [Vec<Vec<u8>>]) {
    for packets in rounds {
        for packet in packets {
            sfu.handle_datagram(*now, source, packet);
        }
        while sfu.poll_transmit().is_some() {}
        *now += Duration::from_millis(33);
        sfu.handle_timeout(*now);
        while sfu.poll_transmit().is_some() {}
    }
}

#[test]
fn forwarding_to_50_viewers_allocates_nothing_after_the_first_seconds() {
    #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to begin at")]
    let mut now = Instant::now();
    let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
    let candidates = vec![SocketAddr::from(([127, 0, 0, 1], 7881))];
    let mut sfu = Sfu::new(now, SfuConfig::new(certificate, candidates, [3; 32]));
    let config = Arc::new(dimpl::Config::builder().build().unwrap());
    let mut publisher = Client::new(now, 0, Arc::clone(&config));
    let offer = publisher.offer(Direction::SendOnly, Rtx::Offered);
    let answer = sfu.create_publisher(now, publisher.id, &offer).unwrap();
    publisher.take_answer(&answer.sdp);
    connect(&mut sfu, now, &mut publisher);
    for id in 1..=VIEWERS {
        let mut viewer = Client::new(now, id, Arc::clone(&config));
        let offer = viewer.offer(Direction::ReceiveOnly, Rtx::Offered);
        let answer = sfu.create_subscriber(now, viewer.id, publisher.id, &offer).unwrap();
        viewer.take_answer(&answer.sdp);
        connect(&mut sfu, now, &mut viewer);
    }
    while sfu.poll_event().is_some() {}
    let mut rounds: Vec<_> = (0..180).map(|number| round_of(&mut publisher, number)).collect();
    let (warm_up, measured) = rounds.split_at_mut(120);
    play(&mut sfu, &mut now, publisher.address, warm_up);
    let forwarded = sfu.statistics().rtp_forwarded;
    assert_eq!(forwarded, VIEWERS * PACKETS_PER_ROUND * 120);

    let before = ALLOCATIONS.get();
    play(&mut sfu, &mut now, publisher.address, measured);
    assert_eq!(ALLOCATIONS.get() - before, 0);
    let forwarded = sfu.statistics().rtp_forwarded - forwarded;
    assert_eq!(forwarded, VIEWERS * PACKETS_PER_ROUND * 60);

    drop(std::hint::black_box(Box::new(forwarded)));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the allocator counts");
}
