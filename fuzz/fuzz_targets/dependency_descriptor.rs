//! A run of arbitrary dependency descriptors, each behind a byte with its length, read with the
//! structure that the ones before it brought.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odeum_rtp::dependency_descriptor::{
    CHAINS_MAX, DECODE_TARGETS_MAX, DecodeTargets, DependencyDescriptor, DependencyStructure,
    Indication, REFERRED_FRAMES_MAX,
};

fuzz_target!(|bytes: &[u8]| {
    let mut in_force = DependencyStructure::default();
    let mut bytes = bytes;
    while let [length, rest @ ..] = bytes {
        let value;
        (value, bytes) = rest.split_at(rest.len().min((*length).into()));
        let read = DependencyDescriptor::parse(value, &in_force);
        let brought = match DependencyStructure::parse(value) {
            Ok(brought) => brought,
            Err(error) => {
                assert_eq!(read, Err(error), "the frame cannot be known without its structure");
                continue;
            }
        };
        if let Some(structure) = brought {
            check_structure(&structure);
            in_force = structure;
        }
        let Ok(descriptor) = read else { continue };
        check_descriptor(&descriptor, &in_force);
        assert_eq!(DependencyDescriptor::parse(value, &in_force), read);
        let mut buffer = vec![0xFF; value.len() + 5];
        let active = DecodeTargets(u32::from_be_bytes([value[0], value[1], value[2], value[2]]));
        let (length, field) =
            DependencyDescriptor::write_with_active(value, &in_force, active, &mut buffer)
                .expect("it was read, and is at most five bytes longer");
        let written = DependencyDescriptor::parse(&buffer[..length], &in_force).expect("as before");
        let targets = written.active.expect("they were written").0;
        assert_eq!(active.0 & targets, targets);
        assert_eq!(DependencyDescriptor { active: descriptor.active, ..written }, descriptor);
        field.keep_only(&mut buffer[..length], DecodeTargets(0));
        let none = DependencyDescriptor::parse(&buffer[..length], &in_force).expect("as before");
        assert_eq!(none, DependencyDescriptor { active: Some(DecodeTargets(0)), ..descriptor });
        // Behind the last field is padding.
        if value.len() > 3 {
            let longer: Vec<u8> = value.iter().copied().chain([0]).collect();
            assert_eq!(DependencyDescriptor::parse(&longer, &in_force), read);
        }
    }
});

fn check_structure(structure: &DependencyStructure) {
    let targets = structure.decode_targets();
    assert!((1..=DECODE_TARGETS_MAX).contains(&targets.len()));
    assert!(structure.chain_count() <= targets.len());
    for target in targets {
        assert!(target.spatial_layer < 4 && target.temporal_layer < 8);
        let chain = target.chain.map(usize::from);
        assert_eq!(chain.is_none(), structure.chain_count() == 0);
        assert!(chain.is_none_or(|chain| chain < structure.chain_count()));
    }
    assert_eq!(structure.size(4), None);
}

fn check_descriptor(descriptor: &DependencyDescriptor, structure: &DependencyStructure) {
    let targets = structure.decode_targets().len();
    let active = descriptor.active.unwrap_or_default();
    assert!(!(targets..64).any(|target| active.contains(target)));
    let frame = &descriptor.frame;
    assert!((targets..64).all(|target| frame.indication(target) == Indication::NotPresent));
    assert!((structure.chain_count()..2 * CHAINS_MAX).all(|chain| frame.chain(chain) == 0));
    assert!(frame.referred_frames().len() <= REFERRED_FRAMES_MAX);
    assert!(frame.referred_frames().iter().all(|back| (1..=4096).contains(back)));
    assert_eq!(descriptor.size, structure.size(frame.spatial_layer));
}
