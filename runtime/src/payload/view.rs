//! Stored values for those who look at them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use runnel_queue::PayloadRef;

use super::access::PayloadStream;
use super::{Collected, failed};
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;

/// The beginning of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadPreview {
    /// As much of its JSON text as was asked for, cut at a character.
    pub inline: String,
    /// Whether there is more.
    pub is_truncated: bool,
    /// Which value.
    pub reference: PayloadRef,
}

/// A value, unless it is larger than its reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadText {
    /// JSON text.
    Whole(Arc<str>),
    /// It is larger.
    TooLarge(PayloadRef),
}

impl Orchestrator {
    /// The value of a text of a view (`RunView::inputs`, `TaskView::output` and so on), which may refer to the payload store.
    ///
    /// # Errors
    /// The store failed.
    pub async fn payload_text(&self, text: &Arc<str>, bytes_max: u64) -> Result<PayloadText, StoreError> {
        match PayloadRef::read(text) {
            None => Ok(PayloadText::Whole(Arc::clone(text))),
            Some(reference) if reference.bytes > bytes_max => Ok(PayloadText::TooLarge(reference)),
            Some(reference) => self.payloads().read(&reference).await.map(PayloadText::Whole),
        }
    }

    /// The beginning of such a value.
    ///
    /// # Errors
    /// The store failed.
    pub async fn payload_preview(&self, text: &str, bytes_max: usize) -> Result<PayloadPreview, StoreError> {
        let Some(reference) = PayloadRef::read(text) else {
            let reference = PayloadRef::of(text.as_bytes());
            return Ok(preview(reference, text.as_bytes(), bytes_max));
        };
        let store = &self.payloads().inner.store;
        let start = store
            .get_start(&reference, bytes_max as u64)
            .await
            .map_err(failed)?;
        Ok(preview(reference, &start, bytes_max))
    }

    /// Such a value piece by piece, with its size.
    ///
    /// # Errors
    /// The store failed.
    pub async fn payload_stream(&self, text: &str) -> Result<(u64, PayloadStream), StoreError> {
        match PayloadRef::read(text) {
            None => {
                let bytes = Bytes::copy_from_slice(text.as_bytes());
                Ok((text.len() as u64, stream::iter([Ok(bytes)]).boxed()))
            }
            Some(reference) => {
                let pieces = self
                    .payloads()
                    .inner
                    .store
                    .stream(&reference)
                    .await
                    .map_err(failed)?;
                Ok((reference.bytes, pieces))
            }
        }
    }

    /// Deletes values that no run refers to and that are older than configured. It also happens by itself, once an hour.
    ///
    /// # Errors
    /// The store failed.
    pub async fn collect_payloads(&self) -> Result<Collected, StoreError> {
        self.payloads().collect().await
    }
}

fn preview(reference: PayloadRef, start: &[u8], bytes_max: usize) -> PayloadPreview {
    let start = &start[..start.len().min(bytes_max)];
    // a character that the limit cuts in two is left out
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    PayloadPreview {
        inline: valid.to_owned(),
        is_truncated: (valid.len() as u64) < reference.bytes,
        reference,
    }
}
