//! Prints the problems of a workflow file: with the lines they are on for people, as JSON for programs.

use std::fmt;
use std::io::IsTerminal;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use runnel_engine::diagnostic::Span;
use runnel_engine::{Diagnostic, Severity};

use crate::logging::is_colour_refused;

/// All problems of one file as text for people.
pub fn render(name: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    let theme = if std::io::stderr().is_terminal() && !is_colour_refused() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110);
    let text = NamedSource::new(name, source.to_owned());
    let mut out = String::new();
    for diagnostic in diagnostics {
        let report = Report {
            diagnostic,
            text: &text,
        };
        if handler.render_report(&mut out, &report).is_err() {
            // The graphical form failed (a span outside the text): the sentence alone still helps.
            out.push_str(&plain(name, diagnostic));
        }
        out.push('\n');
    }
    out
}

/// One problem on one line, as compilers print it.
fn plain(name: &str, diagnostic: &Diagnostic) -> String {
    let place = diagnostic
        .span
        .map(|s| format!(":{}:{}", s.line, s.column))
        .unwrap_or_default();
    format!("{name}{place}: {} [{}]\n", diagnostic.message, diagnostic.code)
}

/// Whether one of them refuses the file.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}

struct Report<'a> {
    diagnostic: &'a Diagnostic,
    text: &'a NamedSource<String>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.diagnostic
            .help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.diagnostic.span.map(|_| self.text as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.diagnostic.span?;
        let first = LabeledSpan::new_primary_with_span(Some("here".to_owned()), range(span));
        let own = (!self.diagnostic.labels.iter().any(|l| l.span == span)).then_some(first);
        let others = self
            .diagnostic
            .labels
            .iter()
            .map(|l| LabeledSpan::new_with_span(Some(l.text.clone()), range(l.span)));
        Some(Box::new(own.into_iter().chain(others)))
    }
}

fn range(span: Span) -> (usize, usize) {
    (span.offset as usize, span.length as usize)
}

#[cfg(test)]
mod tests {
    use runnel_engine::diagnostic::Label;

    use super::*;

    fn unknown_upstream() -> Diagnostic {
        Diagnostic {
            code: "runnel::dag::unknown_upstream".to_owned(),
            severity: Severity::Error,
            message: "task `b` needs `aa`, which does not exist".to_owned(),
            span: Some(Span {
                line: 2,
                column: 5,
                offset: 13,
                length: 2,
            }),
            path: "tasks.b.needs".to_owned(),
            help: Some("did you mean `a`?".to_owned()),
            labels: vec![Label {
                span: Span {
                    line: 1,
                    column: 1,
                    offset: 0,
                    length: 5,
                },
                text: "the tasks".to_owned(),
            }],
        }
    }

    #[test]
    fn a_report_shows_place_labels_code_and_help() {
        let text = render("bad.yaml", "tasks: {}\nb: [aa]\n", &[unknown_upstream()]);
        for part in [
            "bad.yaml:2:4",
            "task `b` needs `aa`",
            "the tasks",
            "did you mean `a`?",
            "unknown_upstream",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_span_outside_the_text_still_names_the_problem() {
        let mut outside = unknown_upstream();
        outside.span = Some(Span {
            line: 9,
            column: 9,
            offset: 5_000,
            length: 3,
        });
        assert!(render("bad.yaml", "x", &[outside]).contains("task `b` needs `aa`"));
    }
}
