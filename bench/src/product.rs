//! The real binary as a child process: started on a free port, watched, killed, started again on the same data.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::watch;

use crate::{http::Client, until};

/// The one-time code of every installation that is started here.
pub const SETUP_CODE: &str = "a-setup-code-of-tests";
/// How long a process may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to run: a command of the binary with its arguments and environment.
#[derive(Debug, Clone)]
pub struct Launch {
    binary: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
}

impl Launch {
    /// `switchboard COMMAND`, working in `folder`; nothing of the caller's own settings reaches it.
    #[must_use]
    pub fn new(binary: &Path, folder: &Path, command: &[&str]) -> Self {
        let arguments = command.iter().map(|it| (*it).to_owned()).collect();
        Self { binary: binary.to_owned(), arguments, environment: Vec::new(), folder: folder.to_owned() }
    }

    /// `switchboard serve` on a free port with its data in `folder` and the usual setup code.
    #[must_use]
    pub fn serve(binary: &Path, folder: &Path) -> Self {
        Self::new(binary, folder, &["serve", "--data", "data"])
            .set("listen", "127.0.0.1:0")
            .set("sandbox.listen", "127.0.0.1:0")
            .variable("SWITCHBOARD_SETUP_CODE", SETUP_CODE)
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Adds `--set path=value`; the last one wins.
    #[must_use]
    pub fn set(self, path: &str, value: &str) -> Self {
        self.argument("--set").argument(&format!("{path}={value}"))
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// On PostgreSQL when a server is given.
    #[must_use]
    pub fn database(self, url: Option<&str>) -> Self {
        match url {
            Some(url) => self.variable("SWITCHBOARD_DATABASE", url),
            None => self,
        }
    }

    fn spawn(&self) -> (Child, watch::Receiver<Vec<String>>) {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
            command.env_remove(name);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned()).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let lines = Arc::new(watch::Sender::new(Vec::new()));
        read_lines(child.stdout.take().expect("piped"), Arc::clone(&lines));
        read_lines(child.stderr.take().expect("piped"), Arc::clone(&lines));
        let receiver = lines.subscribe();
        (child, receiver)
    }

    /// Runs the command to its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn run(&self) -> Finished {
        let (child, lines) = self.spawn();
        Running { child: Mutex::new(child), lines }.finish().await
    }

    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// With its output, when it does not.
    pub async fn start(&self) -> Product {
        let (child, lines) = self.spawn();
        let running = Running { child: Mutex::new(child), lines };
        let url = running.line("listening on ").await;
        Product { running, url }
    }

    /// Starts a sandbox alone and waits until it listens.
    ///
    /// # Panics
    /// With its output, when it does not.
    pub async fn start_sandbox(&self) -> Product {
        let (child, lines) = self.spawn();
        let running = Running { child: Mutex::new(child), lines };
        let url = running.line("sandbox on ").await;
        Product { running, url }
    }
}

fn read_lines(source: impl Read + Send + 'static, lines: Arc<watch::Sender<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            lines.send_modify(|all| all.push(line));
        }
    });
}

struct Running {
    child: Mutex<Child>,
    lines: watch::Receiver<Vec<String>>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it printed, on both outputs.
    pub output: String,
}

impl Running {
    /// The rest of the first line that starts with `prefix`.
    async fn line(&self, prefix: &str) -> String {
        let find = |all: &Vec<String>| all.iter().find_map(|it| it.split_once(prefix).map(|(_, rest)| rest.to_owned()));
        let mut lines = self.lines.clone();
        let found = tokio::time::timeout(PATIENCE, lines.wait_for(|all| find(all).is_some())).await;
        match found {
            Ok(Ok(all)) => find(&all).expect("it was just there").trim().to_owned(),
            _ => panic!("no line with {prefix:?} in:\n{}", self.output()),
        }
    }

    fn output(&self) -> String {
        self.lines.borrow().join("\n")
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn finish(&self) -> Finished {
        let ended = async || self.child().try_wait().expect("a child can be asked");
        let status = until(PATIENCE, "the process ends", ended).await;
        // The readers end with the pipes; all lines are there once they have gone.
        let mut lines = self.lines.clone();
        while lines.changed().await.is_ok() {}
        Finished { status, output: self.output() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = self.child();
        // An error says that it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A server that runs. Dropping it kills it.
pub struct Product {
    running: Running,
    /// Its address.
    pub url: String,
}

impl Product {
    /// A client without a token.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// What stands behind `prefix` in its output; waits for it.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn line(&self, prefix: &str) -> String {
        self.running.line(prefix).await
    }

    /// Everything it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.running.output()
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.child().id()
    }

    /// The host and port that it listens on.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }

    /// kill -9, and waits until the process is gone.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&self) {
        let mut child = self.running.child();
        child.kill().expect("a running child can be killed");
        child.wait().expect("a killed child ends");
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub async fn stop(&self) -> Finished {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a running process takes a signal");
        self.running.finish().await
    }
}
