//! Stops a service when the process that started it is gone, however it ended.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its standard input, which only the owner holds open; then stops the service and removes its files.
const SCRIPT: &str = r#"
read -r _
kill -INT "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ "$n" -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
kill -KILL "$1" 2>/dev/null
rm -rf "$2"
"#;

/// A watcher of one service; it outlives its owner by the time that the stop takes.
#[derive(Debug)]
pub struct Reaper {
    shell: Child,
}

impl Reaper {
    /// Watches the process `pid`, which keeps its files in `directory`.
    ///
    /// # Errors
    /// There is no shell.
    pub fn watch(pid: u32, directory: &Path) -> std::io::Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "reaper", &pid.to_string()])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // its own group: Ctrl-C at a terminal must not end the reaper before its service
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// Ends the watch; the owner has stopped the service itself.
    pub fn dismiss(&mut self) {
        // the shell may have ended already; there is nothing else to do about it
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
