//! How the command ends: exit codes that scripts can rely on, and failures that say what to do.

use std::process::ExitCode;

/// Exit codes. Stable: scripts branch on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; a watched run succeeded.
    Ok = 0,
    /// A watched run failed, a check found something wrong, or this program failed.
    Failed = 1,
    /// Wrong usage or an invalid file.
    Usage = 2,
    /// The server, database or queue cannot be reached.
    Unreachable = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// The server refused the token.
    Unauthorised = 5,
    /// The state does not allow it.
    Conflict = 6,
    /// The time given with `--timeout` is over, or a watched run timed out.
    TimedOut = 7,
    /// A watched run was cancelled.
    Cancelled = 8,
    /// Ended by ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The code to exit with.
    pub exit: Exit,
    /// What happened; the chain is printed whole.
    pub error: anyhow::Error,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What every command answers.
pub type Ended = Result<Exit, Failure>;

impl Failure {
    /// A failure with a sentence of its own.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            error: anyhow::Error::msg(message.into()),
            hint: None,
        }
    }

    /// A failure with a cause.
    pub fn caused(exit: Exit, message: &'static str, cause: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: cause.into().context(message),
            hint: None,
        }
    }

    /// Wrong usage or an unusable file.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something on this machine failed.
    pub fn internal(message: &'static str, cause: impl Into<anyhow::Error>) -> Self {
        Self::caused(Exit::Failed, message, cause)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Prints the failure to stderr and answers its code.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {:#}", self.error);
        if let Some(hint) = &self.hint {
            eprintln!("  hint: {hint}");
        }
        self.exit.into()
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn the_whole_chain_of_causes_is_told() {
        let failure = Failure::internal("cannot read the file", std::io::Error::other("disk is gone"));
        assert_eq!(
            format!("{:#}", failure.error),
            "cannot read the file: disk is gone"
        );
    }
}
