//! A client's handshake messages before they are believed: cut out of records, put together from
//! fragments (RFC 6347 §4.2.2), and written anew for OpenSSL.

use super::records::{HANDSHAKE, Record, records};

/// Type, length, number, fragment's offset and length.
const HEADER_BYTES: usize = 12;

/// Longest message: a hello with a post-quantum key has 2 KB, a certificate of RSA 4096 half of it.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// What a message is (RFC 5246 §7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// ClientHello.
    Hello = 1,
    /// Certificate.
    Certificate = 11,
    /// CertificateVerify: the proof that the client has the certificate's key.
    Proof = 15,
    /// ClientKeyExchange.
    KeyExchange = 16,
}

impl Kind {
    /// Its place among a client's messages, for there is no cookie exchange and one handshake.
    fn number(self) -> u8 {
        match self {
            Self::Hello => 0,
            Self::Certificate => 1,
            Self::KeyExchange => 2,
            Self::Proof => 3,
        }
    }

    fn of(kind: u8, number: u8) -> Option<Self> {
        let all = [Self::Hello, Self::Certificate, Self::KeyExchange, Self::Proof];
        all.into_iter().find(|own| *own as u8 == kind && own.number() == number)
    }
}

/// A part of a message, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    /// HandshakeType.
    kind: u8,
    /// message_seq.
    number: u8,
    /// Bytes of the whole message.
    total: usize,
    /// Where the part begins in it.
    offset: usize,
    /// The part.
    bytes: &'a [u8],
}

impl Fragment<'_> {
    /// Which of a client's messages it is of.
    pub(super) fn kind(&self) -> Option<Kind> {
        Kind::of(self.kind, self.number)
    }
}

/// The fragments in a record, if all of it consists of such.
pub(super) fn fragments<'a>(record: &Record<'a>) -> Vec<Fragment<'a>> {
    let (mut rest, mut found) = (record.fragment, Vec::new());
    while !rest.is_empty() {
        let Some((fragment, after)) = split_fragment(rest) else { return Vec::new() };
        found.push(fragment);
        rest = after;
    }
    found
}

fn split_fragment(bytes: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let number =
        |at: usize| u32::from_be_bytes([0, header[at], header[at + 1], header[at + 2]]) as usize;
    let (total, offset, length) = (number(1), number(6), number(9));
    let (bytes, rest) = rest.split_at_checked(length)?;
    let is_sound = header[4] == 0
        && total <= MESSAGE_BYTES_MAX
        && offset + length <= total
        && (length > 0 || total == 0);
    let fragment = Fragment { kind: header[0], number: header[5], total, offset, bytes };
    is_sound.then_some((fragment, rest))
}

/// A message that comes in parts. What comes later takes the place of what came before: which of
/// them is the client's, only its proof can tell.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// Its bytes, as long as it is said to be.
    body: Vec<u8>,
    /// Which of them have come.
    has: Vec<bool>,
    /// How many have not.
    missing: usize,
    /// Whether anything has come.
    has_begun: bool,
}

impl Assembly {
    /// Takes a part, which costs what the part is long; another length than before begins anew.
    pub(super) fn take(&mut self, fragment: &Fragment<'_>) {
        if self.body.len() != fragment.total || !self.has_begun {
            self.begin(fragment.total);
        }
        let range = fragment.offset..fragment.offset + fragment.bytes.len();
        self.body[range.clone()].copy_from_slice(fragment.bytes);
        for has in &mut self.has[range] {
            self.missing -= usize::from(!*has);
            *has = true;
        }
    }

    /// Begins a message of `total` bytes, in the memory that is there.
    fn begin(&mut self, total: usize) {
        self.body.clear();
        self.body.resize(total, 0);
        self.has.clear();
        self.has.resize(total, false);
        (self.missing, self.has_begun) = (total, true);
    }

    /// The message, once it is whole.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (self.has_begun && self.missing == 0).then_some(&*self.body)
    }

    /// Forgets what came.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A client's message in one piece, as it is signed (RFC 6347 §4.2.6) and as OpenSSL gets it.
pub(super) fn whole_message(kind: Kind, body: &[u8]) -> Vec<u8> {
    message(kind as u8, kind.number(), body)
}

fn message(kind: u8, number: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
    let mut message = vec![kind, high, middle, low, 0, number, 0, 0, 0, high, middle, low];
    message.extend_from_slice(body);
    message
}

/// The messages of our own flight, one after the other, each in one piece.
pub(super) fn messages_of(flight: &[Vec<u8>]) -> Vec<u8> {
    let mut messages: Vec<(u8, u8, Assembly)> = Vec::new();
    let records = flight.iter().flat_map(|datagram| records(datagram));
    for record in records.filter(|record| (record.epoch, record.content) == (0, HANDSHAKE)) {
        for fragment in fragments(&record) {
            let number = fragment.number;
            let at = messages.iter().position(|(_, own, _)| *own == number);
            let at = at.unwrap_or_else(|| {
                messages.push((fragment.kind, number, Assembly::default()));
                messages.len() - 1
            });
            messages[at].2.take(&fragment);
        }
    }
    let whole = messages
        .iter()
        .filter_map(|(kind, number, assembly)| Some(message(*kind, *number, assembly.whole()?)));
    whole.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(message: &[u8]) -> Vec<u8> {
        let mut record = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7];
        record.extend((message.len() as u16).to_be_bytes());
        record.extend(message);
        record
    }

    fn part(kind: u8, number: u8, total: u16, offset: u8, body: &[u8]) -> Vec<u8> {
        let [high, low] = total.to_be_bytes();
        let length = body.len() as u8;
        [&[kind, 0, high, low, 0, number, 0, 0, offset, 0, 0, length][..], body].concat()
    }

    /// Kinds of what is found in a record with these bytes.
    fn found(message: &[u8]) -> Vec<Option<Kind>> {
        let bytes = record(message);
        records(&bytes).flat_map(|record| fragments(&record)).map(|part| part.kind()).collect()
    }

    #[test]
    fn what_is_malformed_or_out_of_its_place_is_no_message_of_a_client() {
        let two = [part(11, 1, 3, 0, &[0; 3]), part(16, 2, 4, 0, &[1; 4])].concat();
        assert_eq!(found(&two), [Some(Kind::Certificate), Some(Kind::KeyExchange)]);
        assert_eq!(found(&part(1, 0, 40, 30, &[0; 10])), [Some(Kind::Hello)]);
        // A server's message, and one under another's number.
        assert_eq!(found(&part(2, 1, 40, 0, &[0; 40])), [None]);
        assert_eq!(found(&part(11, 2, 40, 0, &[0; 40])), [None]);
        let cut = part(11, 1, 40, 0, &[0; 30]);
        let malformed = [
            Vec::new(),
            vec![1],
            part(11, 1, 40, 31, &[0; 10]),
            part(11, 1, 40, 10, &[]),
            part(11, 1, 8_193, 0, &[0; 10]),
            cut[..cut.len() - 1].to_vec(),
            [&two[..], &[1]].concat(),
        ];
        for bytes in malformed {
            assert_eq!(found(&bytes), [], "{bytes:02x?}");
        }
    }

    #[test]
    fn parts_in_any_order_make_a_message_and_a_whole_one_takes_their_place() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.whole(), None);
        for (offset, body) in [(6, &b"ghi"[..]), (0, b"abcd"), (3, b"defg")] {
            let bytes = record(&part(16, 2, 9, offset, body));
            assert_eq!(assembly.whole(), None);
            records(&bytes).flat_map(|record| fragments(&record)).for_each(|p| assembly.take(&p));
        }
        assert_eq!(assembly.whole(), Some(&b"abcdefghi"[..]));
        let take = |assembly: &mut Assembly, bytes: Vec<u8>| {
            let bytes = record(&bytes);
            records(&bytes).flat_map(|record| fragments(&record)).for_each(|p| assembly.take(&p));
        };
        take(&mut assembly, part(16, 2, 8, 0, b"abcd"));
        assert_eq!(assembly.whole(), None, "it is another length");
        take(&mut assembly, part(16, 2, 2, 0, b"xy"));
        assert_eq!(assembly.whole(), Some(&b"xy"[..]));
        take(&mut assembly, part(16, 2, 0, 0, b""));
        assert_eq!(assembly.whole(), Some(&b""[..]));
        assembly.clear();
        assert_eq!(assembly.whole(), None);
    }

    #[test]
    fn our_flight_is_read_as_it_is_signed() {
        let flight = [
            record(&[part(2, 0, 3, 0, b"one"), part(11, 1, 6, 0, b"cer")].concat()),
            [record(&part(11, 1, 6, 3, b"tif")), record(&part(14, 2, 0, 0, b""))].concat(),
        ];
        let whole =
            [part(2, 0, 3, 0, b"one"), part(11, 1, 6, 0, b"certif"), part(14, 2, 0, 0, b"")];
        assert_eq!(messages_of(&flight), whole.concat());
        assert_eq!(whole_message(Kind::Proof, b"signed"), part(15, 3, 6, 0, b"signed"));
    }
}
