//! The examples of the specification and of Chromium, and random descriptors.

mod writer;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::bytes::BufferTooSmall;
use writer::{BitWriter, Descriptor, Frame, Structure};

/// A.10.2.1, one spatial layer and three temporal ones.
fn l1t3() -> Structure {
    let rows = ["0 0 none 0 SSS", "0 0 4 4 SSS", "0 1 2 2 SD-", "0 2 1 1 D--", "0 2 1 3 D--"];
    Structure::of_rows(60, &rows, &[0, 0, 0], &[(1280, 720)])
}

/// A.10.2.2, three spatial layers of three temporal ones.
fn l3t3() -> Structure {
    let rows = [
        "0 0 none 0,0,0 SSSSSSSSS",
        "0 0 12 12,11,10 RRRRRRSSS",
        "0 1 6 6,5,4 RR-RR-SD-",
        "0 2 3 3,2,1 R--R--D--",
        "0 2 3 9,8,7 R--R--D--",
        "1 0 1 1,1,1 SSSSSS---",
        "1 0 12,1 1,1,1 RRRSSS---",
        "1 1 6,1 7,6,5 RR-SD----",
        "1 2 3,1 4,3,2 R--D-----",
        "1 2 3,1 10,9,8 R--D-----",
        "2 0 1 2,1,1 SSS------",
        "2 0 12,1 2,1,1 SSS------",
        "2 1 6,1 8,7,6 SD-------",
        "2 2 3,1 5,4,3 D--------",
        "2 2 3,1 11,10,9 D--------",
    ];
    let sizes = [(320, 180), (640, 360), (1280, 720)];
    Structure::of_rows(0, &rows, &[2, 2, 2, 1, 1, 1, 0, 0, 0], &sizes)
}

#[test]
fn the_structures_of_the_specification_are_read() {
    let l1t3_targets = [(0, 2), (0, 1), (0, 0)];
    let l3t3_targets = [(2, 2), (2, 1), (2, 0), (1, 2), (1, 1), (1, 0), (0, 2), (0, 1), (0, 0)];
    for (written, layers) in [(l1t3(), &l1t3_targets[..]), (l3t3(), &l3t3_targets[..])] {
        let first = Descriptor { structure: Some(written.clone()), ..Descriptor::default() };
        let value = first.bits(&written).bytes();
        let read = DependencyStructure::parse(&value).unwrap().unwrap();
        let of_target = |target: &DecodeTarget| (target.spatial_layer, target.temporal_layer);
        assert_eq!(read.decode_targets().iter().map(of_target).collect::<Vec<_>>(), layers);
        let chains: Vec<_> = read.decode_targets().iter().map(|t| t.chain.unwrap()).collect();
        assert_eq!(chains, written.protected_by);
        for (layer, size) in (0..).zip(&written.sizes) {
            assert_eq!(read.size(layer).map(|read| (read.width, read.height)), Some(*size));
        }
        assert_eq!(read.size(written.sizes.len() as u8), None);
        for (template, expected) in (0..).zip(&written.templates) {
            let short = Descriptor { template, number: 7, ..Descriptor::default() };
            let value = short.bits(&written).bytes();
            assert_eq!(value.len(), SHORT_BYTES);
            let parsed = DependencyDescriptor::parse(&value, &read).unwrap();
            let (targets, chains) = (layers.len(), read.chain_count());
            assert_eq!(Frame::of_parsed(&parsed.frame, targets, chains), *expected);
            assert_eq!((parsed.frame_number, parsed.active), (7, None));
        }
    }
}

/// Chromium 156, AV1 in L2T3: the first temporal units, and the first ones with fields of their own
/// after a picture was dropped.
#[test]
fn what_chromium_sends_is_read() {
    let first = "c10001800514853abfaaa18f04304302a02a006001001b934515e0827046\
                 08c0c787004321651111543276809f8059813f80b380";
    let structure = DependencyStructure::parse(&bytes(first)).unwrap().unwrap();
    let targets = structure.decode_targets().iter();
    let targets: Vec<_> = targets.map(|t| (t.spatial_layer, t.temporal_layer, t.chain)).collect();
    let low = (0..3).map(|temporal| (0, temporal, Some(0)));
    assert_eq!(
        targets,
        low.chain((0..3).map(|temporal| (1, temporal, Some(1)))).collect::<Vec<_>>()
    );
    for (value, number, row) in [
        (first, 1, "0 0 none 0,0 SSSSSS"),
        ("c60002", 2, "1 0 1 1,1 ---SSS"),
        ("c30003", 3, "0 2 2 2,1 --D--R"),
        ("c80004", 4, "1 2 2,1 3,2 -----D"),
        ("c20005", 5, "0 1 4 4,3 -DS-RR"),
        ("c70006", 6, "1 1 4,1 5,4 ----DS"),
        ("c200dc1a401810", 220, "0 1 3 3,2 -DS-RR"),
        ("c700dd1a48008060", 221, "1 1 3,1 4,3 ----DS"),
        ("c300de082820", 222, "0 2 2 5,4 --D--R"),
        ("c500e112c800", 225, "1 0 7,1 1,1 ---SSS"),
    ] {
        let read = DependencyDescriptor::parse(&bytes(value), &structure).unwrap();
        assert_eq!(Frame::of_parsed(&read.frame, 6, 2), Frame::of_row(row), "{value}");
        assert_eq!((read.frame_number, read.begins_frame, read.ends_frame), (number, true, true));
        let size = [(320, 180), (640, 360)][usize::from(read.frame.spatial_layer)];
        assert_eq!(read.size.map(|size| (size.width, size.height)), Some(size));
    }
    // VP9 in L2T3_KEY, at first without its upper spatial layer.
    let lower = "c00001c00514853aaaa8018004004002a02a0060010015d34514174d144c70087432\
                 1651118543276809f8059813f80b38e0";
    let read = DependencyDescriptor::parse(&bytes(lower), &DependencyStructure::default()).unwrap();
    assert_eq!(read.active, Some(DecodeTargets(0b00_0111)));
}

/// The bytes that `text` has in hexadecimal.
fn bytes(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn a_template_that_the_structure_does_not_have_is_named() {
    let unknown = |id| Err(DependencyError::UnknownTemplate { id });
    let none = DependencyStructure::default();
    assert_eq!(DependencyDescriptor::parse(&[0xC1, 0, 7], &none), unknown(1));
    // Of five templates from 60 on the last is 0, and 1 is behind it.
    let first = Descriptor { structure: Some(l1t3()), ..Descriptor::default() };
    let structure = DependencyStructure::parse(&first.bits(&l1t3()).bytes()).unwrap().unwrap();
    assert!(DependencyDescriptor::parse(&[0x3C, 0, 7], &structure).is_ok());
    assert!(DependencyDescriptor::parse(&[0x00, 0, 7], &structure).is_ok());
    assert_eq!(DependencyDescriptor::parse(&[0x01, 0, 7], &structure), unknown(1));
    assert_eq!(DependencyDescriptor::parse(&[0x3B, 0, 7], &structure), unknown(59));
}

#[test]
fn each_limit_is_an_error_of_its_own() {
    let structure = |steps: &[u32]| {
        let mut bits = BitWriter::default();
        bits.put(24, 0);
        bits.put(5, 0b10000);
        bits.put(11, 0);
        steps.iter().for_each(|step| bits.put(2, *step));
        bits.put(32, 0);
        bits.put(32, 0);
        bits.put(32, 0);
        DependencyStructure::parse(&bits.bytes()).map(|structure| structure.is_some())
    };
    assert_eq!(structure(&[3]), Ok(true));
    assert_eq!(structure(&[2, 2, 2, 3]), Ok(true));
    assert_eq!(structure(&[2, 2, 2, 2, 3]), Err(DependencyError::TooManyLayers));
    assert_eq!(structure(&[1, 1, 1, 1, 1, 1, 1, 3]), Ok(true));
    assert_eq!(structure(&[1, 1, 1, 1, 1, 1, 1, 1, 3]), Err(DependencyError::TooManyLayers));
    // 63 steps lead to the last template; the bits behind are enough for the fields of one only.
    let same = [0; TEMPLATES_MAX];
    assert_eq!(structure(&same), Err(DependencyError::TooManyTemplates));

    let most = Descriptor { referred: Some(vec![4096; REFERRED_FRAMES_MAX]), ..brings(l1t3()) };
    let parse = |descriptor: &Descriptor| {
        let value = descriptor.bits(&l1t3()).bytes();
        DependencyDescriptor::parse(&value, &DependencyStructure::default())
    };
    assert_eq!(parse(&most).unwrap().frame.referred_frames(), [4096; REFERRED_FRAMES_MAX]);
    let more = Descriptor { referred: Some(vec![1; REFERRED_FRAMES_MAX + 1]), ..brings(l1t3()) };
    assert_eq!(parse(&more), Err(DependencyError::TooManyReferredFrames));
    let mut template = l1t3();
    template.templates[2].referred = vec![1; REFERRED_FRAMES_MAX + 1];
    assert_eq!(parse(&brings(template)), Err(DependencyError::TooManyReferredFrames));
}

#[test]
fn a_viewer_of_fewer_layers_has_fewer_active_targets() {
    let first = brings(l3t3()).bits(&l3t3()).bytes();
    let structure = DependencyStructure::parse(&first).unwrap().unwrap();
    for (spatial, temporal, expected) in [
        (2, 2, 0b1_1111_1111),
        (9, 9, 0b1_1111_1111),
        (1, 1, 0b1_1011_0000),
        (0, 0, 0b1_0000_0000),
        (2, 0, 0b1_0010_0100),
    ] {
        let within = structure.decode_targets_within(spatial, temporal);
        assert_eq!(within, DecodeTargets(expected), "S{spatial} T{temporal}");
    }
}

#[test]
fn the_target_of_a_choice_of_layers_is_the_highest_in_it_and_may_be_part_of_another() {
    let first = brings(l3t3()).bits(&l3t3()).bytes();
    let structure = DependencyStructure::parse(&first).unwrap().unwrap();
    for (spatial, temporal, expected) in [(2, 2, 0), (2, 1, 1), (1, 2, 3), (0, 0, 8), (7, 7, 0)] {
        let within = structure.decode_targets_within(spatial, temporal);
        assert_eq!(structure.highest_of(within), Some(expected));
    }
    // All of L3T3 is nested.
    assert!(structure.is_part_of(8, 0) && structure.is_part_of(3, 0) && structure.is_part_of(4, 1));
    assert!(!structure.is_part_of(0, 8) && !structure.is_part_of(3, 1));
    assert_eq!(structure.highest_of(DecodeTargets(0)), None);
}

#[test]
fn active_targets_are_written_in_their_place() {
    let structure = brings(l1t3()).bits(&l1t3()).bytes();
    let structure = DependencyStructure::parse(&structure).unwrap().unwrap();
    let mut buffer = [0xFF; 8];
    let mut write = |value: &[u8], length: usize| {
        let buffer = &mut buffer[..length];
        DependencyDescriptor::write_with_active(value, &structure, DecodeTargets(0b110), buffer)
            .map(|(length, _)| buffer[..length].to_vec())
    };
    // Template 60, number 7; then the flags, 01000, and 110.
    assert_eq!(write(&[0xFC, 0, 7], 4), Ok(vec![0xFC, 0, 7, 0b0100_0110]));
    assert_eq!(write(&[0xFC, 0, 7, 0b0100_0011], 4), Ok(vec![0xFC, 0, 7, 0b0100_0110]));
    // With referred frames of its own, here none: two bits behind the targets.
    assert_eq!(write(&[0xFC, 0, 7, 0b0001_0000], 8), Ok(vec![0xFC, 0, 7, 0b0101_0110, 0]));
    assert_eq!(write(&[0xFC, 0, 7], 3), Err(BufferTooSmall.into()));
    assert_eq!(write(&[0xC8, 0, 7], 8), Err(DependencyError::UnknownTemplate { id: 8 }.into()));
}

#[test]
fn decode_targets_are_a_set_of_up_to_32() {
    assert_eq!(DecodeTargets::first(32), DecodeTargets(u32::MAX));
    assert_eq!(DecodeTargets::first(1), DecodeTargets(1));
    let set = DecodeTargets(0x8000_0002);
    let contained: Vec<_> = (0..40).filter(|target| set.contains(*target)).collect();
    assert_eq!(contained, [1, 31]);
}

/// The first descriptor of a sequence.
fn brings(structure: Structure) -> Descriptor {
    Descriptor { begins_frame: true, structure: Some(structure), ..Descriptor::default() }
}

/// A structure, and what random descriptors need of it.
fn any_structure() -> impl Strategy<Value = Structure> {
    let counts = (1..=DECODE_TARGETS_MAX, 0..=CHAINS_MAX, 1..=TEMPLATES_MAX);
    counts.prop_flat_map(|(targets, chains, templates)| {
        let chains = chains.min(targets);
        let frame = (
            "[-DSR]{32}",
            vec(1..=16u16, 0..=REFERRED_FRAMES_MAX),
            vec(0..16u8, chains..=chains),
            0..3u8,
        );
        let protected_by = vec(0..chains.max(1) as u8, targets..=targets);
        let sizes = prop::option::of(vec((1..=u16::MAX, 1..=u16::MAX), 4..=4));
        (0..64u8, vec(frame, templates..=templates), protected_by, sizes).prop_map(
            move |(offset, frames, protected_by, sizes)| {
                let (mut spatial, mut temporal) = (0, 0);
                let mut templates = Vec::new();
                for (indications, referred, chains, step) in frames {
                    templates.push(Frame {
                        layers: (spatial, temporal),
                        indications: indications[..targets].to_owned(),
                        referred,
                        chains,
                    });
                    match step {
                        1 if temporal < 7 => temporal += 1,
                        2 if spatial < 3 => (spatial, temporal) = (spatial + 1, 0),
                        _ => {}
                    }
                }
                let highest = usize::from(templates.last().unwrap().layers.0);
                let sizes = sizes.map_or(Vec::new(), |sizes| sizes[..=highest].to_vec());
                Structure { offset, templates, protected_by, sizes }
            },
        )
    })
}

/// A descriptor of a random structure, which it may bring.
fn any_descriptor() -> impl Strategy<Value = (Structure, Descriptor)> {
    (any_structure(), any::<[bool; 3]>(), any::<(u8, u16)>()).prop_flat_map(
        |(structure, [begins_frame, ends_frame, brings_structure], (template, number))| {
            let (targets, chains) = (structure.protected_by.len(), structure.chains());
            let custom = (
                prop::option::of(any::<u32>()),
                prop::option::of("[-DSR]{32}"),
                prop::option::of(vec(1..=4096u16, 0..=REFERRED_FRAMES_MAX)),
                prop::option::of(vec(any::<u8>(), chains..=chains)),
            );
            let template = template % structure.templates.len() as u8;
            custom.prop_map(move |(active, indications, referred, chains)| {
                let descriptor = Descriptor {
                    begins_frame,
                    ends_frame,
                    template,
                    number,
                    structure: brings_structure.then(|| structure.clone()),
                    active: active.map(|mask| (u64::from(mask) & ((1 << targets) - 1)) as u32),
                    indications: indications.map(|symbols| symbols[..targets].to_owned()),
                    referred,
                    chains,
                };
                (structure.clone(), descriptor)
            })
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read((structure, descriptor) in any_descriptor()) {
        let first = brings(structure.clone()).bits(&structure).bytes();
        let known = DependencyStructure::parse(&first).unwrap().unwrap();
        let (targets, chains) = (structure.protected_by.len(), structure.chains());
        prop_assert_eq!((known.decode_targets().len(), known.chain_count()), (targets, chains));

        let value = descriptor.bits(&structure).bytes();
        let in_force = match descriptor.structure {
            Some(_) => DependencyStructure::default(),
            None => known.clone(),
        };
        let brought = DependencyStructure::parse(&value).unwrap();
        prop_assert_eq!(brought.is_some(), descriptor.structure.is_some());
        prop_assert!(brought.is_none_or(|brought| brought == known));

        let read = DependencyDescriptor::parse(&value, &in_force).unwrap();
        prop_assert_eq!(read.begins_frame, descriptor.begins_frame);
        prop_assert_eq!(read.ends_frame, descriptor.ends_frame);
        prop_assert_eq!(read.frame_number, descriptor.number);
        let all = descriptor.structure.is_some().then(|| DecodeTargets::first(targets).0);
        prop_assert_eq!(read.active.map(|set| set.0), descriptor.active.or(all));
        let expected = descriptor.expected(&structure);
        prop_assert_eq!(Frame::of_parsed(&read.frame, targets, chains), expected.clone());
        let size = structure.sizes.get(usize::from(expected.layers.0)).copied();
        prop_assert_eq!(read.size.map(|size| (size.width, size.height)), size);
    }

    #[test]
    fn other_active_targets_change_nothing_else(
        (structure, descriptor) in any_descriptor(),
        (active, others) in any::<(u32, u32)>(),
    ) {
        let first = brings(structure.clone()).bits(&structure).bytes();
        let known = DependencyStructure::parse(&first).unwrap().unwrap();
        let value = descriptor.bits(&structure).bytes();
        let mut buffer = vec![0xFF; value.len() + 5];
        let active = DecodeTargets(active);
        let (length, field) =
            DependencyDescriptor::write_with_active(&value, &known, active, &mut buffer).unwrap();
        let written = &buffer[..length];
        let all = DecodeTargets::first(structure.protected_by.len());
        let expected = DependencyDescriptor {
            active: Some(DecodeTargets(active.0 & all.0)),
            ..DependencyDescriptor::parse(&value, &known).unwrap()
        };
        prop_assert_eq!(DependencyDescriptor::parse(written, &known), Ok(expected));
        let brought = DependencyStructure::parse(written).unwrap();
        prop_assert_eq!(brought, DependencyStructure::parse(&value).unwrap());

        let mut fewer = written.to_vec();
        field.keep_only(&mut fewer, DecodeTargets(others));
        let expected = DependencyDescriptor {
            active: Some(DecodeTargets(active.0 & all.0 & others)),
            ..DependencyDescriptor::parse(&value, &known).unwrap()
        };
        prop_assert_eq!(DependencyDescriptor::parse(&fewer, &known), Ok(expected));

        let mut small = vec![0; length - 1];
        let refused = DependencyDescriptor::write_with_active(&value, &known, active, &mut small);
        prop_assert_eq!(refused, Err(BufferTooSmall.into()));
    }

    #[test]
    fn a_descriptor_that_is_cut_off_is_refused((structure, descriptor) in any_descriptor()) {
        let first = brings(structure.clone()).bits(&structure).bytes();
        let known = DependencyStructure::parse(&first).unwrap().unwrap();
        let value = descriptor.bits(&structure).bytes();
        for length in (0..value.len()).filter(|length| *length != SHORT_BYTES) {
            let cut = DependencyDescriptor::parse(&value[..length], &known);
            prop_assert_eq!(cut, Err(DependencyError::Truncated), "{} of {}", length, value.len());
        }
    }

    #[test]
    fn arbitrary_values_never_panic_and_padding_says_nothing(
        mut value in vec(any::<u8>(), 0..255),
        structure in any_structure(),
    ) {
        let first = brings(structure.clone()).bits(&structure).bytes();
        let known = DependencyStructure::parse(&first).unwrap().unwrap();
        let read = DependencyDescriptor::parse(&value, &known);
        if value.len() > SHORT_BYTES && read.is_ok() {
            value.push(0);
            prop_assert_eq!(DependencyDescriptor::parse(&value, &known), read);
        }
    }
}
