//! What a database error means for the transaction it ended.

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

/// The meaning of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another transaction was in the way; the same transaction may succeed now.
    Conflict,
    /// The connection is gone, or no answer came.
    Lost,
    /// No connection was free in time.
    Exhausted,
    /// The same statement will fail again.
    Permanent,
}

/// Both foreign enums are non-exhaustive: what is unknown here counts as permanent, which never repeats anything.
pub(super) fn classify(error: &DbErr) -> Fault {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Fault::Exhausted,
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Fault::Permanent,
        DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause) => match cause {
            RuntimeErr::SqlxError(error) => classify_driver(error),
            RuntimeErr::Internal(_) => Fault::Permanent,
        },
        _ => Fault::Permanent,
    }
}

/// Whether a guard in a statement did not hold: it divides by zero (PostgreSQL) or overflows (SQLite, where a division by
/// zero is NULL, and whose errors of this kind differ in their text alone).
pub(super) fn is_refused(error: &DbErr) -> bool {
    const DIVISION_BY_ZERO: &str = "22012";
    const OVERFLOW: &str = "integer overflow";
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some(DIVISION_BY_ZERO) || error.message() == OVERFLOW)
}

/// Whether the same may succeed later, with nothing changed but the load.
pub(crate) fn is_passing(error: &DbErr) -> bool {
    match classify(error) {
        Fault::Conflict | Fault::Lost | Fault::Exhausted => true,
        Fault::Permanent => false,
    }
}

fn classify_driver(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
            Some(_) => classify_sqlite(error.code().as_deref().unwrap_or_default()),
            None => classify_sqlstate(error.code().as_deref().unwrap_or_default()),
        },
        // the last three are what sqlx says when the answer was cut
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::Protocol(_) => Fault::Lost,
        sqlx::Error::PoolTimedOut => Fault::Exhausted,
        _ => Fault::Permanent,
    }
}

/// PostgreSQL, appendix A of its manual.
fn classify_sqlstate(code: &str) -> Fault {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available; query_canceled: nothing of it is written, and what
        // took too long once need not take so long again
        "40001" | "40P01" | "55P03" | "57014" => Fault::Conflict,
        // too_many_connections
        "53300" => Fault::Exhausted,
        // admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout
        "57P01" | "57P02" | "57P03" | "25P03" => Fault::Lost,
        _ if code.starts_with("08") => Fault::Lost,
        _ => Fault::Permanent,
    }
}

/// SQLite's extended codes carry the primary code in their low byte.
fn classify_sqlite(code: &str) -> Fault {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const IO_ERROR: i32 = 10;
    match code.parse::<i32>().map(|code| code & 0xff) {
        Ok(BUSY | LOCKED) => Fault::Conflict,
        Ok(IO_ERROR) => Fault::Lost,
        Ok(_) | Err(_) => Fault::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_of_both_databases_are_retried() {
        for code in ["40001", "40P01", "55P03", "57014"] {
            assert_eq!(classify_sqlstate(code), Fault::Conflict, "{code}");
        }
        // SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_LOCKED_SHAREDCACHE
        for code in ["5", "517", "262"] {
            assert_eq!(classify_sqlite(code), Fault::Conflict, "{code}");
        }
    }

    #[test]
    fn what_only_the_load_prevents_is_passing() {
        assert!(is_passing(&DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)));
        let driver = |error: sqlx::Error| DbErr::Query(RuntimeErr::SqlxError(error.into()));
        assert!(is_passing(&driver(sqlx::Error::PoolTimedOut)));
        assert!(!is_passing(&driver(sqlx::Error::RowNotFound)));
    }

    #[test]
    fn a_constraint_is_permanent() {
        assert_eq!(classify_sqlstate("23505"), Fault::Permanent);
        assert_eq!(classify_sqlite("2067"), Fault::Permanent);
    }

    #[test]
    fn a_shutdown_loses_the_connection() {
        for code in ["57P01", "57P02", "57P03", "08006"] {
            assert_eq!(classify_sqlstate(code), Fault::Lost, "{code}");
        }
    }
}
