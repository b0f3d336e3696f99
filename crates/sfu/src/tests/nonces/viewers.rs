//! What viewers say, wish and do, and what others do in their place.

use odeum_rtp::RtpPacket;

use super::{VIEWERS, Viewer, Worker, World};
use crate::tests::client::{Client, VIDEO_PT};
use crate::{IceUfrag, PlayWish, VideoWish};

impl World {
    /// A viewer says what reaches it; who has transport-wide numbers is not believed.
    pub(super) fn say(&mut self) {
        let viewer = self.dice.below(VIEWERS);
        let bits_per_second = [500, 3_000, 10_000, 40_000, 10_000_000][self.dice.below(5)];
        let told = self
            .client(viewer)
            .rtcp(|writer| writer.receiver_estimate(1, bits_per_second, &[1]).unwrap());
        self.send(viewer, told);
    }

    /// A viewer asks for some of its last packets again; some have left the ring, some never were.
    pub(super) fn ask_again(&mut self) {
        let viewer = self.dice.below(VIEWERS);
        let packets = self.client(viewer).rtp.iter().rev();
        let headers = packets.map(|bytes| *RtpPacket::parse(bytes).unwrap().header());
        let newest = { headers }.find(|header| header.payload_type == VIDEO_PT);
        let Some(newest) = newest else { return };
        let first = newest.sequence_number.wrapping_sub(self.dice.below(80) as u16);
        let asked = (0..1 + self.dice.below(20) as u16).map(|n| first.wrapping_add(n));
        let nack = self.client(viewer).rtcp(|writer| writer.nack(1, newest.ssrc, asked).unwrap());
        self.send(viewer, nack);
    }

    /// A viewer tells when numbered packets arrived.
    pub(super) fn tell_arrivals(&mut self) {
        let now = self.net.now;
        let viewer = self.dice.below(VIEWERS);
        let Viewer { worker, at, ref mut arrivals } = self.viewers[viewer];
        let net = match worker {
            Worker::Home => &mut self.net,
            Worker::Far => &mut self.far,
        };
        for bytes in net.clients[at].rtp.iter().rev().take(50).rev() {
            if let Some(number) = RtpPacket::parse(bytes).unwrap().extension(3) {
                arrivals.record(now, u16::from_be_bytes(number.try_into().unwrap()));
            }
        }
        if arrivals.poll_timeout().is_some_and(|at| at <= now) {
            let told = net.clients[at].rtcp(|writer| {
                arrivals.write_feedback(writer, 1, 2).unwrap();
            });
            net.send(at, told);
        }
    }

    pub(super) fn wish(&mut self) {
        let viewer = self.dice.below(VIEWERS);
        let wishes =
            [VideoWish::Best, VideoWish::Largest, VideoWish::Smallest, VideoWish::Height(360)];
        let wish = wishes[self.dice.below(wishes.len())];
        let (id, worker) = (self.client(viewer).id, self.viewers[viewer].worker);
        let net = self.worker(worker);
        net.sfu.set_wish(net.now, id, PlayWish { video: wish, ..PlayWish::default() });
    }

    /// A viewer moves to another network and restarts ICE.
    pub(super) fn restart_ice(&mut self) {
        self.restarts += 1;
        let (viewer, restarts) = (self.dice.below(VIEWERS), self.restarts);
        let Viewer { worker, at, .. } = self.viewers[viewer];
        let net = self.worker(worker);
        let ufrag = format!("again{restarts}");
        let (id, now) = (net.clients[at].id, net.now);
        let credentials = net.sfu.restart_ice(now, id, &IceUfrag::parse(&ufrag).unwrap()).unwrap();
        let client = &mut net.clients[at];
        client.restarted(&ufrag, credentials);
        client.address.set_port(restarts + 10_000);
        let check = client.check();
        net.send(at, check);
    }

    /// Somebody says a hello in a viewer's place, and nothing comes of it.
    pub(super) fn begin_dtls_anew(&mut self) {
        self.drain();
        let (viewer, before) = (self.dice.below(VIEWERS), self.dtls);
        let mut other = Client::new(self.net.now, 77_777, self.net.client_config.clone());
        other.start_dtls(self.net.now);
        for hello in other.outbox {
            self.send(viewer, hello);
        }
        self.drain();
        assert_eq!(self.dtls, before, "it was answered");
    }
}
