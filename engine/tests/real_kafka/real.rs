//! A real Kafka and a real registry, each a process on a port that was free, in a folder of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::child::Child;
use crate::required::{done, or_skipped, script};
use crate::world::Broker;

/// The folder of the first node.
const FIRST: &str = "kafka";

/// Both, until dropped. They end with this process, too, however that ends.
pub(crate) struct Real {
    /// As other tests know them: addresses, and Kafka's process.
    pub(crate) broker: Broker,
    port: u16,
    settings: Settings,
    _registry: Child,
    folder: TempDir,
}

/// How Kafka is started.
#[derive(Default)]
pub(crate) struct Settings {
    /// More lines for `server.properties`.
    pub(crate) properties: String,
    /// More listeners, such as `SASL_SSL://localhost:9093`.
    pub(crate) listeners: Vec<String>,
    /// More options of the first start.
    pub(crate) format: String,
    /// More options of the registry's.
    pub(crate) registry: Vec<String>,
}

/// Lines for `server.properties`: who may do what is looked at, and all may do what nothing is said of.
const AUTHORIZER: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                          allow.everyone.if.no.acl.found=true\n";

impl Settings {
    /// With rights that can be taken away.
    pub(crate) fn with_rights() -> Self {
        Settings { properties: AUTHORIZER.into(), ..Settings::default() }
    }
}

impl Real {
    /// With a plaintext listener alone. `None`, and a line that says why, where it cannot be had.
    pub(crate) fn start() -> Option<Self> {
        Real::with(Settings::default())
    }

    /// As [`Self::start`], with more than that.
    pub(crate) fn with(settings: Settings) -> Option<Self> {
        if !is_here() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let child = start_kafka(&folder.path().join(FIRST), port, &settings, None);
        let registry_port = free_port().to_string();
        let mut registry = start(
            script("registry.sh")
                .args(["run", &registry_port])
                .arg(folder.path().join("registry"))
                .args(&settings.registry),
        );
        let line = registry.stdout_line("ready at ");
        let url = line.strip_prefix("ready at ").and_then(|rest| rest.split(',').next()).unwrap().to_string();
        let broker = Broker { child, servers: format!("127.0.0.1:{port}"), registry: url };
        Some(Real { broker, port, settings, _registry: registry, folder })
    }

    /// Ends Kafka as a failing machine would.
    pub(crate) fn kill_kafka(&mut self) {
        self.broker.child.kill();
    }

    /// Starts Kafka again on the data that there is.
    pub(crate) fn start_kafka_again(&mut self) {
        self.broker.child = start_kafka(&self.folder.path().join(FIRST), self.port, &self.settings, None);
    }

    /// Starts a second node of the same cluster, or starts it again on its data. It ends when it is dropped.
    pub(crate) fn start_second(&self, port: u16) -> Child {
        let first = self.folder.path().join(FIRST);
        start_kafka(&self.second(), port, &self.settings, Some(&first))
    }

    /// Stops the second node, which hands over what it leads.
    pub(crate) fn stop_second(&self, second: Child) {
        done(script("kafka.sh").arg("stop").arg(self.second())).unwrap();
        drop(second);
    }

    fn second(&self) -> PathBuf {
        self.folder.path().join("second")
    }

    /// Takes the right to write to `topic` from everybody who does not log in.
    pub(crate) fn deny_writing(&self, topic: &str) {
        self.tool("AclCommand", &["--add", "--allow-principal", "User:*", "--operation", "All", "--topic", topic]);
        self.tool("AclCommand", &[&["--add"], &denial(topic)[..]].concat());
    }

    /// Gives it back.
    pub(crate) fn allow_writing(&self, topic: &str) {
        self.tool("AclCommand", &[&["--remove", "--force"], &denial(topic)[..]].concat());
    }

    /// Runs one of Kafka's own tools to its end.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) {
        let servers = ["tool", class, "--bootstrap-server", &self.broker.servers];
        done(script("kafka.sh").args(servers).args(arguments)).unwrap();
    }
}

fn denial(topic: &str) -> [&str; 6] {
    ["--deny-principal", "User:ANONYMOUS", "--operation", "Write", "--topic", topic]
}

fn start_kafka(folder: &Path, port: u16, settings: &Settings, join: Option<&Path>) -> Child {
    std::fs::create_dir_all(folder).unwrap();
    let properties = folder.join("more.properties");
    std::fs::write(&properties, &settings.properties).unwrap();
    let mut command = script("kafka.sh");
    command.args(["run", &port.to_string()]).arg(folder).arg(properties);
    command.args(&settings.listeners).env("K2_KAFKA_FORMAT", &settings.format);
    command.envs(join.map(|folder| ("K2_KAFKA_JOIN", folder)));
    let mut child = start(&mut command);
    child.stdout_line("ready at ");
    child
}

/// The script ends when its input does, which is when the child is dropped.
fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Child::start(std::mem::replace(command, Command::new("true")))
}

/// Nobody listens there: it was free a moment ago, and the system does not hand it out again so soon.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Fetches both, once. Whether they are here.
fn is_here() -> bool {
    static FETCHED: OnceLock<Result<(), String>> = OnceLock::new();
    or_skipped(
        FETCHED.get_or_init(|| ["kafka.sh", "registry.sh"].iter().try_for_each(|name| done(script(name).arg("fetch")))),
    )
}

/// A folder of these tests that outlives them.
pub(crate) fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
