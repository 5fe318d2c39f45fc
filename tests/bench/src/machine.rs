//! Where the numbers come from: of which machine, program and time.

use std::{fs, process::Command};

/// The machine and the tools, as lines of name and value.
pub fn describe() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("Processor", format!("{}, {cores} cores", field("/proc/cpuinfo", "model name"))),
        ("Memory", field("/proc/meminfo", "MemTotal")),
        ("System", output("uname", &["-srm"])),
        ("Compiler", output("rustc", &["--version"])),
        ("Profile", if cfg!(debug_assertions) { "dev: times mean nothing" } else { "release" }.to_owned()),
        ("Redis", output("redis-server", &["--version"])),
        (
            "Commit",
            output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--abbrev=12"]),
        ),
        ("Written", output("date", &["-u", "+%F %T UTC"])),
        ("Load then", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()),
    ]
}

/// The value of the first line `name: value` of a file of /proc.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    line.map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}
