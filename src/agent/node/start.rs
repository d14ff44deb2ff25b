//! Starting one container: image, environment, mounts, program, post-start hook; and its hooks.
//!
//! Runs as a task beside the pod's state machine. The image can be given up at any moment when the
//! pod is to go; from then on the start is carried through, so that nothing half-made is left.

use super::environment::{Configs, Facts, command_line, expand, of_services, variables};
use super::host::Host;
use super::probe::{self, Exec};
use super::request;
use super::status::Ended;
use super::volume::Volumes;
use crate::agent::events::Event;
use crate::agent::runtime::image::Image;
use crate::agent::runtime::{
    ContainerSpec, ExecOptions, ExecRequest, Mount, Propagation, Root, Source,
};
use crate::object::meta;
use crate::yaml::Node;
use jiff::Timestamp;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// A termination message is cut after so many bytes.
const MESSAGE_LIMIT: usize = 4096;

/// What a start needs to know.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) host: Arc<Host>,
    /// The pod with its address filled in.
    pub(super) pod: Node,
    /// The container's spec.
    pub(super) container: Node,
    pub(super) attempt: u32,
    pub(super) ip: Option<IpAddr>,
    /// True when the pod is to go.
    pub(super) cancelled: watch::Receiver<bool>,
}

/// A container that runs.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) id: String,
    pub(super) image_id: String,
    pub(super) since: Timestamp,
}

/// Why a container does not run.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The image cannot be had: `ErrImagePull`, `ErrImageNeverPull`, `InvalidImageName`.
    Image { reason: &'static str, message: String },
    /// Something that the container refers to is missing.
    Config(String),
    /// The runtime could not start it.
    Start(String),
    /// The hook after the start failed; the container runs and is to be killed.
    Hook { id: String, message: String },
    /// The pod is to go.
    Cancelled,
}

/// The id of one attempt of a container.
pub(super) fn container_id(pod: &Node, container: &Node, attempt: u32) -> String {
    let name = container.str_at(&["name"]).unwrap_or_default();
    format!("{}-{name}-{attempt}", meta::uid(pod))
}

/// Where a container's output is kept.
pub(crate) fn log_path(host: &Host, uid: &str, container: &str, attempt: u32) -> PathBuf {
    host.config.state_dir.join(format!("pods/{uid}/logs/{container}/{attempt}.log"))
}

impl Start {
    pub(super) async fn run(mut self) -> Result<Begun, Fault> {
        let mut cancelled = self.cancelled.clone();
        let image = tokio::select! {
            image = self.image() => image?,
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(Fault::Cancelled),
        };
        let spec = self.spec(&image)?;
        if *self.cancelled.borrow() {
            return Err(Fault::Cancelled);
        }
        let name = spec.name.clone();
        let started = self.host.runtime.start_container(&spec).await;
        let started = started.map_err(|error| Fault::Start(error.chain()))?;
        self.tell("Created", format!("Created container: {name}"));
        self.tell("Started", format!("Started container {name}"));
        let begun =
            Begun { id: spec.id.clone(), image_id: image.id.clone(), since: started.started };
        if let Some(hook) = self.container.at(&["lifecycle", "postStart"]) {
            let hook = run_hook(&self.host, hook, &self.container, &spec.id, self.ip).await;
            if let Err(message) = hook {
                return Err(Fault::Hook { id: spec.id, message });
            }
        }
        Ok(begun)
    }

    fn tell(&self, reason: &str, message: String) {
        let event = Event::normal(&self.pod, reason, message).of_field(field_path(&self.container));
        self.host.tell(event);
    }

    fn warn(&self, reason: &str, message: String) {
        let event = Event::warning(&self.pod, reason, message).of_field(field_path(&self.container));
        self.host.tell(event);
    }

    async fn image(&mut self) -> Result<Image, Fault> {
        let reference = self.container.str_at(&["image"]).unwrap_or_default().to_owned();
        let policy = request::pull_policy(&self.container);
        let images = &self.host.images;
        let local = images.resolve(&reference).map_err(|error| Fault::Image {
            reason: "InvalidImageName",
            message: format!("Failed to apply default image tag \"{reference}\": {error}"),
        })?;
        match (policy, local) {
            ("IfNotPresent" | "Never", Some(image)) => {
                let text = format!("Container image \"{reference}\" already present on machine");
                self.tell("Pulled", text);
                return Ok(image);
            }
            ("Never", None) => {
                let message =
                    format!("Container image \"{reference}\" is not present with pull policy of Never");
                self.warn("ErrImageNeverPull", message.clone());
                return Err(Fault::Image { reason: "ErrImageNeverPull", message });
            }
            _ => {}
        }
        self.tell("Pulling", format!("Pulling image \"{reference}\""));
        let began = Instant::now();
        let credentials = self.host.credentials(&self.pod);
        match images.pull(&reference, &self.host.pull_options(credentials)).await {
            Ok(image) => {
                let took = began.elapsed();
                self.tell(
                    "Pulled",
                    format!("Successfully pulled image \"{reference}\" in {}ms", took.as_millis()),
                );
                Ok(image)
            }
            Err(error) => {
                let message = format!("failed to pull image \"{reference}\": {}", chain(&error));
                self.warn("Failed", format!("Failed to pull image \"{reference}\": {}", chain(&error)));
                self.warn("Failed", "Error: ErrImagePull".to_owned());
                Err(Fault::Image { reason: "ErrImagePull", message })
            }
        }
    }

    fn spec(&self, image: &Image) -> Result<ContainerSpec, Fault> {
        let (host, pod, container) = (&self.host, &self.pod, &self.container);
        let namespace = meta::namespace(pod);
        let configs = Configs::new(&host.store, namespace);
        let links = pod.at(&["spec", "enableServiceLinks"]).and_then(Node::as_bool) != Some(false);
        let (services, _) = host.store.list(&"services".into(), Some(namespace));
        let services = services.iter().filter(|_| links).map(|service| &service.object);
        let facts = Facts {
            pod,
            image: &image.config.env,
            services: of_services(services),
            capacity: &host.capacity,
        };
        let failed = |message: String| {
            self.warn("Failed", format!("Error: {message}"));
            Fault::Config(message)
        };
        let env = variables(container, &facts, &configs).map_err(failed)?;
        let volumes = Volumes::new(&host.config.state_dir, &host.config.run_dir, meta::uid(pod));
        let mounts = volumes.mounts(pod, container, |text| expand(text, &env));
        let mut mounts = mounts.map_err(|error| failed(error.to_string()))?;
        mounts.push(self.message_mount().map_err(|error| failed(error.to_string()))?);
        let command = command_line(container.get("command"), &env).filter(|list| !list.is_empty());
        let args = command_line(container.get("args"), &env).filter(|list| !list.is_empty());
        // as Docker: an own command forgets the image's arguments too
        let args: Vec<String> = match (command, args) {
            (Some(command), args) => command.into_iter().chain(args.into_iter().flatten()).collect(),
            (None, Some(args)) => image.config.entrypoint.iter().cloned().chain(args).collect(),
            (None, None) => {
                image.config.entrypoint.iter().chain(&image.config.cmd).cloned().collect()
            }
        };
        if args.is_empty() {
            return Err(failed("no command specified".to_owned()));
        }
        let name = container.str_at(&["name"]).unwrap_or_default();
        let own_cwd = container.str_at(&["workingDir"]).filter(|cwd| !cwd.is_empty());
        let flag = |key: &str| container.get(key).and_then(Node::as_bool) == Some(true);
        let log = log_path(host, meta::uid(pod), name, self.attempt);
        Ok(ContainerSpec {
            id: container_id(pod, container, self.attempt),
            sandbox: meta::uid(pod).to_owned(),
            name: name.to_owned(),
            attempt: self.attempt,
            root: Root::Layers(image.layers.clone()),
            args,
            env,
            cwd: own_cwd.unwrap_or(&image.config.working_dir).to_owned(),
            user: request::user(pod, container, &image.config.user),
            mounts,
            resources: request::resources(pod, container, &host.capacity),
            security: request::security(pod, container),
            log_path: Some(log),
            stdin: flag("stdin"),
            stdin_once: flag("stdinOnce"),
            tty: flag("tty"),
            host_pid: pod.at(&["spec", "hostPID"]).and_then(Node::as_bool) == Some(true),
            labels: [
                ("namespace".to_owned(), namespace.to_owned()),
                ("pod".to_owned(), meta::name(pod).to_owned()),
                ("image".to_owned(), image.id.clone()),
                ("stopSignal".to_owned(), image.config.stop_signal.clone()),
            ]
            .into(),
            ..ContainerSpec::default()
        })
    }

    /// The file that the program may leave its last words in.
    fn message_mount(&self) -> std::io::Result<Mount> {
        let path = message_path(&self.host, &self.pod, &self.container, self.attempt);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, b"")?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        let target = self.container.str_at(&["terminationMessagePath"]);
        Ok(Mount {
            source: Source::Bind(path),
            target: target.unwrap_or("/dev/termination-log").into(),
            read_only: false,
            propagation: Propagation::None,
        })
    }
}

/// `spec.containers{web}`.
pub(super) fn field_path(container: &Node) -> String {
    format!("spec.containers{{{}}}", container.str_at(&["name"]).unwrap_or_default())
}

fn message_path(host: &Host, pod: &Node, container: &Node, attempt: u32) -> PathBuf {
    let id = container_id(pod, container, attempt);
    host.config.run_dir.join("pods").join(meta::uid(pod)).join("messages").join(id)
}

/// The last words of a container that ended.
pub(super) fn message(host: &Host, pod: &Node, container: &Node, attempt: u32, code: i32) -> String {
    let path = message_path(host, pod, container, attempt);
    let mut text = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        // a program could have written without end
        let _ = file.take(MESSAGE_LIMIT as u64).read_to_end(&mut text);
    }
    let from_log = container.str_at(&["terminationMessagePolicy"]) == Some("FallbackToLogsOnError");
    if text.is_empty() && from_log && code != 0 {
        let name = container.str_at(&["name"]).unwrap_or_default();
        return log_tail(&log_path(host, meta::uid(pod), name, attempt)).unwrap_or_default();
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The end of a log, without the times of its lines: at most 80 lines and 2048 bytes.
fn log_tail(path: &std::path::Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(16 << 10))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).collect();
    let skip = lines.len().saturating_sub(80);
    lines.drain(..skip);
    while lines.iter().map(|line| line.len() + 1).sum::<usize>() > 2048 {
        lines.remove(0);
    }
    Some(lines.iter().flat_map(|line| [line, "\n"]).collect())
}

/// The way in which probes and hooks run commands in a container.
pub(super) fn exec(host: &Arc<Host>, id: &str) -> Exec {
    let (host, id) = (Arc::clone(host), id.to_owned());
    Arc::new(move |args, limit| {
        let (host, id) = (Arc::clone(&host), id.clone());
        Box::pin(async move {
            let request = ExecRequest { args, ..ExecRequest::default() };
            let options = ExecOptions { timeout: Some(limit), output_limit: 10 << 10 };
            let output = host.runtime.exec(&id, &request, &options).await;
            let output = output.map_err(|error| error.chain())?;
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&output.stderr));
            Ok((output.code, text))
        })
    })
}

/// Runs a lifecycle hook.
async fn run_hook(
    host: &Arc<Host>,
    hook: &Node,
    container: &Node,
    id: &str,
    ip: Option<IpAddr>,
) -> Result<(), String> {
    if let Some(seconds) = hook.i64_at(&["sleep", "seconds"]) {
        sleep(Duration::from_secs(seconds.unsigned_abs())).await;
        return Ok(());
    }
    probe::once(hook, container, ip, &exec(host, id)).await
}

/// Stops a container that runs: hook, signal, grace, kill.
pub(super) async fn stop(
    host: Arc<Host>,
    pod: Node,
    container: Node,
    id: String,
    ip: Option<IpAddr>,
    grace: Duration,
) {
    let began = Instant::now();
    if let Some(hook) = container.at(&["lifecycle", "preStop"])
        && !grace.is_zero()
    {
        match timeout(grace, run_hook(&host, hook, &container, &id, ip)).await {
            Ok(Ok(())) => {}
            Ok(Err(message)) => {
                let event = Event::warning(&pod, "FailedPreStopHook", message);
                host.tell(event.of_field(field_path(&container)));
            }
            Err(_) => {
                let message = format!("PreStopHook did not end within {}s", grace.as_secs());
                let event = Event::warning(&pod, "FailedPreStopHook", message);
                host.tell(event.of_field(field_path(&container)));
            }
        }
    }
    // the kubelet leaves two seconds for the signal even when the hook took all
    let least = if grace.is_zero() { Duration::ZERO } else { Duration::from_secs(2) };
    let left = grace.saturating_sub(began.elapsed()).max(least);
    let signal = container.str_at(&["lifecycle", "stopSignal"]).map(str::to_owned);
    if let Err(error) = host.runtime.stop_container(&id, signal.as_deref(), left).await {
        tracing::warn!(%id, error = %error.chain(), "a container could not be stopped");
    }
}

/// How a container ended, as the status says it.
pub(super) fn ended(
    id: &str,
    exit: &crate::agent::runtime::ExitStatus,
    message: String,
) -> Ended {
    let reason = match exit {
        exit if exit.oom => "OOMKilled",
        exit if exit.unknown => "ContainerStatusUnknown",
        exit if exit.code == 0 => "Completed",
        _ => "Error",
    };
    Ended {
        code: exit.code,
        reason: reason.to_owned(),
        message,
        started: Some(exit.started),
        finished: exit.finished,
        id: id.to_owned(),
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
