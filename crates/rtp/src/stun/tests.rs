//! The vectors of RFC 5769, round trips of both ends, and arbitrary bytes.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";
const TRANSACTION: TransactionId =
    TransactionId([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);

const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74\
    002400046e0001ff80290008932ff9b151263b36000600096576746a3a683676592020200008001\
    49aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
const RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
    002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
    002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275\
    bfe3ed4180280004c8fb0b4c";
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382af\
    e382b900000015001c662f2f3439396b393534643\
    64f4c33346f4c39465354767936347341\
    0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).expect("filtered above") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn the_sample_request_of_rfc_5769_2_1_is_read_and_verified() {
    let bytes = bytes(REQUEST);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.class, Class::Request);
    assert_eq!(message.transaction, TRANSACTION);
    assert_eq!(message.username, Some("evtj:h6vY"));
    assert_eq!(message.ufrags(), Some(("evtj", "h6vY")));
    assert_eq!(message.priority, Some(0x6e00_01ff));
    assert_eq!(message.role, Some(IceRole::Controlled(0x932f_f9b1_5126_3b36)));
    assert_eq!(message.nomination, Nomination::None);
    assert!(message.has_fingerprint());
    assert_eq!(message.verify(&IntegrityKey::new(PASSWORD)), Ok(()));
    assert_eq!(message.verify(&IntegrityKey::new(b"another")), Err(StunError::Integrity));
}

#[test]
fn the_sample_responses_of_rfc_5769_2_2_and_2_3_are_read_and_verified() {
    for (hex, address) in [
        (RESPONSE_V4, "192.0.2.1:32853"),
        (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let bytes = bytes(hex);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.mapped_address, Some(address.parse().unwrap()));
        assert_eq!(message.verify(&IntegrityKey::new(PASSWORD)), Ok(()));
    }
}

#[test]
fn the_long_term_request_of_rfc_5769_2_4_verifies_with_its_md5_key() {
    // MD5 of "<username>:example.org:TheMatrIX".
    let key = IntegrityKey::new(&bytes("e8ca7ad59d5eb0518e312911d2dab2a9"));
    let bytes = bytes(LONG_TERM);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.username, Some("マトリックス"));
    assert!(!message.has_fingerprint());
    assert_eq!(message.verify(&key), Ok(()));
}

#[test]
fn a_written_request_is_read_back_by_the_other_end() {
    let key = IntegrityKey::new(PASSWORD);
    let mut buffer = [0; MESSAGE_SIZE_MAX];
    for (role, nomination) in [
        (IceRole::Controlling(7), Nomination::UseCandidate),
        (IceRole::Controlled(9), Nomination::None),
    ] {
        let request = BindingRequest {
            transaction: TRANSACTION,
            username: "server:client",
            priority: 0x6e00_01ff,
            role,
            nomination,
        };
        let length = request.write(&mut buffer, &key).unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();
        assert_eq!(message.verify(&key), Ok(()));
        assert!(message.has_fingerprint());
        assert_eq!(message.ufrags(), Some(("server", "client")));
        assert_eq!(message.priority, Some(0x6e00_01ff));
        assert_eq!(message.role, Some(role));
        assert_eq!(message.nomination, nomination);
    }
}

#[test]
fn a_written_success_carries_the_source_address_of_either_family() {
    let key = IntegrityKey::new(PASSWORD);
    let mut buffer = [0; MESSAGE_SIZE_MAX];
    for text in ["203.0.113.9:1", "[2001:db8::1]:65535"] {
        let source: SocketAddr = text.parse().unwrap();
        let length = write_success(&mut buffer, TRANSACTION, source, Some(&key)).unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.mapped_address, Some(source));
        assert_eq!(message.verify(&key), Ok(()));
    }
}

#[test]
fn every_error_code_survives_the_wire() {
    let mut buffer = [0; MESSAGE_SIZE_MAX];
    for code in [
        ErrorCode::BadRequest,
        ErrorCode::Unauthenticated,
        ErrorCode::UnknownAttribute,
        ErrorCode::RoleConflict,
        ErrorCode::Other(500),
    ] {
        let length = write_error(&mut buffer, TRANSACTION, code, &[0x7777], None).unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();
        assert_eq!(message.class, Class::Error);
        assert_eq!(message.error_code, Some(code));
        assert!(!message.has_integrity());
        assert!(message.has_fingerprint());
    }
}

#[test]
fn an_unknown_required_attribute_is_reported_and_an_optional_one_is_not() {
    let mut message = bytes("000100102112a442b7e7a701bc34d686fa87dfae");
    message.extend(bytes("7abc000400000000 9abc000400000000"));
    let parsed = Message::parse(&message).unwrap();
    assert_eq!(parsed.unknown.as_slice(), [0x7abc]);
    assert_eq!(parsed.verify(&IntegrityKey::new(PASSWORD)), Err(StunError::NoIntegrity));
}

#[test]
fn an_attribute_after_the_integrity_is_not_believed() {
    let key = IntegrityKey::new(PASSWORD);
    let mut buffer = [0; MESSAGE_SIZE_MAX];
    let length =
        write_success(&mut buffer, TRANSACTION, SocketAddr::from(([127, 0, 0, 1], 5)), Some(&key))
            .unwrap();
    // Replace the fingerprint by a PRIORITY, which has the same size.
    buffer[length - 8..length].copy_from_slice(&bytes("002400046e0001ff"));
    let message = Message::parse(&buffer[..length]).unwrap();
    assert_eq!(message.priority, None);
    assert!(!message.has_fingerprint());
}

#[test]
fn each_kind_of_damage_has_its_error() {
    let good = bytes(REQUEST);
    assert_eq!(Message::parse(&good[..19]).unwrap_err(), StunError::Length);
    assert_eq!(Message::parse(&good[..104]).unwrap_err(), StunError::Length);
    let damaged = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Message::parse(&bytes).map(|_| ()).unwrap_err()
    };
    assert_eq!(damaged(4, 0), StunError::NotStun);
    assert_eq!(damaged(0, 0xC0), StunError::NotStun);
    assert_eq!(damaged(1, 0x03), StunError::Method { method: 3 });
    assert_eq!(damaged(25, 0xAA), StunError::Fingerprint);
    assert_eq!(damaged(43, 3), StunError::Attribute { kind: 0x0024 });
}

#[test]
fn a_buffer_too_small_is_said_and_not_overrun() {
    let key = IntegrityKey::new(PASSWORD);
    let source = SocketAddr::from(([127, 0, 0, 1], 5));
    for size in 0..64 {
        let mut buffer = vec![0; size];
        assert!(write_success(&mut buffer, TRANSACTION, source, Some(&key)).is_err());
    }
    assert_eq!(write_success(&mut [0; 64], TRANSACTION, source, Some(&key)), Ok(64));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert!(message.verify(&IntegrityKey::new(PASSWORD)).is_err());
        }
    }

    #[test]
    fn arbitrary_attributes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..50)) {
        let mut message = bytes(&REQUEST[..40]);
        message.extend(&body);
        message.resize(message.len().next_multiple_of(4), 0);
        let length = (message.len() - 20) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
        if let Ok(parsed) = Message::parse(&message) {
            prop_assert!(parsed.verify(&IntegrityKey::new(PASSWORD)).is_err());
        }
    }
}
