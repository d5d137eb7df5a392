//! Mutates workflow files and reads them: `cargo run --release -p runnel-engine --example fuzz_source -- [iterations] [seed]`.
//!
//! Needs no nightly compiler and no corpus of its own: it starts from the example files and from fragments that parsers
//! trip over. Deterministic: the same seed gives the same inputs. It stops at the first input that breaks a promise of the
//! reader (a panic, a place outside the text, a workflow together with an error, more than a second for one file, or a
//! conversion that reads differently) and prints that input with its number.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use runnel_engine::Severity;
use runnel_engine::source::{Format, Reading, read, read_bytes};

const ITERATIONS: u64 = 100_000;
const SLOW: Duration = Duration::from_secs(1);
const MUTATIONS_MAX: usize = 8;
const FILE_BYTES_MAX: usize = 64 * 1024;

const FRAGMENTS: &[&str] = &[
    "${{",
    "}}",
    "${{ tasks.a.output }}",
    "{{ a.0.b }}",
    "&a ",
    "*a",
    "<<: *a",
    "? ",
    "- ",
    ": ",
    "\t",
    "\r\n",
    "---\n",
    "...",
    "!!str ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "\\u0000",
    "\u{feff}",
    "é😀",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    "%YAML 1.2\n",
    "null",
    "~",
    "1e999",
    "-0",
    "0x7fffffffffffffffff",
    "9223372036854775808",
    "PT1H",
    "366d",
    "needs: [a, a]",
    "if: ",
    "for_each: ",
    "retry: {limit: -1}",
    "\"dag\": {\"nodes\": [",
    "action_type: map",
    "command: x",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let iterations = args.next().map_or(Ok(ITERATIONS), |text| text.parse())?;
    let seed = args.next().map_or(Ok(1), |text| text.parse())?;
    let corpus = corpus()?;
    let mut random = Random(seed);
    let begun = Instant::now();
    let mut accepted = 0_u64;
    for iteration in 0..iterations {
        let bytes = mutate(&corpus, &mut random);
        let format = *random.pick(&[Format::Auto, Format::Auto, Format::Yaml, Format::Json]);
        let started = Instant::now();
        let checked = std::panic::catch_unwind(|| check(&read_bytes(&bytes, format), bytes.len()));
        let fault = match checked {
            Ok(Ok(is_accepted)) if started.elapsed() < SLOW => {
                accepted += u64::from(is_accepted);
                continue;
            }
            Ok(Ok(_)) => format!("took {:?}", started.elapsed()),
            Ok(Err(fault)) => fault,
            Err(_) => "panicked".to_owned(),
        };
        let text = String::from_utf8_lossy(&bytes);
        return Err(format!("iteration {iteration} of seed {seed}, {format:?}: {fault}\n{text}").into());
    }
    println!(
        "{{\"iterations\": {iterations}, \"accepted\": {accepted}, \"seconds\": {:.1}}}",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The example files, v1 and dialects.
fn corpus() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [
        "tests/data",
        "../examples/dialects/actions",
        "../examples/dialects/commands",
        "../examples/dialects/nodes",
    ] {
        for entry in std::fs::read_dir(root.join(folder))? {
            files.push(entry?.path());
        }
    }
    // The order of a folder is not the same on every machine.
    files.sort();
    Ok(files.into_iter().map(std::fs::read).collect::<Result<_, _>>()?)
}

fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(corpus).clone();
    for _ in 0..=random.below(MUTATIONS_MAX) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(24)).min(bytes.len());
        match random.below(7) {
            0 => drop(bytes.splice(at..at, random.pick(FRAGMENTS).bytes())),
            1 => drop(bytes.splice(at..end, random.pick(FRAGMENTS).bytes())),
            2 => drop(bytes.drain(at..end)),
            3 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            4 => {
                let copy = bytes[at..end].repeat(1 + random.below(40));
                bytes.splice(at..at, copy);
            }
            5 => {
                let other = random.pick(corpus);
                let from = random.below(other.len() + 1);
                let part = other[from..(from + random.below(400)).min(other.len())].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at),
        }
        bytes.truncate(FILE_BYTES_MAX);
    }
    bytes
}

/// Whether the file was accepted, or which promise was broken.
fn check(reading: &Reading, length: usize) -> Result<bool, String> {
    let has_error = reading.diagnostics.iter().any(|d| d.severity == Severity::Error);
    if reading.workflow.is_some() == has_error {
        return Err("a workflow together with an error, or neither".to_owned());
    }
    for diagnostic in &reading.diagnostics {
        let spans = diagnostic
            .span
            .iter()
            .chain(diagnostic.labels.iter().map(|label| &label.span));
        if spans
            .into_iter()
            .any(|span| span.line == 0 || (span.offset + span.length) as usize > length)
        {
            return Err(format!("a place outside the text: {diagnostic:?}"));
        }
    }
    if let (Some(workflow), Some(converted)) = (&reading.workflow, &reading.converted) {
        let again = read(converted, Format::Yaml);
        if again.workflow.as_ref() != Some(workflow) {
            return Err(format!(
                "the conversion reads differently: {:?}\n{converted}",
                again.diagnostics
            ));
        }
    }
    Ok(reading.workflow.is_some())
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough to mutate files, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
