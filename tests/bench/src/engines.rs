//! The servers that one suite measures against, and the processes that measure.

use crate::{binaries, distance, process::Function, report::Section, whole::Functions};
use redis::{AsyncConnectionConfig, RedisResult, aio::MultiplexedConnection};
use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};
use strata_stack::{Options, RedisEngine, Stack};
use tokio::runtime::Runtime;

/// A connection to Redis past the library, with the library's client. It waits for an answer as long as it takes.
///
/// # Errors
/// When there is no such server.
pub async fn connect(url: &str) -> RedisResult<MultiplexedConnection> {
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await
}

/// Redis and DynamoDB of one suite alone: no suite finds what another has left, and no gateway and no container of the
/// stack is in what is measured.
pub struct Engines {
    runtime: Runtime,
    stack: Stack,
}

impl Engines {
    /// Starts both, empty.
    ///
    /// # Errors
    /// When a server cannot be started.
    pub fn start() -> Result<Engines, Box<dyn Error>> {
        Engines::on(RedisEngine::Any)
    }

    /// The same with a server of that kind.
    ///
    /// # Errors
    /// When a server cannot be started.
    pub fn on(redis: RedisEngine) -> Result<Engines, Box<dyn Error>> {
        let runtime = Runtime::new()?;
        let stack = runtime.block_on(Stack::start(Options::default().functions([""; 0]).redis(redis)))?;
        Ok(Engines { runtime, stack })
    }

    /// The address of Redis.
    pub fn redis_url(&self) -> &str {
        self.stack.redis().url()
    }

    /// The address of DynamoDB.
    pub fn dynamodb_endpoint(&self) -> &str {
        self.stack.l3().engine_endpoint()
    }

    /// `entries` with these engines, and the function it is compared with.
    ///
    /// # Errors
    /// When they cannot be built.
    pub fn functions(&self) -> io::Result<Functions> {
        let (mut entries, hello) = self.built(&["entries"])?;
        Ok(Functions { entries: entries.remove(0), hello })
    }

    /// These functions with these engines, and the one they are compared with.
    ///
    /// # Errors
    /// When they cannot be built.
    pub fn built(&self, names: &[impl AsRef<str>]) -> io::Result<(Vec<Function>, Function)> {
        let folder = binaries::build()?;
        let function = |name: &str, env| Function { binary: folder.join(name), env };
        let built = names.iter().map(|name| function(name.as_ref(), self.environment())).collect();
        Ok((built, function("hello", Vec::new())))
    }

    /// Runs a measurement of the library in a process of its own with a function's environment: the settings and the
    /// AWS SDK read nothing else. `arguments` are those of this program, the measurement's name first.
    ///
    /// # Errors
    /// What the measurement says.
    pub fn in_a_process(&self, arguments: &[String]) -> Result<Vec<Section>, Box<dyn Error>> {
        measured(arguments, self.environment())
    }

    /// The same with the [delays of AWS](distance) on the way to both engines, which the titles say.
    ///
    /// # Errors
    /// What the measurement says.
    pub fn in_a_distant_process(&self, arguments: &[String]) -> Result<Vec<Section>, Box<dyn Error>> {
        let redis = distance::to_redis(self.redis_url().trim_start_matches("redis://"))?;
        let dynamodb = distance::to_dynamodb(self.dynamodb_endpoint().trim_start_matches("http://"))?;
        let mut environment = self.environment();
        environment.push(("REDIS_URL".to_owned(), format!("redis://{redis}")));
        environment.push(("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), format!("http://{dynamodb}")));
        let mut sections = measured(arguments, environment)?;
        sections.iter_mut().for_each(|section| section.title += ", with the delays of AWS");
        Ok(sections)
    }

    /// Ends both, and returns when they are gone.
    pub fn stop(self) {
        self.runtime.block_on(self.stack.shutdown());
    }

    /// What a function needs to find the engines.
    pub fn environment(&self) -> Vec<(String, String)> {
        let info = self.stack.info();
        [
            ("REDIS_URL", self.redis_url()),
            ("TABLE_NAME", &info.table),
            ("CONTROL_TABLE_NAME", &info.control_table),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb_endpoint()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("KEY_PREFIX", "bench:"),
            ("FUNCTION_TIMEOUT_SECONDS", "30"),
            // The limiter works as it does everywhere, but never refuses.
            ("RATE_LIMIT_READ", "1000000"),
            // What only the authorizer reads.
            ("JWT_ISSUER", "https://issuer.example"),
            ("JWT_AUDIENCE", "strata"),
            ("JWT_SECRET", "no token is looked at in these measurements"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

/// DynamoDB in a process of its own: its work takes no thread of a gateway's and of the proxies'. It ends with this one.
pub struct DynamoAlone {
    child: Child,
    endpoint: String,
}

impl DynamoAlone {
    /// What this program is told to [serve](DynamoAlone::serve).
    pub const NAME: &str = "dynamodb";

    /// Starts it, empty.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> io::Result<DynamoAlone> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(DynamoAlone::NAME).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut endpoint = String::new();
        BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).read_line(&mut endpoint)?;
        Ok(DynamoAlone { child, endpoint: endpoint.trim().to_owned() })
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the process does: it says its address, and serves until its input ends.
    ///
    /// # Errors
    /// When the server cannot be started.
    #[allow(clippy::print_stdout, reason = "who started it waits for the address")]
    pub fn serve() -> Result<(), Box<dyn Error>> {
        let engines = Engines::start()?;
        println!("{}", engines.dynamodb_endpoint());
        io::stdin().read_to_end(&mut Vec::new())?;
        engines.stop();
        Ok(())
    }
}

impl Drop for DynamoAlone {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // What fails here has ended already.
        self.child.wait().ok();
    }
}

/// What this program measures with these arguments in this environment. Of a variable that is there twice, the later
/// one counts.
fn measured(arguments: &[String], environment: Vec<(String, String)>) -> Result<Vec<Section>, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(arguments).env_clear().envs(environment).stderr(Stdio::inherit());
    let output = child.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stdout).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
