//! Arbitrary text as a browser's offer; an accepted one is answered, and our client reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::negotiate::{
    CodecFormat, SenderParameters, choose_for_publisher, choose_for_subscriber,
};
use odeum_rtp::sdp::{
    Answer, AnswerError, Direction, Fingerprint, IceCredentials, MediaSection, Offer, Transport,
};
use odeum_types::Redacted;

fuzz_target!(|text: &str| {
    let Ok(offer) = Offer::parse(text) else { return };
    let sections: Vec<Option<MediaSection>> = offer
        .media()
        .iter()
        .map(|media| {
            choose_for_subscriber(media, CodecFormat::Vp8);
            let mut chosen = choose_for_publisher(media)?;
            // What a viewer of this publisher would be told.
            let said = SenderParameters::of(media, &chosen);
            said.say_in(chosen.codec.codec(), &mut chosen.format);
            Some(MediaSection {
                direction: Direction::ReceiveOnly,
                formats: chosen.formats(),
                packet_times: media.packet_times,
                extensions: media.extensions,
                rids: media.send_rids.clone(),
                sender: None,
            })
        })
        .collect();
    let transport = Transport {
        session_id: 1,
        ice: IceCredentials {
            ufrag: "serv".into(),
            password: Redacted::new("0123456789abcdefghijkl".into()),
        },
        fingerprint: Fingerprint([1; 32]),
        candidates: vec!["127.0.0.1:7000".parse().expect("an address")],
        tcp_candidates: Vec::new(),
    };
    let answer = offer.answer(&transport, &sections).to_string();
    match Answer::parse(&answer) {
        Ok(read) => {
            assert_eq!(read.ice(), &transport.ice);
            assert_eq!(read.candidates(), transport.candidates);
            assert_eq!(read.media().len(), offer.media().len());
        }
        Err(AnswerError::Rejected) => {}
        Err(error) => panic!("{error}: {answer}"),
    }
});
