//! Rates such as `50/m`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most of one period.
const COUNT_MAX: u32 = 1_000_000;

/// So many in a period; a burst of that many is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how many seconds.
    pub period_s: u32,
}

const UNITS: [(&str, u32); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

impl Rate {
    /// Reads `50/m`.
    ///
    /// # Errors
    /// One sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown: String = text.chars().take(40).collect();
            format!("`{shown}` is not a rate such as `50/m`: 1 to {COUNT_MAX} per s, m, h or d")
        };
        let (count, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
        let count: u32 = count.trim().parse().map_err(|_| wrong())?;
        let (_, period_s) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit.trim())
            .ok_or_else(wrong)?;
        if count == 0 || count > COUNT_MAX {
            return Err(wrong());
        }
        Ok(Self { count, period_s })
    }

    /// Microseconds of the period.
    #[must_use]
    pub fn period_us(self) -> i64 {
        i64::from(self.period_s) * 1_000_000
    }

    /// Microseconds that one takes of the period.
    #[must_use]
    pub fn each_us(self) -> i64 {
        (self.period_us() / i64::from(self.count)).max(1)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .iter()
            .find(|(_, s)| *s == self.period_s)
            .map_or("s", |(name, _)| name);
        write!(f, "{}/{unit}", self.count)
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}
