//! What a check found.

use serde_json::{Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Fine,
    /// It works, and somebody may regret it.
    Doubtful,
    /// It does not work.
    Broken,
}

impl Level {
    /// In the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Doubtful => "WARN",
            Self::Broken => "FAIL",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable name of the check.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn fine(check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Fine,
            message: message.into(),
            advice: None,
        }
    }

    /// To be looked at.
    pub fn doubtful(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Doubtful,
            message: message.into(),
            advice: Some(advice.into()),
        }
    }

    /// Broken.
    pub fn broken(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Broken,
            ..Self::doubtful(check, message, advice)
        }
    }

    /// In the shape of the other commands.
    pub fn json(&self) -> Value {
        json!({
            "check": self.check,
            "level": match self.level {
                Level::Fine => "OK",
                Level::Doubtful => "WARN",
                Level::Broken => "FAIL",
            },
            "message": self.message,
            "advice": self.advice,
        })
    }
}
