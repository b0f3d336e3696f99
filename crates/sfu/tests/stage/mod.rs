//! A media plane with publishers and viewers around it, whose allocations are charged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use odeum_rtp::rtcp::{ReportBlock, SenderInfo};
use odeum_rtp::sdp::Direction;
use odeum_rtp::{HeaderWriter, Marker, PacketKind, TransportRecorder, TransportRecorderConfig};
use odeum_sfu::{DtlsCertificate, PlayTerms, Sfu, SfuConfig, Statistics};
use odeum_types::SessionId;

use super::client::{
    AUDIO_PT, AUDIO_SSRC, Client, Rtx, VIDEO_PT, VIDEO_SSRC, inter_frame, key_frame,
};
use super::counting::charge;

pub(super) mod narrow;

/// Packets that a publisher sends in a round: ten of video, one of sound.
pub(super) const PACKETS_PER_ROUND: u64 = 11;
/// Of redundant sound.
const RED_PT: u8 = 63;
/// A round is a frame of 30 a second.
const ROUND: Duration = Duration::from_millis(33);
/// Rounds between two reports: one a second.
const ROUNDS_PER_REPORT: u16 = 30;
/// Rounds between two key frames.
pub(super) const ROUNDS_PER_KEY_FRAME: u16 = 120;

/// Viewers that play for one session.
const VIEWERS_PER_SESSION: u64 = 4;
/// Packets that a viewer is sent in a round, with the one that it asks for again.
const PACKETS_TO_VIEWER: u16 = PACKETS_PER_ROUND as u16 + 1;

/// What arrives together: sources and datagrams.
pub(super) type Round = Vec<(SocketAddr, Vec<u8>)>;

/// The media plane and who is connected to it.
pub(super) struct Stage {
    /// Virtual time.
    now: Instant,
    /// What is measured.
    sfu: Sfu,
    /// Of the clients' DTLS.
    config: Arc<dimpl::Config>,
    /// Those that send.
    pub(super) publishers: Vec<Client>,
    /// Those that play.
    pub(super) viewers: Vec<Client>,
    /// How many of the first publishers send temporal layers.
    pub(super) layered: usize,
}

impl Stage {
    pub(super) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to begin")]
        let now = Instant::now();
        let certificate = DtlsCertificate::generate().unwrap();
        let candidates = vec![SocketAddr::from(([127, 0, 0, 1], 7881))];
        let sfu = charge(|| Sfu::new(now, SfuConfig::new(certificate, candidates, [3; 32])));
        let config = Arc::new(dimpl::Config::builder().build().unwrap());
        let (publishers, viewers) = (Vec::new(), Vec::new());
        Self { now, sfu, config, publishers, viewers, layered: 1 }
    }

    fn client(&self) -> Client {
        let id = (self.publishers.len() + self.viewers.len()) as u64;
        Client::new(self.now, id, Arc::clone(&self.config))
    }

    /// One more publisher, connected.
    pub(super) fn publish(&mut self) {
        let mut client = self.client();
        let offer = with_red(client.offer(Direction::SendOnly, Rtx::Offered));
        let answer = charge(|| self.sfu.create_publisher(self.now, client.id, &offer)).unwrap();
        client.take_answer(&answer.sdp);
        charge(|| drop(answer));
        self.connect(&mut client);
        self.publishers.push(client);
    }

    /// One more viewer of that publisher, connected.
    pub(super) fn view(&mut self, publisher: usize) {
        let mut client = self.client();
        let offer = client.offer(Direction::ReceiveOnly, Rtx::Offered);
        // Every other one takes redundancy as it comes.
        let takes_red = self.viewers.len().is_multiple_of(2);
        let offer = if takes_red { with_red(offer) } else { offer };
        let now = self.now;
        // Some play for one session, so that what reaches it is dealt out.
        let session = Some(SessionId(self.viewers.len() as u64 / VIEWERS_PER_SESSION));
        let terms = PlayTerms { session, ..PlayTerms::alone(self.publishers[publisher].id) };
        let answer = charge(|| self.sfu.create_subscriber(now, client.id, terms, &offer)).unwrap();
        client.take_answer(&answer.sdp);
        charge(|| drop(answer));
        self.connect(&mut client);
        self.viewers.push(client);
    }

    /// Runs ICE and DTLS until neither side has anything to say.
    fn connect(&mut self, client: &mut Client) {
        let check = client.check();
        client.outbox.push(check);
        while !client.outbox.is_empty() {
            for mut datagram in std::mem::take(&mut client.outbox) {
                charge(|| self.sfu.handle_datagram(self.now, client.address, &mut datagram));
            }
            while let Some(transmit) = charge(|| self.sfu.poll_transmit()) {
                let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
                if transmit.destination.socket == client.address {
                    let datagrams = transmit.bytes.chunks(size);
                    datagrams.for_each(|bytes| client.handle_datagram(self.now, bytes));
                }
            }
            if client.stun_answers == 1 && client.inbound.is_none() && client.outbox.is_empty() {
                client.start_dtls(self.now);
            }
        }
        assert!(client.outbound.is_some(), "connected");
        charge(|| while self.sfu.poll_event().is_some() {});
    }

    /// What all publishers send in a round: a frame, sound, and now and then a report.
    pub(super) fn round(&mut self, number: u16) -> Round {
        let mut round = Round::new();
        for (at, publisher) in self.publishers.iter_mut().enumerate() {
            // The last one sends redundancy, the others none.
            let sound =
                if at == 2 { red(publisher, number) } else { publisher.audio(number, &[7; 80]) };
            let mut packets = vec![sound];
            for n in 0..10u8 {
                let begins = number.is_multiple_of(ROUNDS_PER_KEY_FRAME) && n == 0;
                let payload =
                    if begins { key_frame(&[n; 1_100]) } else { inter_frame(&[n; 1_107]) };
                let payload =
                    if at < self.layered { in_temporal_layer(number, payload) } else { payload };
                packets.push(publisher.video(u32::from(number) * 3_000, &payload));
            }
            if number.is_multiple_of(ROUNDS_PER_REPORT) {
                packets.push(publisher.rtcp(|writer| {
                    for ssrc in [AUDIO_SSRC, VIDEO_SSRC] {
                        let info = SenderInfo {
                            ssrc,
                            ntp: u64::from(number) << 32,
                            rtp_timestamp: u32::from(number) * 3_000,
                            packet_count: u32::from(number),
                            octet_count: u32::from(number) * 1_000,
                        };
                        writer.sender_report(&info, &[]).unwrap();
                    }
                }));
            }
            round.extend(packets.into_iter().map(|packet| (publisher.address, packet)));
        }
        round
    }

    /// Sends a round, lets its time pass, and gives to the viewers what is for them.
    pub(super) fn play_and_receive(&mut self, round: Round) {
        for (source, mut datagram) in round {
            charge(|| self.sfu.handle_datagram(self.now, source, &mut datagram));
        }
        while let Some(transmit) = charge(|| self.sfu.poll_transmit()) {
            let size = transmit.segment_size.unwrap_or(transmit.bytes.len());
            let viewer =
                self.viewers.iter_mut().find(|it| it.address == transmit.destination.socket);
            let Some(viewer) = viewer else { continue };
            for bytes in transmit.bytes.chunks(size) {
                viewer.handle_datagram(self.now, bytes);
            }
        }
        self.pass_time();
    }

    /// Sends rounds and lets their time pass; nobody takes what comes.
    pub(super) fn play(&mut self, rounds: &mut [Round]) {
        for round in rounds {
            for (source, datagram) in round {
                charge(|| self.sfu.handle_datagram(self.now, *source, datagram));
            }
            charge(|| while self.sfu.poll_transmit().is_some() {});
            self.pass_time();
        }
    }

    fn pass_time(&mut self) {
        self.now += ROUND;
        charge(|| self.sfu.handle_timeout(self.now));
        charge(|| while self.sfu.poll_transmit().is_some() {});
    }

    /// Adds to the round with this number what each viewer says: that the video's packet `ahead` of
    /// the last one it has received is missing, a report, and when the round before arrived.
    pub(super) fn viewers_answer(&mut self, round: &mut Round, number: u16, ahead: u16) {
        let arrived = self.now + ROUND * number.into();
        // In the first round nothing is sent again.
        let end = number * PACKETS_TO_VIEWER - 1;
        let config = TransportRecorderConfig::default();
        for viewer in &mut self.viewers {
            let mut recorder = TransportRecorder::new(arrived, config);
            let numbers = end.saturating_sub(PACKETS_TO_VIEWER) + 1..=end;
            numbers.for_each(|number| recorder.record(arrived, number));
            let (ssrc, newest) = newest_video(viewer);
            let missing = newest.wrapping_add(ahead);
            let datagram = viewer.rtcp(|writer| {
                let block = ReportBlock {
                    ssrc,
                    extended_highest_sequence: u32::from(missing),
                    ..ReportBlock::default()
                };
                writer.receiver_report(1, &[block]).unwrap();
                writer.nack(1, ssrc, [missing]).unwrap();
                recorder.write_feedback(writer, 1, ssrc).unwrap();
            });
            round.push((viewer.address, datagram));
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        *self.sfu.statistics()
    }
}

/// A VP8 packet as one of the temporal layers 0, 2, 1, 2 of frames in a row (RFC 7741 §4.2).
fn in_temporal_layer(number: u16, mut payload: Vec<u8>) -> Vec<u8> {
    let temporal = [0, 2, 1, 2][usize::from(number % 4)];
    payload[0] |= 0x80;
    payload.splice(1..1, [0x20, temporal << 6]);
    payload
}

/// SSRC and sequence number of the last packet of video.
fn newest_video(viewer: &Client) -> (u32, u16) {
    let video = viewer.rtp.iter().rev().filter(|bytes| PacketKind::of(bytes) == PacketKind::Rtp);
    let headers = video.map(|bytes| odeum_rtp::RtpHeader::parse(bytes).unwrap());
    let newest = headers.into_iter().find(|header| header.payload_type == VIDEO_PT).unwrap();
    (newest.ssrc, newest.sequence_number)
}

/// An offer that has redundant sound (RFC 2198) as well.
fn with_red(offer: String) -> String {
    let opus = format!("a=rtpmap:{AUDIO_PT} opus/48000/2\r\n");
    let lines =
        format!("{opus}a=rtpmap:{RED_PT} red/48000/2\r\na=fmtp:{RED_PT} {AUDIO_PT}/{AUDIO_PT}\r\n");
    assert!(offer.contains(&opus), "{offer}");
    let list = format!("SAVPF {RED_PT} {AUDIO_PT}\r\n");
    offer.replacen(&format!("SAVPF {AUDIO_PT}\r\n"), &list, 1).replacen(&opus, &lines, 1)
}

/// A packet of sound with the one before it.
fn red(publisher: &mut Client, number: u16) -> Vec<u8> {
    let header = HeaderWriter {
        marker: Marker::Clear,
        payload_type: RED_PT,
        sequence_number: number,
        timestamp: u32::from(number) * 960,
        ssrc: AUDIO_SSRC,
        csrcs: &[],
    };
    let [_, time_and_length @ ..] = (960u32 << 10 | 80).to_be_bytes();
    let headers = [&[0x80 | AUDIO_PT][..], &time_and_length, &[AUDIO_PT]].concat();
    publisher.protect(&header, &[(1, &[0x85])], &[headers, vec![7; 160]].concat())
}
