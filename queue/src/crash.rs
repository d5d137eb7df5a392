//! Numbered places where a test kills the process, to prove that nothing is lost there.
//!
//! Without the feature `faults` a crash point compiles to nothing. It lives in this crate because it is the only one
//! that both the orchestrator and the worker depend on.

/// Kills this process with SIGKILL at the n-th passage of the named point, when `RUNNEL_CRASH_AT` is `name:n`.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::pass($name);
    };
}

/// Does nothing: the feature `faults` is off.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn pass(_name: &'static str) {}

/// Counts a passage; called by [`crash_point!`].
#[cfg(feature = "faults")]
pub fn pass(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static TARGET: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let target = TARGET.get_or_init(|| {
        let text = std::env::var("RUNNEL_CRASH_AT").ok()?;
        let (name, nth) = text.split_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    if let Some((wanted, nth)) = target
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
