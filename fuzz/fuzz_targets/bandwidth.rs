//! Arbitrary sending over flows that come and go, feedback of arbitrary content and arbitrary
//! pauses: the estimate stays within its bounds, and probes stay small.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use odeum_bwe::{Estimator, EstimatorConfig, Flow, Purpose};
use odeum_rtp::rtcp::{RtcpPacket, packets};
use odeum_types::Bitrate;

#[derive(Arbitrary, Debug)]
enum Operation {
    /// Packets are sent at once.
    Send { flow: u8, count: u8, size: u16 },
    /// Time passes.
    Pass { ms: u16 },
    /// A day passes.
    PassDay,
    /// Feedback comes, on numbers so far behind the last one.
    Feedback { flow: u8, behind: u16, count: u16, reference: [u8; 3], rest: Vec<u8> },
    /// Somebody wants so much more.
    Probe { flow: u8, kbps: u32, more_kbps: u32 },
    /// A flow ends and another one begins.
    Renew { flow: u8 },
    /// The sweep.
    Timeout { flow: u8 },
}

/// Flows at a time.
const FLOWS: usize = 3;

fuzz_target!(|operations: Vec<Operation>| {
    let config = EstimatorConfig::default();
    let mut now = Instant::now();
    let mut estimator = Estimator::new(now, config);
    let mut flows: [(Flow, u16); FLOWS] = std::array::from_fn(|_| (estimator.add_flow(), 0));
    for operation in operations {
        match operation {
            Operation::Send { flow, count, size } => {
                let (flow, last) = &mut flows[usize::from(flow) % FLOWS];
                for _ in 0..count {
                    let number = flow.sent(now, size.into(), Purpose::Media);
                    assert_eq!(number, last.wrapping_add(1));
                    *last = number;
                }
            }
            Operation::Pass { ms } => now += Duration::from_millis(ms.into()),
            Operation::PassDay => now += Duration::from_secs(86_400),
            Operation::Feedback { flow, behind, count, reference, rest } => {
                let (flow, last) = &mut flows[usize::from(flow) % FLOWS];
                let base = last.wrapping_sub(behind % 1_100);
                let message = feedback(base, count % 1_100, reference, &rest);
                for packet in packets(&message).map_while(Result::ok) {
                    if let RtcpPacket::TransportFeedback(feedback) = packet {
                        estimator.handle_feedback(now, flow, &feedback);
                    }
                }
            }
            Operation::Probe { flow, kbps, more_kbps } => {
                let (flow, last) = &mut flows[usize::from(flow) % FLOWS];
                let needed = Bitrate::from_kilobits_per_second(kbps.into());
                let wanted = needed.plus(Bitrate::from_kilobits_per_second(more_kbps.into()));
                if let Some(burst) = estimator.poll_probe(now, flow, needed, wanted) {
                    assert!(burst.bytes <= 16_000);
                    for _ in 0..burst.bytes.div_ceil(1_000) {
                        *last = flow.sent(now, 1_000, Purpose::Probe);
                    }
                }
            }
            Operation::Renew { flow } => {
                let at = usize::from(flow) % FLOWS;
                estimator.remove(&flows[at].0);
                flows[at] = (estimator.add_flow(), 0);
            }
            Operation::Timeout { flow } => {
                estimator.handle_timeout(now, &mut flows[usize::from(flow) % FLOWS].0);
            }
        }
        assert!((config.min..=config.max).contains(&estimator.estimate()));
    }
});

/// A feedback whose chunks and deltas are `rest`.
fn feedback(base: u16, count: u16, reference: [u8; 3], rest: &[u8]) -> Vec<u8> {
    let mut message = vec![0x8F, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
    message.extend_from_slice(&base.to_be_bytes());
    message.extend_from_slice(&count.to_be_bytes());
    message.extend_from_slice(&reference);
    message.push(0);
    message.extend_from_slice(&rest[..rest.len().min(2_000)]);
    message.resize(message.len().next_multiple_of(4), 0);
    let words = (message.len() / 4 - 1) as u16;
    message[2..4].copy_from_slice(&words.to_be_bytes());
    message
}
