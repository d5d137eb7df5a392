//! Cursors: the sort key of an item, opaque to clients. A cursor of one list is refused by the others.

use async_graphql::ID;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runnel_engine::{RunId, TaskIx};
use runnel_runtime::view::FeedCursor;
use uuid::Uuid;

use crate::error::ApiError;

/// A sort key that travels as a cursor.
pub(crate) trait Cursor: Sized {
    /// First character of the text form; one per list.
    const TAG: char;
    /// The parts, joined by `.`.
    fn write(&self) -> String;
    /// Reads what [`Cursor::write`] wrote.
    fn read(text: &str) -> Option<Self>;

    /// The text form.
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{}", Self::TAG, self.write()))
    }

    /// Reads the text form; `None` for anything that this list did not give out.
    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        text.strip_prefix(Self::TAG).and_then(Self::read)
    }

    /// Reads an `after` argument.
    fn after(text: Option<&str>) -> Result<Option<Self>, ApiError> {
        match text {
            None => Ok(None),
            Some(text) => Self::decode(text)
                .map(Some)
                .ok_or_else(|| ApiError::input("`after` is not a cursor of this list")),
        }
    }
}

impl Cursor for (i64, RunId) {
    const TAG: char = 'r';
    fn write(&self) -> String {
        format!("{}.{}", self.0, self.1.0.simple())
    }
    fn read(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        Some((at.parse().ok()?, RunId(Uuid::try_parse(id).ok()?)))
    }
}

impl Cursor for TaskIx {
    const TAG: char = 't';
    fn write(&self) -> String {
        self.0.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl Cursor for String {
    const TAG: char = 'w';
    fn write(&self) -> String {
        self.clone()
    }
    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// A version of a workflow, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VersionNumber(pub(crate) i32);

impl Cursor for VersionNumber {
    const TAG: char = 'v';
    fn write(&self) -> String {
        self.0.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl Cursor for FeedCursor {
    const TAG: char = 'e';
    fn write(&self) -> String {
        format!("{}.{}.{}", self.xid, self.position, self.seq)
    }
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::parse::<i64>);
        let cursor = Self {
            xid: parts.next()?.ok()?,
            position: parts.next()?.ok()?,
            seq: parts.next()?.ok()?,
        };
        (parts.next().is_none() && cursor.xid >= 0 && cursor.position >= 0 && cursor.seq >= 0)
            .then_some(cursor)
    }
}

/// A place in the history of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunSeq(pub(crate) i64);

impl Cursor for RunSeq {
    const TAG: char = 's';
    fn write(&self) -> String {
        self.0.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|seq| *seq >= 0).map(Self)
    }
}

/// A place in the log of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogPlace(pub(crate) i64);

impl Cursor for LogPlace {
    const TAG: char = 'l';
    fn write(&self) -> String {
        self.0.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|place| *place >= 0).map(Self)
    }
}

/// A place in an operation on many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BulkPlace(pub(crate) i32);

impl Cursor for BulkPlace {
    const TAG: char = 'b';
    fn write(&self) -> String {
        self.0.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl Cursor for Uuid {
    const TAG: char = 'a';
    fn write(&self) -> String {
        self.simple().to_string()
    }
    fn read(text: &str) -> Option<Self> {
        Self::try_parse(text).ok()
    }
}

/// A place in the inbox of approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApprovalPlace {
    pub(crate) since: i64,
    pub(crate) run: RunId,
    pub(crate) ix: TaskIx,
}

impl Cursor for ApprovalPlace {
    const TAG: char = 'a';
    fn write(&self) -> String {
        format!("{}.{}.{}", self.since, self.run.0.simple(), self.ix.0)
    }
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let place = Self {
            since: parts.next()?.parse().ok()?,
            run: RunId(Uuid::try_parse(parts.next()?).ok()?),
            ix: TaskIx(parts.next()?.parse().ok()?),
        };
        parts.next().is_none().then_some(place)
    }
}

/// A place in the list of outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutcomePlace(pub(crate) i64, pub(crate) Uuid);

impl Cursor for OutcomePlace {
    const TAG: char = 'o';
    fn write(&self) -> String {
        format!("{}.{}", self.0, self.1.simple())
    }
    fn read(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        Some(Self(at.parse().ok()?, Uuid::try_parse(id).ok()?))
    }
}

/// Most ids of `nodes`.
pub(crate) const IDS_MAX: usize = 100;
/// Largest page.
pub(crate) const PAGE_MAX: u32 = 200;

/// Checks a `first` argument.
pub(crate) fn first(first: i32) -> Result<u32, ApiError> {
    u32::try_from(first)
        .ok()
        .filter(|n| (1..=PAGE_MAX).contains(n))
        .ok_or_else(|| ApiError::input(format!("`first` must be from 1 to {PAGE_MAX}")))
}

/// Checks an `ids` argument.
pub(crate) fn ids(ids: &[ID]) -> Result<(), ApiError> {
    if ids.len() > IDS_MAX {
        return Err(ApiError::input(format!("`ids` may have {IDS_MAX} items at most")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use runnel_engine::{RunId, TaskIx};
    use runnel_runtime::view::FeedCursor;
    use uuid::Uuid;

    use super::{Cursor, LogPlace, OutcomePlace, RunSeq, VersionNumber, first};

    fn check<C: Cursor + PartialEq + std::fmt::Debug>(cursor: C) {
        assert_eq!(C::decode(&cursor.encode()).as_ref(), Some(&cursor));
        for foreign in [
            TaskIx(1).encode(),
            "é".to_owned().encode(),
            String::new(),
            "%".into(),
            "AAAA".into(),
        ] {
            if foreign != cursor.encode() && C::TAG != 't' && C::TAG != 'w' {
                assert_eq!(C::decode(&foreign), None);
            }
        }
    }

    #[test]
    fn cursors_read_back_and_are_refused_by_other_lists() {
        check((1_700_000_000_000_000, RunId(Uuid::from_u128(7))));
        check(TaskIx(9));
        check("wörk-flow.1".to_owned());
        check(VersionNumber(3));
        check(FeedCursor {
            xid: 5,
            position: 6,
            seq: 7,
        });
        check(RunSeq(0));
        check(LogPlace(12));
        check(OutcomePlace(1_700_000_000_000_000, Uuid::from_u128(8)));
        assert_eq!(FeedCursor::decode(&RunSeq(3).encode()), None);
        assert!(RunSeq::after(Some("junk")).is_err());
    }

    #[test]
    fn pages_have_1_to_200_items() {
        assert!(first(1).is_ok() && first(200).is_ok());
        for bad in [0, -1, 201, i32::MAX, i32::MIN] {
            assert!(first(bad).is_err(), "{bad}");
        }
    }
}
