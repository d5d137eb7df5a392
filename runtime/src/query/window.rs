//! Which part of a list, from either end. A page backwards is read in the opposite order and turned round.

use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select, Value};

use super::PAGE_MAX;
use crate::view::{Page, PageRequest};

/// Which part of a list: keyset, so that it is stable under inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window<C> {
    /// The first items, after a place.
    First {
        /// Most items, 1 to 200.
        size: u32,
        /// Where the part begins; the beginning of the list when `None`.
        after: Option<C>,
    },
    /// The last items, before a place.
    Last {
        /// Most items, 1 to 200.
        size: u32,
        /// Where the part ends; the end of the list when `None`.
        before: Option<C>,
    },
}

impl<C> Window<C> {
    /// The place that the part is counted from.
    pub fn place(&self) -> Option<&C> {
        match self {
            Self::First { after, .. } => after.as_ref(),
            Self::Last { before, .. } => before.as_ref(),
        }
    }

    /// The same part, with its place in other terms.
    #[must_use]
    pub fn map<D>(self, convert: impl FnOnce(C) -> D) -> Window<D> {
        match self {
            Self::First { size, after } => Window::First {
                size,
                after: after.map(convert),
            },
            Self::Last { size, before } => Window::Last {
                size,
                before: before.map(convert),
            },
        }
    }
}

impl<C> From<PageRequest<C>> for Window<C> {
    fn from(request: PageRequest<C>) -> Self {
        Self::First {
            size: request.first,
            after: request.after,
        }
    }
}

/// How a part is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windowed {
    size: usize,
    is_backward: bool,
    has_place: bool,
}

impl Windowed {
    pub(crate) fn new<C>(window: &Window<C>) -> Self {
        let (size, is_backward) = match window {
            Window::First { size, .. } => (*size, false),
            Window::Last { size, .. } => (*size, true),
        };
        Self {
            size: size.clamp(1, PAGE_MAX) as usize,
            is_backward,
            has_place: window.place().is_some(),
        }
    }

    /// Rows to read: one more than the part holds tells whether there are more.
    pub(crate) fn fetch(self) -> u64 {
        self.size as u64 + 1
    }

    /// Whether the rows are read in ascending order; `is_descending`: the list itself descends.
    pub(crate) fn ascends(self, is_descending: bool) -> bool {
        self.is_backward == is_descending
    }

    /// The same as an order.
    pub(crate) fn order(self, is_descending: bool) -> Order {
        if self.ascends(is_descending) {
            Order::Asc
        } else {
            Order::Desc
        }
    }

    /// The rows to read of a list that ascends by one column.
    pub(crate) fn ascending<E: EntityTrait>(
        self,
        rows: Select<E>,
        column: E::Column,
        place: Option<impl Into<Value>>,
    ) -> Select<E> {
        self.walk(rows, column, place, false)
    }

    /// The rows to read of a list that descends by one column.
    pub(crate) fn descending<E: EntityTrait>(
        self,
        rows: Select<E>,
        column: E::Column,
        place: Option<impl Into<Value>>,
    ) -> Select<E> {
        self.walk(rows, column, place, true)
    }

    fn walk<E: EntityTrait>(
        self,
        rows: Select<E>,
        column: E::Column,
        place: Option<impl Into<Value>>,
        is_descending: bool,
    ) -> Select<E> {
        let rows = rows
            .order_by(column, self.order(is_descending))
            .limit(self.fetch());
        match place {
            None => rows,
            Some(place) if self.ascends(is_descending) => rows.filter(column.gt(place)),
            Some(place) => rows.filter(column.lt(place)),
        }
    }

    /// The part from up to one row more than it holds, in the order they were read.
    pub(crate) fn page<T>(self, mut items: Vec<T>) -> Page<T> {
        let is_more = items.len() > self.size;
        items.truncate(self.size);
        if self.is_backward {
            items.reverse();
        }
        let (has_next, has_previous) = if self.is_backward {
            (self.has_place, is_more)
        } else {
            (is_more, self.has_place)
        };
        Page {
            items,
            has_next,
            has_previous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_from_the_end_is_turned_round_and_knows_what_is_around_it() {
        let last = Window::Last {
            size: 2,
            before: Some(9),
        };
        let walk = Windowed::new(&last);
        assert!(!walk.ascends(false) && walk.ascends(true));
        let page = walk.page(vec![8, 7, 6]);
        assert_eq!(
            (page.items, page.has_previous, page.has_next),
            (vec![7, 8], true, true)
        );
    }

    #[test]
    fn a_part_from_the_beginning_is_read_as_it_is_listed() {
        let first = Window::First::<u32> { size: 2, after: None };
        let walk = Windowed::new(&first);
        assert!(walk.ascends(false) && !walk.ascends(true));
        let page = walk.page(vec![1, 2]);
        assert_eq!(
            (page.items, page.has_previous, page.has_next),
            (vec![1, 2], false, false)
        );
    }
}
