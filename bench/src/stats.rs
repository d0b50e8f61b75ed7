//! Figures: quantiles, CPU time, memory, and the machine they were taken on.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

/// A sorted sample of durations.
#[derive(Debug)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Sorts the measurements.
    #[must_use]
    pub fn new(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The duration that `per_mille` of 1000 measurements do not exceed.
    #[must_use]
    pub fn quantile(&self, per_mille: usize) -> Duration {
        let rank = (self.0.len() * per_mille).div_ceil(1000).max(1) - 1;
        self.0.get(rank).copied().unwrap_or_default()
    }

    /// `p50 1.2 ms, p99 3.4 ms, max 5.6 ms`.
    #[must_use]
    pub fn line(&self) -> String {
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        let (p50, p99, max) = (self.quantile(500), self.quantile(990), self.quantile(1000));
        format!("p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", ms(p50), ms(p99), ms(max))
    }
}

/// CPU time that a process has used, user and system together; the caller's own with `None`.
///
/// # Panics
/// Where there is no `/proc`.
#[must_use]
pub fn cpu(pid: Option<u32>) -> Duration {
    let path = pid.map_or_else(|| "/proc/self/stat".to_owned(), |pid| format!("/proc/{pid}/stat"));
    let text = fs::read_to_string(path).expect("a process that runs, on Linux");
    // The name in brackets may hold spaces; the fields are counted behind it.
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok()).unwrap_or_default();
    // Linux counts in hundredths of a second for every architecture that we run on.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// Resident memory of a process in bytes.
///
/// # Panics
/// Where there is no `/proc`.
#[must_use]
pub fn memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that runs, on Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or_default() * 1024
}

/// Appends of 4 KiB made durable per second in `folder`, one after the other: what one fdatasync costs here.
///
/// # Panics
/// When the folder cannot be written.
#[must_use]
pub fn syncs_per_second(folder: &Path) -> f64 {
    const ROUNDS: u32 = 300;
    let path = folder.join("fdatasync.probe");
    let mut file = File::create(&path).expect("a folder to write in");
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        file.write_all(&[0; 4096]).expect("room on the disk");
        file.sync_data().expect("a disk that syncs");
    }
    let rate = f64::from(ROUNDS) / begun.elapsed().as_secs_f64();
    drop(file);
    fs::remove_file(path).expect("the file just written");
    rate
}

/// One line about the machine: cores, memory, file system of `folder`, its fdatasync rate.
#[must_use]
pub fn machine(folder: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kilobytes: u64 = memory.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default();
    let rate = syncs_per_second(folder);
    format!("{cores} cores, {} GB, {}, {rate:.0} fdatasync/s", kilobytes >> 20, file_system(folder))
}

/// The type of the file system that holds `folder`.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holds = fields.filter(|it| it.len() > 2 && folder.starts_with(it[1]));
    holds.max_by_key(|it| it[1].len()).map_or_else(|| "unknown".to_owned(), |it| it[2].to_owned())
}
