//! Turns the panic of a handler into a failure of its attempt, with a traceback.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Once;

use futures_util::FutureExt;
use runnel_queue::FailureCategory;

use crate::task::TaskError;

tokio::task_local! {
    /// Set while a handler is polled.
    static IN_HANDLER: ();
}

thread_local! {
    /// Place and backtrace of the panic that this thread is unwinding.
    static TRACEBACK: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a handler; its panic becomes `INTERNAL`/`PANIC`.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, TaskError>>) -> Result<T, TaskError> {
    install_hook();
    match AssertUnwindSafe(IN_HANDLER.scope((), work)).catch_unwind().await {
        Ok(result) => result,
        Err(payload) => {
            // a panic unwinds on the thread that polls, and that is this one
            let traceback = TRACEBACK.with_borrow_mut(Option::take).unwrap_or_default();
            let message = format!("the handler panicked: {}", text_of(payload.as_ref()));
            Err(TaskError::new(FailureCategory::Internal, "PANIC", message).with_traceback(traceback))
        }
    }
}

/// A handler's panic is reported with its attempt, so it is not printed as well; every other panic goes to the hook before.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if IN_HANDLER.try_with(|()| ()).is_err() {
                return before(info);
            }
            let place = info
                .location()
                .map_or_else(String::new, |at| format!("at {at}\n"));
            TRACEBACK.set(Some(format!("{place}{}", Backtrace::force_capture())));
        }));
    });
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
