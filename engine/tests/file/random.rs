//! Whatever the bytes: no panic, a workflow exactly when there is no error, and every place inside the text.

use proptest::prelude::*;
use runnel_engine::Severity;
use runnel_engine::source::{Format, Reading, read, read_bytes};

use crate::dialects::samples;

fn check(reading: &Reading, length: usize) {
    let has_error = reading.diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(reading.workflow.is_none(), has_error);
    for diagnostic in &reading.diagnostics {
        assert!(
            !diagnostic.code.is_empty() && !diagnostic.message.is_empty(),
            "{diagnostic:?}"
        );
        for span in diagnostic
            .span
            .iter()
            .chain(diagnostic.labels.iter().map(|label| &label.span))
        {
            assert!(span.line >= 1 && span.column >= 1, "{diagnostic:?}");
            assert!(
                (span.offset + span.length) as usize <= length,
                "{diagnostic:?} in {length} bytes"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for format in [Format::Auto, Format::Yaml, Format::Json] {
            check(&read_bytes(&bytes, format), bytes.len());
        }
    }

    #[test]
    fn random_texts_of_the_characters_that_matter(text in "[a-c0-9 \n\t:\\-\\[\\]{}\"'|>&*!%#,.$?éø]{0,200}") {
        for format in [Format::Auto, Format::Yaml, Format::Json] {
            check(&read(&text, format), text.len());
        }
    }

    #[test]
    fn mutated_files(
        sample in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, "[a-z{}\\[\\]:\"' \n$é]{0,6}"), 1..6),
    ) {
        let samples = samples();
        let mut text = sample.get(&samples).1.clone();
        for (at, length, insert) in cuts {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len().max(1)).min(chars.len());
            let end = (at + length).min(chars.len());
            text = chars[..at].iter().chain(insert.chars().collect::<Vec<_>>().iter()).chain(&chars[end..]).collect();
        }
        check(&read(&text, Format::Auto), text.len());
    }
}
