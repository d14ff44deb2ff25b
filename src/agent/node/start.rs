//! Starting one container: image, environment, mounts, program, post-start hook.
//!
//! Runs as a task beside the pod's state machine. The image can be given up at any moment when the
//! pod is to go; from then on the start is carried through, so that nothing half-made is left.

use super::environment::{Configs, Facts, command_line, expand, of_services, variables};
use super::host::Host;
use super::volume::Volumes;
use super::{hook, message, request};
use crate::agent::events::Event;
use crate::agent::runtime::image::{Image, PullOptions};
use crate::agent::runtime::{ContainerSpec, ContainerState, Mount, Propagation, Root, Source};
use crate::agent::store::Key;
use crate::object::meta;
use crate::oci::{Progress, Reference};
use crate::yaml::Node;
use jiff::Timestamp;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What a start needs to know.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) host: Arc<Host>,
    /// The pod with its address filled in.
    pub(super) pod: Node,
    /// The container's spec.
    pub(super) container: Node,
    /// The list of the pod's spec that it stands in.
    pub(super) list: &'static str,
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

/// `spec.containers{web}`.
pub(super) fn field_path(container: &Node, list: &str) -> String {
    format!("spec.{list}{{{}}}", container.str_at(&["name"]).unwrap_or_default())
}

impl Start {
    pub(super) async fn run(self) -> Result<Begun, Fault> {
        let mut cancelled = self.cancelled.clone();
        let image = tokio::select! {
            image = self.image() => image?,
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(Fault::Cancelled),
        };
        let spec = self.spec(&image)?;
        if *cancelled.borrow() {
            return Err(Fault::Cancelled);
        }
        let runtime = &self.host.runtime;
        if let Err(error) = runtime.start_container(&spec).await {
            return Err(Fault::Start(error.chain()));
        }
        self.tell("Created", format!("Created container: {}", spec.name));
        self.tell("Started", format!("Started container {}", spec.name));
        let since = match runtime.status(&spec.id) {
            Some(ContainerState::Running { started, .. }) => started,
            Some(ContainerState::Exited(exit)) => exit.started,
            _ => self.host.clock.now(),
        };
        let image_id = image_id(&image);
        let begun = Begun { id: spec.id.clone(), image_id, since };
        if let Some(hook) = self.container.at(&["lifecycle", "postStart"]) {
            let hook = hook::run(&self.host, hook, &self.container, &spec.id, self.ip);
            let result = tokio::select! {
                result = hook => result,
                // what runs is stopped like any other
                _ = cancelled.wait_for(|cancelled| *cancelled) => Ok(()),
            };
            if let Err(message) = result {
                let message = format!("PostStartHook failed: {message}");
                return Err(Fault::Hook { id: spec.id, message });
            }
        }
        Ok(begun)
    }

    fn tell(&self, reason: &str, message: String) {
        let event = Event::normal(&self.pod, reason, message);
        self.host.tell(event.of_field(field_path(&self.container, self.list)));
    }

    fn warn(&self, reason: &str, message: String) {
        let event = Event::warning(&self.pod, reason, message);
        self.host.tell(event.of_field(field_path(&self.container, self.list)));
    }

    /// Finds the image here, or gets it, as the policy says.
    async fn image(&self) -> Result<Image, Fault> {
        let text = self.container.str_at(&["image"]).unwrap_or_default();
        let reference = Reference::image(text).map_err(|error| {
            let message = format!("Failed to apply default image tag \"{text}\": {error}");
            self.warn("InspectFailed", message.clone());
            self.warn("Failed", "Error: InvalidImageName".to_owned());
            Fault::Image { reason: "InvalidImageName", message }
        })?;
        let images = &self.host.images;
        match (request::pull_policy(&self.container), images.resolve(&reference)) {
            ("IfNotPresent" | "Never", Some(image)) => {
                let message = format!("Container image \"{text}\" already present on machine");
                self.tell("Pulled", message);
                return Ok(image);
            }
            ("Never", None) => {
                let message =
                    format!("Container image \"{text}\" is not present with pull policy of Never");
                self.warn("ErrImageNeverPull", message.clone());
                self.warn("Failed", "Error: ErrImageNeverPull".to_owned());
                return Err(Fault::Image { reason: "ErrImageNeverPull", message });
            }
            _ => {}
        }
        self.tell("Pulling", format!("Pulling image \"{text}\""));
        let began = Instant::now();
        let options =
            PullOptions { credentials: self.host.credentials(&self.pod), insecure: false };
        match images.pull(&reference, &options, &Progress::none()).await {
            Ok(image) => {
                let took = go_seconds(began.elapsed());
                let size = image.size;
                let message = format!(
                    "Successfully pulled image \"{text}\" in {took} ({took} including waiting). \
                     Image size: {size} bytes."
                );
                self.tell("Pulled", message);
                Ok(image)
            }
            Err(error) => {
                let message = format!("failed to pull image \"{text}\": {}", chain(&error));
                self.warn("Failed", format!("Failed to pull image \"{text}\": {}", chain(&error)));
                self.warn("Failed", "Error: ErrImagePull".to_owned());
                Err(Fault::Image { reason: "ErrImagePull", message })
            }
        }
    }

    /// What the runtime is asked for.
    fn spec(&self, image: &Image) -> Result<ContainerSpec, Fault> {
        let (host, pod, container) = (&self.host, &self.pod, &self.container);
        let namespace = meta::namespace(pod);
        let failed = |message: String| {
            self.warn("Failed", format!("Error: {message}"));
            Fault::Config(message)
        };
        let user = request::user(pod, container, &image.config.user);
        request::check_not_root(&user).map_err(failed)?;
        let env = self.environment(image).map_err(failed)?;
        let volumes = Volumes::new(&host.config.state_dir, &host.config.run_dir, meta::uid(pod));
        let mounts = volumes.mounts(pod, container, |text| expand(text, &env));
        let mut mounts = mounts.map_err(|error| failed(error.to_string()))?;
        let words = message::make(host, pod, container, self.attempt);
        let words = words.map_err(|error| failed(error.to_string()))?;
        mounts.push(Mount {
            source: Source::Bind(words),
            target: message_target(container),
            read_only: false,
            propagation: Propagation::None,
        });
        let args = arguments(container, image, &env);
        if args.is_empty() {
            return Err(failed("no command specified".to_owned()));
        }
        let name = container.str_at(&["name"]).unwrap_or_default();
        let own_cwd = container.str_at(&["workingDir"]).filter(|cwd| !cwd.is_empty());
        let flag = |key: &str| container.get(key).and_then(Node::as_bool) == Some(true);
        let mut labels: std::collections::BTreeMap<String, String> = [
            ("namespace".to_owned(), namespace.to_owned()),
            ("pod".to_owned(), meta::name(pod).to_owned()),
            ("image".to_owned(), image_id(image)),
        ]
        .into();
        if let Some(signal) = &image.config.stop_signal {
            labels.insert("stopSignal".to_owned(), signal.clone());
        }
        Ok(ContainerSpec {
            id: container_id(pod, container, self.attempt),
            sandbox: meta::uid(pod).to_owned(),
            name: name.to_owned(),
            attempt: self.attempt,
            root: Root::Layers(image.layers.clone()),
            args,
            env,
            cwd: own_cwd.unwrap_or(&image.config.working_dir).to_owned(),
            user,
            mounts,
            resources: request::resources(pod, container, &host.capacity),
            security: request::security(pod, container),
            log_path: Some(message::log_path(host, meta::uid(pod), name, self.attempt)),
            stdin: flag("stdin"),
            stdin_once: flag("stdinOnce"),
            tty: flag("tty"),
            host_pid: pod.at(&["spec", "hostPID"]).and_then(Node::as_bool) == Some(true),
            labels,
            ..ContainerSpec::default()
        })
    }

    fn environment(&self, image: &Image) -> Result<Vec<(String, String)>, String> {
        let (host, pod) = (&self.host, &self.pod);
        let namespace = meta::namespace(pod);
        let links = pod.at(&["spec", "enableServiceLinks"]).and_then(Node::as_bool) != Some(false);
        // every container knows the API, unless its namespace has another Service of that name
        let mut services: Vec<_> = host.store.get(&api_service()).into_iter().collect();
        if links {
            let (own, _) = host.store.list(&"services".into(), Some(namespace));
            services.retain(|api| own.iter().all(|service| service.key.name != api.key.name));
            services.extend(own);
        }
        let services = services.iter().map(|service| &service.object);
        let facts = Facts {
            pod,
            image: &image.config.env,
            services: of_services(services),
            capacity: &host.capacity,
        };
        variables(&self.container, &facts, &Configs::new(&host.store, namespace))
    }
}

/// The Service under whose name pods know the API.
fn api_service() -> Key {
    Key::new("services", "default", "kubernetes")
}

/// The program and its arguments. As with Docker, an own command forgets the image's arguments too.
fn arguments(container: &Node, image: &Image, env: &[(String, String)]) -> Vec<String> {
    let own = |key| command_line(container.get(key), env).filter(|list| !list.is_empty());
    let (entrypoint, cmd) = (&image.config.entrypoint, &image.config.cmd);
    match (own("command"), own("args")) {
        (Some(command), args) => command.into_iter().chain(args.into_iter().flatten()).collect(),
        (None, Some(args)) => entrypoint.iter().cloned().chain(args).collect(),
        (None, None) => entrypoint.iter().chain(cmd).cloned().collect(),
    }
}

fn message_target(container: &Node) -> PathBuf {
    container.str_at(&["terminationMessagePath"]).unwrap_or("/dev/termination-log").into()
}

/// The image as a status names it: what the registry gives for that digest.
fn image_id(image: &Image) -> String {
    let name = image.name.split('@').next().unwrap_or(&image.name);
    // a colon after the last slash begins the tag; one before it, a port
    let repository = match name
        .rfind('/')
        .map_or(name.rfind(':'), |slash| name[slash..].find(':').map(|colon| slash + colon))
    {
        Some(colon) => &name[..colon],
        None => name,
    };
    format!("{repository}@{}", image.digest)
}

/// A time as Go prints a short one: `12ms`, `1.234s`.
fn go_seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_millis());
    }
    format!("{}s", (time.as_secs_f64() * 1000.0).round() / 1000.0)
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
