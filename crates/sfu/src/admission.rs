//! Offers become peers. With the lines of the answer (`section.rs`) the one place of this crate
//! that reads and writes SDP, and the only one that may allocate at will.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use odeum_rtp::negotiate::{self, SenderParameters};
use odeum_rtp::sdp::{
    Direction, Feedback, Fingerprint, IceCredentials, MediaSection, Offer, Transport,
};
use odeum_types::{Codec, PeerId, Redacted, SessionId};

use crate::answer::{Answer, OfferError};
use crate::dtls::DtlsServer;
use crate::event::{CloseReason, MediaFacts};
use crate::ice::Ice;
use crate::peer::{Peer, Role};
use crate::publisher::Publisher;
use crate::retransmission_budget::RetransmissionBudget;
use crate::section::{
    given_extensions, inactive_section, is_taken, kind_of, kind_of_codec, subscriber_section,
    subscriber_track, taken_rids, track_terms,
};
use crate::source_terms::{LossRepair, SourceTerms};
use crate::subscriber::Subscriber;
use crate::track::{RingSize, Track, TrackKind};
use crate::wish::PlayTerms;
use crate::{PeerKey, Sfu, transport};

impl MediaFacts {
    fn of(kind: TrackKind, codec: Codec, facts: Self) -> Self {
        match kind {
            TrackKind::Audio => Self { audio: Some(codec), ..facts },
            TrackKind::Video => Self { video: Some(codec), ..facts },
        }
    }
}

impl Sfu {
    /// Makes a publisher of an offer that sends at most one audio and one video track; what is more
    /// is rejected in the answer.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn create_publisher(
        &mut self,
        now: Instant,
        peer: PeerId,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        self.now = now;
        self.check_room_for(peer)?;
        self.contained_offer(peer, |sfu| sfu.admit_publisher(now, peer, offer_sdp))
    }

    fn admit_publisher(
        &mut self,
        now: Instant,
        peer: PeerId,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        let offer = Offer::parse(offer_sdp)?;
        let mut publisher = Publisher::new(now, self.entropy.number());
        let mut facts = MediaFacts::default();
        let mut sections = Vec::with_capacity(offer.media().len());
        for media in offer.media() {
            let chosen = kind_of(media)
                .filter(|kind| media.direction.sends() && publisher.track(*kind).is_none())
                .and_then(|kind| Some((kind, negotiate::choose_for_publisher(media)?)))
                .filter(|(kind, chosen)| kind_of_codec(chosen.codec.codec()) == *kind);
            let Some((kind, chosen)) = chosen else {
                sections.push(None);
                continue;
            };
            let rids = taken_rids(media);
            let codec = chosen.codec.codec();
            let extensions = media.extensions.sent().only(|kind| is_taken(kind, codec, &rids));
            // Layers are known by their rids; browsers name no SSRC then.
            let ssrc = media.primary_ssrc().filter(|_| rids.is_empty());
            let repair = match chosen.format.feedback.contains(&Feedback::Nack) {
                true => LossRepair::Nack,
                false => LossRepair::None,
            };
            let terms = SourceTerms {
                format: chosen.codec,
                parameters: SenderParameters::of(media, &chosen),
                payload_type: chosen.format.payload_type,
                rtx_payload_type: chosen.retransmission.as_ref().map(|f| f.payload_type),
                red_payload_type: chosen.redundancy.as_ref().map(|red| red.format.payload_type),
                clock_rate: chosen.format.clock_rate,
                repair,
                extensions,
                ssrc,
                rtx_ssrc: None,
                rid: None,
            };
            for rid in &rids {
                // Of several layers nobody says whose the sets in SDP are.
                let parameters = terms.parameters.clone();
                let parameters = parameters.with_parameter_sets(codec, Vec::new());
                let rid = Some(rid.as_str().into());
                let terms = SourceTerms { rid, parameters, ..terms.clone() };
                publisher.add_layer(kind, Track::new(terms, self.ring_size(kind)));
            }
            if rids.is_empty() {
                publisher.add_layer(kind, Track::new(terms, self.ring_size(kind)));
            }
            facts = MediaFacts::of(kind, chosen.codec.codec(), facts);
            sections.push(Some(MediaSection {
                direction: Direction::ReceiveOnly,
                formats: chosen.formats(),
                packet_times: media.packet_times,
                extensions,
                rids,
                sender: None,
            }));
        }
        if facts == MediaFacts::default() {
            return Err(OfferError::NothingInCommon);
        }
        let role = Role::Publisher(Box::new(publisher));
        let (key, answer) = self.admit(now, peer, &offer, facts, role, &sections);
        self.publishers.push(key);
        Ok(answer)
    }

    /// Makes a subscriber of an offer that receives. A line that the publisher has no
    /// track for is accepted as inactive: a browser that bundles all it can (`max-bundle`) gives
    /// only the first line a transport, and loses it for all when that line is rejected. Rejected
    /// is what has no codec of Odeum's.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub fn create_subscriber(
        &mut self,
        now: Instant,
        peer: PeerId,
        terms: PlayTerms,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        self.now = now;
        self.check_room_for(peer)?;
        self.contained_offer(peer, |sfu| sfu.admit_subscriber(now, peer, terms, offer_sdp))
    }

    fn admit_subscriber(
        &mut self,
        now: Instant,
        peer: PeerId,
        PlayTerms { publisher, session, wish }: PlayTerms,
        offer_sdp: &str,
    ) -> Result<Answer, OfferError> {
        let publisher_key =
            *self.by_id.get(&publisher).ok_or(OfferError::NoPublisher { publisher })?;
        let Role::Publisher(source) = &self.peers[publisher_key].role else {
            return Err(OfferError::NoPublisher { publisher });
        };
        let subscribers_max = self.config.subscribers_per_publisher_max;
        if source.viewers().len() >= subscribers_max {
            return Err(OfferError::SubscribersMax { subscribers_max });
        }
        let offer = Offer::parse(offer_sdp)?;
        let mut tracks = [None, None];
        let mut facts = MediaFacts::default();
        let mut untaken = Vec::new();
        let mut sections = Vec::with_capacity(offer.media().len());
        for media in offer.media() {
            let wanted = kind_of(media)
                .filter(|kind| media.direction.receives() && tracks[*kind as usize].is_none())
                .and_then(|kind| Some((kind, source.track(kind)?)));
            let chosen = wanted.and_then(|(kind, track)| {
                Some((kind, track, negotiate::choose_for_subscriber(media, track.format())?))
            });
            let Some((kind, track, mut chosen)) = chosen else {
                untaken.extend(wanted.map(|(_, track)| track.format().codec()));
                sections.push(inactive_section(media));
                continue;
            };
            if !track.may_be_redundant() {
                chosen.redundancy = None;
            }
            let terms = track_terms(&mut self.entropy, media, &chosen);
            tracks[kind as usize] = Some(subscriber_track(&mut self.entropy, terms));
            facts = MediaFacts::of(kind, chosen.codec.codec(), facts);
            let extensions = given_extensions(media, &chosen);
            let said = track.parameters();
            let section = subscriber_section(publisher, kind, chosen, (said, &terms), extensions);
            sections.push(Some(section));
        }
        if facts == MediaFacts::default() {
            return Err(OfferError::of_subscriber(untaken));
        }
        let budget = RetransmissionBudget::new(now, self.config.retransmissions_per_second_max);
        let mut subscriber = Subscriber {
            publisher: publisher_key,
            tracks,
            budget,
            wish,
            line: None,
            available: None,
            video_pick: None,
        };
        // The key frame is asked for once it is connected.
        subscriber.video_pick = subscriber.chosen(now, source);
        let estimates = subscriber.track(TrackKind::Video).is_some_and(|track| track.is_numbered());
        let role = Role::Subscriber(Box::new(subscriber));
        let (key, answer) = self.admit(now, peer, &offer, facts, role, &sections);
        if let Role::Publisher(source) = &mut self.peers[publisher_key].role {
            source.add_viewer(key);
        }
        if estimates {
            self.join_line(now, key, session);
        }
        Ok(Answer { untaken, ..answer })
    }

    /// Estimates what reaches a subscriber, together with all that its session plays.
    fn join_line(&mut self, now: Instant, key: PeerKey, session: Option<SessionId>) {
        let Peer { transport: Some(transport), role: Role::Subscriber(subscriber), .. } =
            &mut *self.peers[key]
        else {
            return;
        };
        let (line, flow) = self.lines.join(now, self.config.bandwidth, session, key);
        subscriber.line = Some(line);
        transport.flow = Some(Box::new(flow));
    }

    /// Runs `admit` for the new peer `id`. Should it panic, nothing is left of that peer.
    fn contained_offer(
        &mut self,
        id: PeerId,
        admit: impl FnOnce(&mut Self) -> Result<Answer, OfferError>,
    ) -> Result<Answer, OfferError> {
        let admitted = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!self.panics_at_offer, "injected");
            admit(self)
        }));
        admitted.unwrap_or_else(|_| {
            self.statistics.panics += 1;
            if let Some(&key) = self.by_id.get(&id) {
                self.drop_peer(key, CloseReason::Panicked);
            }
            Err(OfferError::Panicked)
        })
    }

    fn check_room_for(&self, peer: PeerId) -> Result<(), OfferError> {
        if self.by_id.contains_key(&peer) {
            return Err(OfferError::PeerExists { peer });
        }
        let peers_max = self.config.peers_max;
        if self.peers.len() >= peers_max {
            return Err(OfferError::PeersMax { peers_max });
        }
        Ok(())
    }

    pub(crate) fn ring_size(&self, kind: TrackKind) -> RingSize {
        match kind {
            TrackKind::Audio => RingSize {
                packets: self.config.audio_ring_packets,
                bytes: self.config.audio_ring_bytes,
            },
            TrackKind::Video => RingSize {
                packets: self.config.video_ring_packets,
                bytes: self.config.video_ring_bytes,
            },
        }
    }

    fn admit(
        &mut self,
        now: Instant,
        id: PeerId,
        offer: &Offer,
        facts: MediaFacts,
        role: Role,
        sections: &[Option<MediaSection>],
    ) -> (PeerKey, Answer) {
        let mut ice = Ice::new(now, &mut self.entropy, &offer.ice().ufrag);
        // 48 random bits: a second draw is a curiosity, a third one will not be seen.
        while self.by_ufrag.contains_key(ice.ufrag()) {
            ice = Ice::new(now, &mut self.entropy, &offer.ice().ufrag);
        }
        let transport = Transport {
            session_id: self.entropy.number_64() >> 1,
            ice: IceCredentials {
                ufrag: ice.ufrag().to_owned(),
                password: Redacted::new(ice.password().to_owned()),
            },
            fingerprint: Fingerprint(self.dtls.fingerprint()),
            candidates: self.outer.append_to(&self.config.candidates),
            tcp_candidates: self.outer.append_to_tcp(&self.config.tcp_candidates),
        };
        let sdp = offer.answer(&transport, sections).to_string();
        let ufrag: Box<str> = ice.ufrag().into();
        let key = self.peers.insert(Box::new(Peer {
            id,
            facts,
            transport: Some(transport::Transport {
                ice,
                dtls: DtlsServer::new(offer.fingerprint().0),
                srtp: None,
                created: now,
                flow: None,
            }),
            heard: now,
            role,
            #[cfg(test)]
            panics_next: false,
        }));
        if self.peers.len() == 1 {
            self.next_sweep = now;
        }
        self.statistics.peers = self.peers.len() as u64;
        self.by_id.insert(id, key);
        self.by_ufrag.insert(ufrag, key);
        self.connecting.push(key);
        (key, Answer { sdp, untaken: Vec::new() })
    }
}
