//! Gathers what is wrong with a file: places become lines and columns, near misses become "did you mean".
//!
//! Bounded whatever the file: after [`DIAGNOSTICS_MAX`] problems the rest are only counted, and near misses are looked
//! for only as long as the budget of comparisons lasts.

use crate::diagnostic::{Diagnostic, Label, Severity, Span};
use crate::source::tree::Extent;

/// Problems that are reported one by one; the rest are counted in one last diagnostic.
pub(crate) const DIAGNOSTICS_MAX: usize = 1_000;
/// Comparisons of names in one file; past it no near miss is suggested.
const COMPARISONS_MAX: usize = 50_000;
/// Characters are counted from the nearest checkpoint, so that a file of one long line stays linear.
const CHECKPOINT_BYTES: usize = 1_024;

/// The problems of one file.
pub(crate) struct Report<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    chars_before: Vec<usize>,
    found: Vec<Diagnostic>,
    beyond: Diagnostic,
    beyond_count: usize,
    has_errors: bool,
    comparisons_left: usize,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let mut chars = 0;
        let chars_before = text
            .as_bytes()
            .chunks(CHECKPOINT_BYTES)
            .map(|chunk| {
                let before = chars;
                chars += count_chars(chunk);
                before
            })
            .collect();
        Self {
            text,
            line_starts,
            chars_before,
            found: Vec::new(),
            beyond: blank(),
            beyond_count: 0,
            has_errors: false,
            comparisons_left: COMPARISONS_MAX,
        }
    }

    pub(crate) fn text(&self) -> &'t str {
        self.text
    }

    /// Problems so far: whether a check has found one is whether this grew.
    pub(crate) fn count(&self) -> usize {
        self.found.len() + self.beyond_count
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// Adds an error; the caller may add help and labels to what is returned.
    pub(crate) fn error(
        &mut self,
        code: &str,
        at: Extent,
        path: impl std::fmt::Display,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.has_errors = true;
        self.push(Severity::Error, code, at, path, message.into())
    }

    /// Adds a warning.
    pub(crate) fn warning(
        &mut self,
        code: &str,
        at: Extent,
        path: impl std::fmt::Display,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Severity::Warning, code, at, path, message.into())
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &str,
        at: Extent,
        path: impl std::fmt::Display,
        message: String,
    ) -> &mut Diagnostic {
        if self.found.len() >= DIAGNOSTICS_MAX {
            self.beyond_count += 1;
            self.beyond = blank();
            return &mut self.beyond;
        }
        let span = Some(self.span(at));
        let path = path.to_string();
        let index = self.found.len();
        self.found.push(Diagnostic {
            code: code.to_owned(),
            severity,
            message,
            span,
            path,
            help: None,
            labels: Vec::new(),
        });
        &mut self.found[index]
    }

    /// Line, column and length of a stretch.
    pub(crate) fn span(&self, at: Extent) -> Span {
        let start = floor_char_boundary(self.text, at.start);
        let end = floor_char_boundary(self.text, at.end).max(start);
        let line = self
            .line_starts
            .partition_point(|&line_start| line_start <= start)
            .max(1);
        let column = self.chars_until(start) - self.chars_until(self.line_starts[line - 1]) + 1;
        Span {
            line: small(line),
            column: small(column),
            offset: small(start),
            length: small(end - start),
        }
    }

    pub(crate) fn label(&self, at: Extent, text: impl Into<String>) -> Label {
        Label {
            span: self.span(at),
            text: text.into(),
        }
    }

    /// The candidate that the author probably meant, if one is near enough.
    pub(crate) fn near_miss<'c>(
        &mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        if word.len() > 128 {
            return None;
        }
        let lower = word.to_lowercase();
        let allowed = (word.chars().count() / 3).clamp(1, 3);
        let mut best: Option<(usize, &str)> = None;
        for candidate in candidates {
            if candidate.len().abs_diff(word.len()) > allowed || candidate == word {
                continue;
            }
            if self.comparisons_left == 0 {
                return None;
            }
            self.comparisons_left -= 1;
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }

    /// All problems in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|diagnostic| diagnostic.span.map_or(0, |span| span.offset));
        if self.beyond_count > 0 {
            self.found.push(Diagnostic {
                code: "runnel::file::too_many_problems".to_owned(),
                severity: if self.has_errors {
                    Severity::Error
                } else {
                    Severity::Warning
                },
                message: format!("{} more problems are not shown", self.beyond_count),
                help: Some("correct the first ones and read the file again".to_owned()),
                ..blank()
            });
        }
        self.found
    }

    fn chars_until(&self, offset: usize) -> usize {
        let chunk = offset / CHECKPOINT_BYTES;
        let Some(before) = self.chars_before.get(chunk) else {
            return count_chars(self.text.as_bytes());
        };
        before + count_chars(&self.text.as_bytes()[chunk * CHECKPOINT_BYTES..offset])
    }
}

/// A diagnostic without a place.
pub(crate) fn blank() -> Diagnostic {
    Diagnostic {
        code: String::new(),
        severity: Severity::Error,
        message: String::new(),
        span: None,
        path: String::new(),
        help: None,
        labels: Vec::new(),
    }
}

impl Diagnostic {
    /// Sets what to do about it.
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Sets "did you mean", when there is something to mean.
    pub(crate) fn did_you_mean(&mut self, near_miss: Option<&str>) -> &mut Self {
        if let Some(near_miss) = near_miss {
            self.help = Some(format!("did you mean `{near_miss}`?"));
        }
        self
    }
}

fn count_chars(bytes: &[u8]) -> usize {
    // Every byte that does not continue a character begins one.
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
