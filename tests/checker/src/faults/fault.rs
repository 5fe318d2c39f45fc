//! What can fail, and what a run with it needs. What each does is in [`faults`](super).

use fastrand::Rng;

/// Something that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Redis is killed, and starts again without its data.
    RedisEmptied,
    /// Redis stops answering for a while (SIGSTOP).
    RedisStopped,
    /// FLUSHALL.
    RedisFlushed,
    /// Redis fails over to data that lack the last writes: it is killed, and starts again, another server by its
    /// identity, with what it had a while before.
    RedisTailLost,
    /// Redis fails over to a replica that lacks the last writes, and is not promoted at once.
    ReplicaPromoted,
    /// The journal is trimmed to its newest records, or nothing, while a container rests.
    JournalTrimmed,
    /// The connections of all containers to Redis break, once.
    RedisReset,
    /// A container cannot reach Redis.
    OneCutOff,
    /// No container can reach Redis.
    AllCutOff,
    /// Redis does what a container says, but its answers do not come back.
    RepliesHeld,
    /// What a container says comes to Redis when the container has long given up.
    CommandsHeld,
    /// The commands of a container reach Redis late.
    RedisSlow,
    /// Containers are killed in the midst of mutations.
    ContainersKilled,
    /// A container stops in the midst of whatever it does (SIGSTOP), and goes on later.
    ContainerStopped,
    /// A container gets no requests, and so stays frozen.
    ContainerRests,
    /// L3 refuses connections.
    L3Stopped,
    /// L3 says that it is asked too much.
    L3Throttling,
    /// L3 fails now and then.
    L3Failing,
    /// Requests to L3 take effect a little late.
    L3Slow,
    /// Writes into L3 take effect once more when they have been repeated, acknowledged, and undone by others.
    WritesLate,
    /// Values are on their way from L3 into L2 while they are deleted or replaced.
    PromotionsSlow,
    /// Values are read while an invalidation is about to remove them.
    InvalidationsSlow,
    /// Redis is full: it answers, and refuses to write.
    RedisFull,
    /// Redis lacks the replicas without which it refuses to write.
    RedisLacksReplicas,
    /// Redis is far away, and the way to it narrow.
    RedisNarrow,
    /// More records come into the journal than anybody reads at once.
    JournalBusy,
    /// The wall clock of a container is ahead, and set back.
    ClockSetBack,
    /// Slots of a cluster move to another server, and now and then one is lost meanwhile.
    SlotsMoved,
    /// L3 is slow for long, measured by what containers are told to wait for it.
    L3SlowForLong,
    /// L3 throttles and fails in part, for long.
    L3SickForLong,
    /// More mutations are made without Redis than are read at once of what they leave.
    ManyNotes,
    /// More invalidations are begun than are finished.
    ManyOpen,
    /// L3 is slow while what is missing is filled, and others make an end of it.
    FillsSlow,
    /// L3 is slow while values are changed by PATCH, and others make an end of them.
    PatchesSlow,
    /// Invalidations are undone while others make an end of what they have removed, and L3 is slow.
    UndosRaced,
    /// Lives are ended while others make an end of the values as well, and L3 is slow.
    LivesEnded,
    /// Values are replaced by ones with the same tags while others change the tags, and L3 is slow.
    TagsRaced,
    /// Copies of what has been replaced or removed are read when the journal's history says nothing of it any more.
    HistoryOutlived,
}

impl Fault {
    /// Every one there is.
    pub const ALL: [Fault; 38] = [
        Fault::HistoryOutlived,
        Fault::ContainersKilled,
        Fault::RedisFull,
        Fault::L3SlowForLong,
        Fault::RedisTailLost,
        Fault::JournalBusy,
        Fault::L3SickForLong,
        Fault::OneCutOff,
        Fault::RedisNarrow,
        Fault::RedisStopped,
        Fault::L3Failing,
        Fault::ManyNotes,
        Fault::RepliesHeld,
        Fault::ContainerStopped,
        Fault::RedisLacksReplicas,
        Fault::AllCutOff,
        Fault::L3Stopped,
        Fault::RedisFlushed,
        Fault::L3Throttling,
        Fault::CommandsHeld,
        Fault::RedisReset,
        Fault::ManyOpen,
        Fault::SlotsMoved,
        Fault::ClockSetBack,
        Fault::L3Slow,
        Fault::ReplicaPromoted,
        Fault::ContainerRests,
        Fault::JournalTrimmed,
        Fault::RedisSlow,
        Fault::WritesLate,
        Fault::RedisEmptied,
        Fault::PromotionsSlow,
        Fault::FillsSlow,
        Fault::PatchesSlow,
        Fault::UndosRaced,
        Fault::LivesEnded,
        Fault::TagsRaced,
        Fault::InvalidationsSlow,
    ];

    /// The fault of that name.
    pub fn named(name: &str) -> Option<Fault> {
        Self::ALL.into_iter().find(|fault| format!("{fault:?}") == name)
    }

    /// The faults of a run, one out of those given or two. Runs with seeds in a row begin with one after another.
    pub(crate) fn draw(of: &[Fault], seed: u64, rng: &mut Rng) -> Vec<Fault> {
        let first = usize::try_from(seed % of.len() as u64).expect("a small number");
        let second = rng.bool().then(|| of[rng.usize(..of.len())]).filter(|second| *second != of[first]);
        [of[first]].into_iter().chain(second).collect()
    }

    /// Whether L3 answers as ever while it lasts, and so does every process.
    pub(crate) fn leaves_l3_well(self) -> bool {
        !matches!(
            self,
            Fault::HistoryOutlived
                | Fault::ContainersKilled
                | Fault::ContainerStopped
                | Fault::L3Stopped
                | Fault::L3Throttling
                | Fault::L3Failing
                | Fault::L3Slow
                | Fault::L3SlowForLong
                | Fault::L3SickForLong
                | Fault::ManyOpen
                | Fault::WritesLate
                | Fault::FillsSlow
                | Fault::PatchesSlow
                | Fault::UndosRaced
                | Fault::LivesEnded
                | Fault::TagsRaced
                | Fault::InvalidationsSlow
        )
    }

    /// Whether it changes the configuration.
    pub(crate) fn configures(self) -> bool {
        matches!(self, Fault::L3SlowForLong | Fault::ManyOpen)
    }

    /// Whether it can only happen where L2 is a cluster.
    pub fn needs_cluster(self) -> bool {
        self == Fault::SlotsMoved
    }

    /// Whether it can happen there. Most have one server in their hands, or a container's way to it.
    pub fn allows_cluster(self) -> bool {
        self.needs_cluster()
            || matches!(
                self,
                Fault::ContainersKilled
                    | Fault::ContainerStopped
                    | Fault::ContainerRests
                    | Fault::L3Stopped
                    | Fault::L3Throttling
                    | Fault::L3Failing
                    | Fault::L3Slow
                    | Fault::WritesLate
                    | Fault::FillsSlow
                    | Fault::PatchesSlow
                    | Fault::UndosRaced
                    | Fault::LivesEnded
                    | Fault::TagsRaced
                    | Fault::InvalidationsSlow
            )
    }

    /// Whether it puts clocks on and back.
    pub(crate) fn sets_clocks(self) -> bool {
        self == Fault::ClockSetBack
    }

    /// Whether it needs that what is removed can be undone.
    pub(crate) fn undoes(self) -> bool {
        self == Fault::UndosRaced
    }

    /// Whether it needs invalidations that do not end in time.
    pub(crate) fn hurries_invalidations(self) -> bool {
        self == Fault::ManyOpen
    }

    /// Whether it leaves more behind than another run should have to do with.
    pub(crate) fn spoils_stack(self) -> bool {
        matches!(self, Fault::ManyOpen | Fault::SlotsMoved)
    }
}
