//! Starts the parts of a stack in the order in which they need each other.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::OUTSIDE;
use crate::authorizer::Authorizer;
use crate::clock::Clocks;
use crate::container::Container;
use crate::dynamo;
use crate::environment::Deployment;
use crate::error::{Doing, Error};
use crate::faults::Faults;
use crate::gateway::Gateway;
use crate::info::{Outside, of_port};
use crate::l3::L3;
use crate::logs::Logs;
use crate::mapping::Mapping;
use crate::options::Options;
use crate::pool::Pool;
use crate::process::Spec;
use crate::redis::Redis;
use crate::redis_path::RedisPath;
use crate::redis_url::RedisUrl;
use crate::route::Routes;
use crate::schedule::{Scheduled, Schedules};
use crate::stack::Core;
use crate::stream::Stream;
use crate::template::{Function, Template};
use crate::token::Issuer;
use crate::watchdog::Watchdog;

/// Lambda's own limit for a function to get ready, and margin.
const READY_TIMEOUT: Duration = Duration::from_secs(15);
/// The resource whose function answers with its REDIS_URL.
const SHOWS_THE_URL: &str = "/cache/config";
/// The tables, by the variable in which functions are given their names.
pub(crate) const TABLES: [(&str, &str); 2] = [("TABLE_NAME", "cache_entries"), ("CONTROL_TABLE_NAME", "cache_control")];

/// Starts the parts; on an error, those that run are ended by their destructors.
pub(crate) async fn launch(options: Options) -> Result<(Arc<Core>, JoinHandle<()>), Error> {
    let listener = listen(options.port).await?;
    let address = listener.local_addr().doing("opening the gateway's port")?;
    let template = template(&options).map_err(Error::Template)?;
    let api = template.api().map_err(Error::Template)?;
    let scratch = tempfile::Builder::new().prefix("strata-").tempdir().doing("creating a folder")?.keep();
    let watchdog = Arc::new(Watchdog::start(&scratch).doing("starting /bin/sh")?);
    let folder = options.folder.as_ref().map(|folder| of_port(folder, address.port()));
    let logs = Arc::new(Logs::open(folder.as_ref().unwrap_or(&scratch).join("logs"))?);
    let changed = Arc::new(Notify::new());
    let redis =
        Redis::start_engine(&options.redis, scratch.join("redis"), watchdog.clone(), logs.clone(), changed.clone())
            .await?;
    let l3 = start_l3(&options, &template).await?;

    let clocks = options.clocks.then(|| Clocks::compile(scratch.join("clocks"))).transpose()?;
    let mut fleet = Fleet {
        options: &options,
        redis: &redis,
        l3: &l3,
        logs: &logs,
        watchdog: &watchdog,
        clocks: clocks.as_ref(),
        paths: BTreeMap::new(),
    };
    let functions = fleet.functions(&template)?;
    let pools = fleet.start(&functions).await?;
    let outside = fleet.outside().await?;
    let paths = Arc::new(fleet.paths);
    await_ready(&pools, &logs).await?;
    report_changes(&pools, &changed);

    subscribe(&options, &template, &functions, &pools, &logs, l3.engine_endpoint()).await?;
    let schedules = schedules(&functions, &pools);
    if options.schedules {
        schedules.start();
    }
    let faults = Faults { l3, paths };
    let authorizer = api.authorizer.as_ref().and_then(|settings| {
        let pool = pools.get(&settings.function)?;
        Some(Authorizer::new(settings, pool.clone()))
    });
    let url = format!("http://{address}/{}/cache", api.stage);
    let gateway = Gateway {
        api,
        routes: routes(&functions),
        authorizer,
        pools: pools.clone(),
        faults: faults.clone(),
        schedules: schedules.clone(),
    };
    let gateway = tokio::spawn(Arc::new(gateway).serve(listener));
    let issuer = issuer(&options);
    let core = Core { url, folder, issuer, redis, outside, faults, clocks, schedules, pools, logs, watchdog, changed };
    Ok((Arc::new(core), gateway))
}

fn template(options: &Options) -> Result<Template, String> {
    let mut template = Template::load(&options.template)?;
    for (parameter, value) in &options.parameters {
        template.set(parameter, value)?;
    }
    Ok(template)
}

/// Starts to deliver the streams of tables to the functions that the template subscribes.
async fn subscribe(
    options: &Options,
    template: &Template,
    functions: &[Function],
    pools: &BTreeMap<String, Arc<Pool>>,
    logs: &Arc<Logs>,
    engine: &str,
) -> Result<(), Error> {
    for function in functions.iter().filter(|_| options.streams) {
        for source in &function.sources {
            let table = TABLES.iter().find(|(variable, _)| template.table_id(variable) == Some(source.table.as_str()));
            let missing = || Error::Template(format!("{}: {} is no table of it", function.name, source.table));
            let (_, table) = table.ok_or_else(missing)?;
            let mapping = Mapping { source: source.clone(), pool: pools[&function.name].clone(), logs: logs.clone() };
            // An engine that is not the stack's own may have made the table without its stream.
            if let Some(stream) = Stream::open(engine, table).await? {
                tokio::spawn(mapping.run(stream));
            }
        }
    }
    Ok(())
}

fn schedules(functions: &[Function], pools: &BTreeMap<String, Arc<Pool>>) -> Schedules {
    let all = functions.iter().flat_map(|function| {
        let pool = pools[&function.name].clone();
        function.schedules.iter().map(move |schedule| Scheduled {
            function: function.name.clone(),
            schedule: schedule.clone(),
            pool: pool.clone(),
        })
    });
    Schedules(Arc::new(all.collect()))
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(Error::PortInUse(port)),
        bound => bound.doing(format!("opening port {port}")),
    }
}

async fn start_l3(options: &Options, template: &Template) -> Result<L3, Error> {
    let engine = dynamo::start(&options.l3).await?;
    for (variable, name) in TABLES {
        let missing = || Error::Template(format!("the functions have no {variable} that refers to a table"));
        let properties = template.table(variable).ok_or_else(missing)?;
        dynamo::create_table(&engine, name, properties).await?;
    }
    let address = options.engines_at.unwrap_or(Ipv4Addr::LOCALHOST);
    L3::open(address, engine).await.doing(format!("opening a port for L3 on {address}"))
}

/// What containers are started from.
struct Fleet<'a> {
    options: &'a Options,
    redis: &'a Redis,
    l3: &'a L3,
    logs: &'a Arc<Logs>,
    watchdog: &'a Arc<Watchdog>,
    clocks: Option<&'a Clocks>,
    /// Grows with every container that uses Redis.
    paths: BTreeMap<String, RedisPath>,
}

impl Fleet<'_> {
    /// The functions asked for, all of which have been built.
    fn functions(&self, template: &Template) -> Result<Vec<Function>, Error> {
        let mut functions = template.functions().map_err(Error::Template)?;
        if let Some(wanted) = &self.options.functions {
            functions.retain(|function| wanted.contains(&function.name));
        }
        let missing = functions.iter().map(|function| self.binary(function)).find(|binary| !binary.is_file());
        missing.map_or(Ok(functions), |binary| Err(Error::MissingBinary(binary)))
    }

    fn binary(&self, function: &Function) -> PathBuf {
        self.options.binaries.join(&function.name)
    }

    async fn start(&mut self, functions: &[Function]) -> Result<BTreeMap<String, Arc<Pool>>, Error> {
        let mut pools = BTreeMap::new();
        for function in functions {
            let mut containers = Vec::new();
            for number in 1..=self.options.containers {
                containers.push(self.container(function, container_name(function, number)).await?);
            }
            pools.insert(function.name.clone(), Pool::new(containers));
        }
        Ok(pools)
    }

    async fn container(&mut self, function: &Function, name: String) -> Result<Container, Error> {
        let redis_url = self.way_to_redis(function, &name).await?;
        let mut environment = self.deployment().environment(function, &name, &redis_url);
        if let Some(clocks) = self.clocks {
            environment.extend(clocks.environment(&name)?);
        }
        Container::open(Spec {
            name,
            function: function.name.clone(),
            binary: self.binary(function),
            environment,
            timeout: function.timeout,
            freeze: self.options.freeze,
            // What users wait for is started at once, everything else when it is needed.
            eager: !function.routes.is_empty(),
            logs: self.logs.clone(),
            watchdog: self.watchdog.clone(),
        })
        .await
    }

    /// The container's REDIS_URL: a proxy of its own, where there can be one. Containers of the function that shows the
    /// URL share theirs, so that each takes what another has shown for what it is.
    async fn way_to_redis(&mut self, function: &Function, name: &str) -> Result<String, Error> {
        let url = self.redis.url();
        let Some(parsed) = RedisUrl::parse(url).filter(|_| function.environment.contains_key("REDIS_URL")) else {
            return Ok(url.to_owned());
        };
        let is_shown = function.routes.iter().any(|route| route.resource == SHOWS_THE_URL);
        let path = match self.paths.get(&container_name(function, 1)).filter(|_| is_shown) {
            Some(first) => first.clone(),
            None => {
                RedisPath::open(Ipv4Addr::LOCALHOST, parsed.address.clone()).await.doing("opening a port for Redis")?
            }
        };
        let own = parsed.at(&path.address());
        self.paths.insert(name.to_owned(), path);
        Ok(own)
    }

    /// Opens the way to Redis of functions that somebody else runs, where they are to reach it.
    async fn outside(&mut self) -> Result<Option<Outside>, Error> {
        let Some(address) = self.options.engines_at else { return Ok(None) };
        let url = self.redis.url();
        let Some(parsed) = RedisUrl::parse(url) else { return Ok(None) };
        let path = RedisPath::open(address, parsed.address.clone()).await;
        let path = path.doing(format!("opening a port for Redis on {address}"))?;
        let redis_url = parsed.at(&path.address());
        self.paths.insert(OUTSIDE.to_owned(), path);
        Ok(Some(Outside { redis_url, dynamodb_endpoint: self.l3.endpoint() }))
    }

    fn deployment(&self) -> Deployment<'_> {
        let issuer = Issuer::default();
        let mut values = BTreeMap::from([("JWT_ISSUER", issuer.issuer), ("JWT_AUDIENCE", issuer.audience)]);
        // The URL has all that a server on this machine asks for.
        values.insert("REDIS_AUTH", String::new());
        values.insert("DEPLOYMENT_KEY", "local".to_owned());
        values.extend(TABLES.map(|(variable, name)| (variable, name.to_owned())));
        let window = self.options.coherence_window_ms.map(|window| ("COHERENCE_WINDOW_MS", window.to_string()));
        values.extend(window);
        Deployment {
            values,
            extra: &self.options.env,
            dynamodb_endpoint: self.l3.endpoint(),
            jwt_secret: issuer.secret,
        }
    }
}

fn container_name(function: &Function, number: usize) -> String {
    format!("{}-{number}", function.name)
}

/// Signs what the authorizer, whose variables the options may have changed, accepts.
fn issuer(options: &Options) -> Issuer {
    let default = Issuer::default();
    let value = |name: &str, default: String| options.env.get(name).cloned().unwrap_or(default);
    Issuer {
        secret: value("JWT_SECRET", default.secret),
        issuer: value("JWT_ISSUER", default.issuer),
        audience: value("JWT_AUDIENCE", default.audience),
    }
}

fn routes(functions: &[Function]) -> Routes {
    let all = functions.iter().flat_map(|function| {
        let name = function.name.clone();
        function.routes.iter().map(move |route| (name.clone(), route.clone()))
    });
    Routes::new(all.collect())
}

/// Waits until every container that is started at once has polled.
async fn await_ready(pools: &BTreeMap<String, Arc<Pool>>, logs: &Logs) -> Result<(), Error> {
    for container in pools.values().flat_map(|pool| &pool.containers).filter(|container| container.eager) {
        let mut state = container.state();
        let polled = timeout(READY_TIMEOUT, state.wait_for(|state| state.ready || state.failed)).await;
        let ready = matches!(polled, Ok(Ok(state)) if state.ready);
        if !ready {
            return Err(Error::Container { name: container.name.clone(), log: logs.tail(&container.name) });
        }
    }
    Ok(())
}

/// Notifies of every new process.
fn report_changes(pools: &BTreeMap<String, Arc<Pool>>, changed: &Arc<Notify>) {
    for container in pools.values().flat_map(|pool| &pool.containers) {
        let (mut state, changed) = (container.state(), changed.clone());
        tokio::spawn(async move {
            while state.changed().await.is_ok() {
                changed.notify_one();
            }
        });
    }
}
