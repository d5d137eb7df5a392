//! Every file under `examples/` is valid, and those that need nothing from outside run to their end.

use std::path::{Path, PathBuf};

use runnel_engine::source::{Format, read};
use runnel_tests::cluster::repository_file;
use runnel_tests::programs::workspace;

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

#[test]
fn every_example_is_valid() {
    let mut files = Vec::new();
    collect(&workspace().join("examples"), &mut files).expect("examples");
    assert!(!files.is_empty());
    for file in files {
        let reading = read(&repository_file(&file).expect("a readable example"), Format::Auto);
        assert!(reading.workflow.is_some(), "{}: {:#?}", file.display(), reading.diagnostics);
    }
}
