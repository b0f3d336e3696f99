//! What went wrong on purpose, and what came of it, counted: a simulation that injects nothing
//! proves nothing.

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Every field must be above zero at the end of a simulation.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct Faults {
            $($(#[$doc])* pub(crate) $name: u64,)*
        }

        impl Faults {
            /// Adds the counts of another run.
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// Fails unless each one happened.
            pub(crate) fn assert_all_happened(&self) {
                $(assert!(self.$name > 0, "no {} in all seeds: {self:?}", stringify!($name));)*
            }
        }
    };
}

faults! {
    crashes,
    drops,
    deliveries_lost,
    replies_lost,
    late_drop_notices,
    replays,
    repeated_notices,
    snapshots,
    resumptions_too_late,
    forgeries,
    commits_lost,
    commits_still_elsewhere,
    evictions,
    rooms_full,
    streams_taken,
    kickouts,
    stale_media,
    media_lost,
    /// Listed streams left waiting for their publisher.
    interruptions,
    /// Of these, with another transport in time.
    interruptions_mended,
    /// Of these, ended by time.
    interruptions_ended,
    /// Plays asked for meanwhile.
    plays_of_interrupted,
    deletions,
    /// Messages that a client lost for good and was told of.
    messages_lost,
    /// Messages told beside a snapshot.
    messages_caught_up,
    /// Messages of clients that came too often.
    messages_refused,
    /// Barrage to a client that had no connection.
    barrages_lost,
    targets_offline,
    second_keys,
    stream_extra_infos,
    streams_cut,
    cuts_ended,
    publications_begun_cut,
    streams_forbidden,
    /// By a rule about the stream or the user.
    publications_refused,
    timeouts,
}
