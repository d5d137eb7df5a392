//! Packs reports into batches that fit a message.

use runnel_queue::message::{MESSAGE_BYTES_MAX, MESSAGE_VERSION};
use runnel_queue::{AttemptRef, Failure, Outcome, Report, ReportBatch};

/// Names of fields, numbers and punctuation of one report, generously.
const FRAME_BYTES: usize = 512;

/// Room for the envelope of a batch.
const BATCH_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 4096;

/// Batches in the order of the reports, each within the limit of a message.
pub(crate) fn batches(worker: &str, reports: Vec<Report>) -> Vec<ReportBatch> {
    let start = |reports| ReportBatch {
        v: MESSAGE_VERSION,
        worker: worker.to_owned(),
        reports,
    };
    let mut packed = Vec::new();
    let mut current = Vec::new();
    let mut bytes = 0;
    for report in reports {
        let size = size_bound(&report);
        if bytes + size > BATCH_BYTES_MAX && !current.is_empty() {
            packed.push(start(std::mem::take(&mut current)));
            bytes = 0;
        }
        bytes += size;
        current.push(report);
    }
    if !current.is_empty() {
        packed.push(start(current));
    }
    packed
}

/// At least as many bytes as the report has when encoded. Cheaper than encoding, which the sink will do, or need not.
pub(crate) fn size_bound(report: &Report) -> usize {
    FRAME_BYTES
        + match report {
            Report::Hello { types, queue, .. } => {
                types.iter().map(|t| escaped_len(t) + 3).sum::<usize>() + escaped_len(queue)
            }
            Report::Goodbye {} => 0,
            Report::Started { at, .. } => at_len(at),
            Report::Heartbeat {
                at,
                progress,
                checkpoint,
            } => {
                let message = progress.as_ref().and_then(|progress| progress.message.as_deref());
                at_len(at)
                    + message.map_or(0, escaped_len)
                    + checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.get().len())
            }
            Report::Log { at, lines } => {
                at_len(at)
                    + lines
                        .iter()
                        .map(|line| escaped_len(&line.text) + 80)
                        .sum::<usize>()
            }
            Report::Returned { at, reason } => at_len(at) + escaped_len(reason),
            Report::Completed(attempt) => {
                at_len(&attempt.at)
                    + match &attempt.outcome {
                        Outcome::Output(output) => output.get().len(),
                        Outcome::OutputRef(reference) => reference.sha256.len(),
                        Outcome::Error(failure) => failure_len(failure),
                    }
            }
        }
}

fn at_len(at: &AttemptRef) -> usize {
    escaped_len(&at.token)
}

fn failure_len(failure: &Failure) -> usize {
    escaped_len(&failure.code)
        + escaped_len(&failure.message)
        + failure.traceback.as_deref().map_or(0, escaped_len)
        + failure
            .details
            .as_ref()
            .map_or(0, |details| details.to_string().len())
}

/// Length of a text inside a JSON string.
fn escaped_len(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use runnel_queue::message::encode_reports;
    use runnel_queue::{LogLine, LogStream};

    use super::*;

    fn log_of(text: &str, lines: usize) -> Report {
        let at = serde_json::from_value(serde_json::json!({
            "run": "0190d3b4-0000-7000-8000-000000000001", "task": u32::MAX, "attempt": u32::MAX, "token": "k.".to_owned() + &"0".repeat(64)
        }));
        let line = LogLine {
            at_us: i64::MIN,
            stream: LogStream::System,
            text: text.to_owned(),
        };
        Report::Log {
            at: at.expect("an attempt"),
            lines: vec![line; lines],
        }
    }

    #[test]
    fn the_bound_is_never_below_the_encoded_size() {
        for text in [
            "",
            "plain",
            "\u{0}\u{1f}\"\\\n\t\u{8}",
            "ünïcode ‹›",
            &"\u{1}".repeat(16 * 1024),
        ] {
            for lines in [0, 1, 64] {
                let report = log_of(text, lines);
                let encoded = serde_json::to_string(&report).expect("encoded").len();
                assert!(
                    size_bound(&report) >= encoded,
                    "{} < {encoded} for {text:?}",
                    size_bound(&report)
                );
            }
        }
    }

    #[test]
    fn every_batch_fits_a_message_and_nothing_is_lost_or_reordered() {
        let reports: Vec<_> = (0..200).map(|i| log_of(&"\u{1}".repeat(1000 + i), 4)).collect();
        let packed = batches("w", reports.clone());
        assert!(packed.len() > 1);
        for batch in &packed {
            encode_reports(batch).expect("the batch fits");
        }
        let unpacked: Vec<_> = packed.into_iter().flat_map(|b| b.reports).collect();
        assert_eq!(format!("{unpacked:?}"), format!("{reports:?}"));
    }
}
