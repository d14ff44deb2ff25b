//! One revision of a release.
//!
//! A record is Helm's release JSON, kept whole: what is read is read in place, and fields that
//! nothing here knows survive a rewrite.

use crate::object::Hook;
use crate::yaml::Node;
use jiff::Timestamp;
use std::fmt;

/// Where a revision stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// Nothing is known.
    Unknown,
    /// The one that is live.
    Deployed,
    /// Was removed, its record kept.
    Uninstalled,
    /// A later one took its place.
    Superseded,
    /// It did not come about, or not whole.
    Failed,
    /// Being removed.
    Uninstalling,
    /// Being installed.
    PendingInstall,
    /// Being upgraded to.
    PendingUpgrade,
    /// Being rolled back to.
    PendingRollback,
}

impl Status {
    const ALL: [(Status, &'static str); 9] = [
        (Status::Unknown, "unknown"),
        (Status::Deployed, "deployed"),
        (Status::Uninstalled, "uninstalled"),
        (Status::Superseded, "superseded"),
        (Status::Failed, "failed"),
        (Status::Uninstalling, "uninstalling"),
        (Status::PendingInstall, "pending-install"),
        (Status::PendingUpgrade, "pending-upgrade"),
        (Status::PendingRollback, "pending-rollback"),
    ];

    /// The status that a text names; unknown ones are [`Status::Unknown`].
    #[must_use]
    pub fn parse(text: &str) -> Status {
        Status::ALL.iter().find(|(_, name)| *name == text).map_or(Status::Unknown, |(it, _)| *it)
    }

    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Status::ALL.iter().find(|(it, _)| *it == self).map_or("unknown", |(_, name)| name)
    }

    /// True while an operation works on the release.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(self, Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which package a revision was made of.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of what it installs, or empty.
    pub app_version: String,
    /// One sentence, or empty.
    pub description: String,
}

impl fmt::Display for Chart {
    /// `name-version`, as Helm's tables have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.version)
    }
}

/// A run of a hook.
#[derive(Clone, Copy, Debug)]
pub struct HookRun {
    /// When it began.
    pub started: Timestamp,
    /// When it was over.
    pub completed: Timestamp,
    /// What came of it.
    pub succeeded: bool,
}

/// What a new record is made of.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The release's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub version: i64,
    /// Where it stands.
    pub status: Status,
    /// In a few words, what is going on.
    pub description: String,
    /// When the release was first installed; now, for a first revision.
    pub first_deployed: Option<String>,
    /// The package.
    pub chart: Chart,
    /// What the package has as values by itself.
    pub defaults: Node,
    /// What the user supplied; null when nothing was.
    pub config: Node,
    /// All objects as text.
    pub manifest: String,
    /// Objects that run at times of their own.
    pub hooks: Vec<Hook>,
    /// The notes, when there are any.
    pub notes: Option<String>,
}

/// One revision: Helm's release JSON, the user's labels, and who is working on it.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    pub(super) root: Node,
    /// Labels of the Secret that the user gave.
    pub labels: Vec<(String, String)>,
    /// Seconds since 1970 of the first write.
    pub created_at: Option<String>,
    /// Who works on it, while it is pending; see `deploy`.
    pub holder: Option<String>,
    /// The Secret's revision when it was read.
    pub resource_version: String,
    /// True when it came out of a `ConfigMap`, as Helm writes with `HELM_DRIVER=configmap`.
    pub in_config_map: bool,
}

impl Record {
    /// Makes a new one.
    #[must_use]
    pub fn new(draft: Draft, now: Timestamp) -> Record {
        let time = now.to_string();
        let mut root = Node::map();
        root.set("name", draft.name);
        root.set_at(
            &["info", "first_deployed"],
            draft.first_deployed.unwrap_or_else(|| time.clone()),
        );
        root.set_at(&["info", "last_deployed"], time);
        root.set_at(&["info", "description"], draft.description);
        root.set_at(&["info", "status"], draft.status.as_str());
        if let Some(notes) = draft.notes {
            root.set_at(&["info", "notes"], notes);
        }
        let mut metadata = Node::map();
        metadata.set("name", draft.chart.name);
        metadata.set("version", draft.chart.version);
        if !draft.chart.description.is_empty() {
            metadata.set("description", draft.chart.description);
        }
        metadata.set("apiVersion", "v2");
        if !draft.chart.app_version.is_empty() {
            metadata.set("appVersion", draft.chart.app_version);
        }
        root.set_at(&["chart", "metadata"], metadata);
        root.set_at(&["chart", "lock"], Node::NULL);
        root.set_at(&["chart", "templates"], Node::list());
        root.set_at(&["chart", "values"], draft.defaults);
        root.set_at(&["chart", "schema"], Node::NULL);
        root.set_at(&["chart", "files"], Node::NULL);
        if !draft.config.is_null() {
            root.set("config", draft.config);
        }
        root.set("manifest", draft.manifest);
        if !draft.hooks.is_empty() {
            root.set("hooks", draft.hooks.iter().map(Hook::to_node).collect::<Vec<_>>());
        }
        root.set("version", draft.version);
        root.set("namespace", draft.namespace);
        // Without `apply_method` Helm goes on with patches of what differs. Were it to apply on the
        // server's side, as it would with `ssa`, it would conflict with wharf over every field.
        Record::of_root(root)
    }

    pub(super) fn of_root(root: Node) -> Record {
        Record {
            root,
            labels: Vec::new(),
            created_at: None,
            holder: None,
            resource_version: String::new(),
            in_config_map: false,
        }
    }

    /// The next revision that puts this one's content back, as Helm's rollback makes it.
    #[must_use]
    pub fn rolled_back(&self, version: i64, current: &Record, now: Timestamp) -> Record {
        let mut record = self.clone();
        let mut info = Node::map();
        info.set("first_deployed", current.first_deployed());
        info.set("last_deployed", now.to_string());
        info.set("description", format!("Rollback to {}", self.version()));
        info.set("status", Status::PendingRollback.as_str());
        info.set("rollback_revision", self.version());
        if let Some(notes) = self.notes() {
            info.set("notes", notes);
        }
        record.root.set("info", info);
        record.root.set("version", version);
        record.created_at = None;
        record.holder = None;
        record.resource_version.clear();
        record
    }

    fn text(&self, path: &[&str]) -> &str {
        self.root.str_at(path).unwrap_or_default()
    }

    /// The release's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(&["name"])
    }

    /// The release's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text(&["namespace"])
    }

    /// The revision.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.root.i64_at(&["version"]).unwrap_or(0)
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::parse(self.text(&["info", "status"]))
    }

    /// What happened, in a few words.
    #[must_use]
    pub fn description(&self) -> &str {
        self.text(&["info", "description"])
    }

    /// When the release was first installed.
    #[must_use]
    pub fn first_deployed(&self) -> &str {
        self.text(&["info", "first_deployed"])
    }

    /// When this revision was made.
    #[must_use]
    pub fn last_deployed(&self) -> &str {
        self.text(&["info", "last_deployed"])
    }

    /// All objects as text.
    #[must_use]
    pub fn manifest(&self) -> &str {
        self.text(&["manifest"])
    }

    /// The notes, when there are any.
    #[must_use]
    pub fn notes(&self) -> Option<&str> {
        self.root.str_at(&["info", "notes"]).filter(|notes| !notes.is_empty())
    }

    /// What the user supplied as values; null when nothing was.
    #[must_use]
    pub fn config(&self) -> &Node {
        self.root.get("config").unwrap_or(&Node::NULL)
    }

    /// What the package has as values by itself.
    #[must_use]
    pub fn defaults(&self) -> &Node {
        self.root.at(&["chart", "values"]).unwrap_or(&Node::NULL)
    }

    /// The package.
    #[must_use]
    pub fn chart(&self) -> Chart {
        let text = |key| self.text(&["chart", "metadata", key]).to_owned();
        Chart {
            name: text("name"),
            version: text("version"),
            app_version: text("appVersion"),
            description: text("description"),
        }
    }

    /// The objects that run at times of their own.
    #[must_use]
    pub fn hooks(&self) -> Vec<Hook> {
        self.root.items_at(&["hooks"]).iter().map(Hook::from_node).collect()
    }

    /// Notes when a hook ran and what came of it.
    pub fn note_run(&mut self, hook: &Hook, run: &HookRun) {
        let hooks = self.root.get_mut("hooks").and_then(Node::as_list_mut);
        let same = |node: &&mut Node| Hook::from_node(node) == *hook;
        let Some(entry) = hooks.into_iter().flatten().find(same) else { return };
        let mut node = Node::map();
        node.set("started_at", run.started.to_string());
        node.set("completed_at", run.completed.to_string());
        node.set("phase", if run.succeeded { "Succeeded" } else { "Failed" });
        entry.set("last_run", node);
    }

    /// When a hook ran last and what came of it.
    #[must_use]
    pub fn run_of(&self, hook: &Hook) -> Option<HookRun> {
        let hooks = self.root.items_at(&["hooks"]).iter();
        let run = hooks
            .filter(|node| Hook::from_node(node) == *hook)
            .find_map(|it| it.get("last_run"))?;
        let time = |key: &str| run.str_at(&[key]).and_then(|text| text.parse().ok());
        Some(HookRun {
            started: time("started_at")?,
            completed: time("completed_at")?,
            succeeded: run.str_at(&["phase"]) == Some("Succeeded"),
        })
    }

    /// The whole release JSON.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Puts it into another status.
    pub fn set_status(&mut self, status: Status, description: impl Into<String>) {
        self.root.set_at(&["info", "status"], status.as_str());
        self.root.set_at(&["info", "description"], description.into());
    }

    /// Marks it superseded; its description stays, since it tells what was done then.
    pub fn supersede(&mut self) {
        self.root.set_at(&["info", "status"], Status::Superseded.as_str());
    }

    /// Marks it uninstalled, or as being so.
    pub fn set_deleted(&mut self, status: Status, description: &str, now: Timestamp) {
        self.set_status(status, description);
        self.root.set_at(&["info", "deleted"], now.to_string());
    }
}
