//! Filters of workflows.

use async_graphql::InputObject;
use runnel_runtime::view;

use super::DateTimeFilter;

/// Which workflows; all conditions must hold.
#[derive(Debug, Default, InputObject)]
pub(crate) struct WorkflowFilter {
    /// One of these keys.
    key_in: Option<Vec<String>>,
    /// Key begins with this.
    key_prefix: Option<String>,
    /// Key or name have this somewhere, whatever the case of the letters.
    text: Option<String>,
    /// When the newest version was published.
    updated_at: Option<DateTimeFilter>,
}

impl WorkflowFilter {
    /// As the store wants it.
    pub(crate) fn into_view(self) -> view::WorkflowFilter {
        let (updated_at_gte, updated_at_lt) = self.updated_at.map_or((None, None), |filter| filter.span());
        view::WorkflowFilter {
            key_in: self.key_in,
            key_prefix: self.key_prefix,
            text: self.text,
            updated_at_gte,
            updated_at_lt,
        }
    }
}
