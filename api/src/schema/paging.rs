//! The arguments of a list: a part from its beginning or from its end, and whether it is to be counted.

use async_graphql::{Context, SimpleObject};
use runnel_runtime::StoreError;
use runnel_runtime::query::count::Count as Counted;
use runnel_runtime::query::window::Window;

use super::cursor::{Cursor, first};
use crate::error::ApiError;

/// How many items a list has. Where they must be counted, counting stops at 10,000, so that no long list is walked to its end.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct Count {
    /// The number of items; where there are more than could be counted, 10,000.
    value: u32,
    /// Whether there are not more.
    is_exact: bool,
}

impl Count {
    /// Of a list whose length is known.
    pub(crate) fn exactly(number: i64) -> Self {
        Self {
            value: u32::try_from(number).unwrap_or_default(),
            is_exact: true,
        }
    }
}

impl From<Counted> for Count {
    fn from(count: Counted) -> Self {
        Self {
            value: count.value,
            is_exact: count.is_exact,
        }
    }
}

/// The number of items of the list being resolved; nothing is counted unless the caller asks for it.
pub(crate) async fn count_if_asked(
    ctx: &Context<'_>,
    count: impl Future<Output = Result<Counted, StoreError>>,
) -> Result<Option<Counted>, ApiError> {
    if !ctx.look_ahead().field("totalCount").exists() {
        return Ok(None);
    }
    count.await.map(Some).map_err(|e| ApiError::store(&e))
}

/// The part of a list that `first` and `after`, or `last` and `before`, name.
pub(crate) fn window<C: Cursor>(
    size: i32,
    after: Option<&str>,
    last: Option<i32>,
    before: Option<&str>,
) -> Result<Window<C>, ApiError> {
    if last.is_none() && before.is_none() {
        return Ok(Window::First {
            size: first(size)?,
            after: Cursor::after(after)?,
        });
    }
    if after.is_some() {
        return Err(ApiError::input(
            "give `first` and `after`, or `last` and `before`, and not some of both",
        ));
    }
    let size = first(last.unwrap_or(size)).map_err(|error| ApiError {
        message: error.message.replace("`first`", "`last`"),
        ..error
    })?;
    let before = match before {
        None => None,
        Some(text) => {
            let unknown = || ApiError::input("`before` is not a cursor of this list");
            Some(C::decode(text).ok_or_else(unknown)?)
        }
    };
    Ok(Window::Last { size, before })
}

#[cfg(test)]
mod tests {
    use runnel_engine::TaskIx;

    use super::*;

    #[test]
    fn a_part_is_named_from_one_end_only() {
        let cursor = TaskIx(3).encode();
        assert_eq!(
            window::<TaskIx>(50, Some(&cursor), None, None).unwrap(),
            Window::First {
                size: 50,
                after: Some(TaskIx(3))
            }
        );
        assert_eq!(
            window::<TaskIx>(50, None, Some(7), Some(&cursor)).unwrap(),
            Window::Last {
                size: 7,
                before: Some(TaskIx(3))
            }
        );
        assert!(window::<TaskIx>(50, Some(&cursor), Some(7), None).is_err());
        assert!(window::<TaskIx>(50, None, Some(0), None).is_err());
        assert!(window::<TaskIx>(50, None, None, Some("junk")).is_err());
    }
}
