//! Deliberate defects: what the simulation must catch, or it proves nothing.

/// A defect of the simulated shell, or at the border of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// Outbox rows are written after the commit of what they belong to.
    OutboxAfterCommit,
    /// A report of an older attempt is taken for the current one.
    FenceOpen,
    /// Places of attempts that another replica has ended are never free again.
    SlotNotFreed,
    /// Completion messages are deleted before what they report is committed.
    DeletedBeforeCommit,
    /// A change is saved although another replica has changed the run since.
    VersionUnguarded,
    /// The run's alarm is not saved.
    AlarmNotSaved,
    /// The run's counts are not saved.
    CountsNotSaved,
    /// A remembered state that another replica has outdated decides what is stale.
    CacheTrusted,
    /// Outbox rows of a relay that died are never sent.
    LeaseForever,
    /// A start that comes twice makes two runs.
    StartTwice,
    /// A message that is no longer wanted stays in the outbox.
    StopKeepsMessage,
    /// The waker goes on after an alarm and forgets others of the same moment.
    EqualAlarmsSkipped,
    /// A start does not send again what the queue has forgotten.
    RecoveryForgets,
    /// A part of the history is not written.
    RecordLost,
    /// Reports without a valid token are taken.
    TokenUnchecked,
    /// The pause of a run is not saved.
    PauseNotSaved,
    /// An attempt that must not begin yet gets a message.
    DispatchedEarly,
    /// Callers hear of their commit before it has taken place.
    AnsweredBeforeCommit,
    /// A cancel is answered and forgotten.
    CancelLost,
    /// The place of an attempt that has ended is not given back.
    PlaceKept,
    /// Dead letters of the task queue are deleted unread.
    DeadLettersDropped,
    /// Every try to start a child makes another one.
    ChildTwice,
    /// Errands are removed before they are done.
    ErrandsForgotten,
    /// The cancel of a parent does not go down to its children.
    CancelStaysUp,
    /// A parent is not told of the end of its child.
    EndUntold,
    /// A callback token is good for every attempt of its task.
    CallbackFenceOpen,
    /// A task that begins to wait is not offered the events that came before.
    LookBackForgotten,
    /// The row of a wait that is over stays.
    WaitKept,
    /// Kept results are given to whoever asks, whatever the key.
    CacheKeyIgnored,
    /// A place is taken by one more than there is room for.
    GroupOverrun,
    /// A dead letter is not kept.
    LetterLost,
    /// Workers report what they were told in confidence.
    SecretTold,
}

impl Defect {
    /// All of them, each with the rule that names it.
    pub const ALL: [(Self, &'static [&'static str]); 32] = [
        (Self::OutboxAfterCommit, &["carried"]),
        (Self::FenceOpen, &["authentic"]),
        (Self::SlotNotFreed, &["ends"]),
        (Self::DeletedBeforeCommit, &["reports-kept"]),
        (Self::VersionUnguarded, &["gapless", "replay", "state"]),
        (Self::AlarmNotSaved, &["state", "ends"]),
        (Self::CountsNotSaved, &["state", "replay"]),
        (Self::CacheTrusted, &["reports-kept"]),
        (Self::LeaseForever, &["sent-soon"]),
        (Self::StartTwice, &["one-run-a-key"]),
        (Self::StopKeepsMessage, &["outbox"]),
        (Self::EqualAlarmsSkipped, &["ends"]),
        (Self::RecoveryForgets, &["carried"]),
        (Self::RecordLost, &["gapless"]),
        (Self::TokenUnchecked, &["authentic"]),
        (Self::PauseNotSaved, &["replay"]),
        (Self::DispatchedEarly, &["outbox", "carried"]),
        (Self::AnsweredBeforeCommit, &["accepted-kept", "one-run-a-key"]),
        (Self::CancelLost, &["accepted-kept"]),
        (Self::PlaceKept, &["places"]),
        (Self::DeadLettersDropped, &["carried"]),
        (Self::ChildTwice, &["one-child"]),
        (Self::ErrandsForgotten, &["children"]),
        (Self::CancelStaysUp, &["children"]),
        (Self::EndUntold, &["children"]),
        (Self::CallbackFenceOpen, &["callback"]),
        (Self::LookBackForgotten, &["heard"]),
        (Self::WaitKept, &["waits"]),
        (Self::CacheKeyIgnored, &["kept"]),
        (Self::GroupOverrun, &["places"]),
        (Self::LetterLost, &["letters"]),
        (Self::SecretTold, &["secret"]),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }

    /// The defect of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let all = Self::ALL.iter().map(|(defect, _)| *defect);
        all.into_iter().find(|defect| defect.name() == name)
    }
}
