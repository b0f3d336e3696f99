//! Arbitrary arrivals: the recorder's feedback fits a packet, is sound, and comes to an end.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use odeum_rtp::rtcp::{RtcpPacket, RtcpWriter, packets};
use odeum_rtp::{FeedbackLeft, TransportRecorder, TransportRecorderConfig};

fuzz_target!(|steps: Vec<(i16, u16)>| {
    let mut now = Instant::now();
    let mut recorder = TransportRecorder::new(now, TransportRecorderConfig::default());
    let mut sequence = 0u16;
    for (step, wait_ms) in steps {
        now += Duration::from_millis(u64::from(wait_ms));
        sequence = sequence.wrapping_add_signed(step);
        recorder.record(now, sequence);
        if recorder.poll_timeout().is_none_or(|at| at > now) {
            continue;
        }
        let mut messages = 0;
        while feedback(&mut recorder) == FeedbackLeft::More {
            messages += 1;
            assert!(messages <= 2048, "each message reports on at least one packet");
        }
        assert_eq!(recorder.poll_timeout(), None);
    }
});

fn feedback(recorder: &mut TransportRecorder) -> FeedbackLeft {
    let mut buffer = [0; 1200];
    let mut writer = RtcpWriter::new(&mut buffer);
    let left = recorder.write_feedback(&mut writer, 1, 2).expect("1,200 bytes suffice");
    let size = writer.size();
    let packet = packets(&buffer[..size]).next().expect("due").expect("own packet is sound");
    let RtcpPacket::TransportFeedback(feedback) = packet else { panic!("{packet:?}") };
    assert_eq!(feedback.statuses().count(), usize::from(feedback.status_count));
    left
}
