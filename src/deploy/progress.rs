//! What happens while a plan is carried out, for whoever shows it.

use crate::object::ObjectId;
use crate::object::status::Readiness;
use crate::plan::Change;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A record that a dead process left pending was taken over.
    TookOver {
        /// Its revision.
        version: i64,
        /// Its status.
        status: &'a str,
    },
    /// Another process seems to work on the release; it is watched for a sign of life.
    Suspects {
        /// The revision that it works on.
        version: i64,
    },
    /// A hook begins to run.
    Hook {
        /// When it runs, such as `pre-install`.
        event: &'a str,
        /// Its object.
        id: &'a ObjectId,
    },
    /// A hook printed a line.
    Log {
        /// The pod.
        pod: &'a str,
        /// The container, where the pod has several.
        container: Option<&'a str>,
        /// The line.
        line: &'a str,
    },
    /// So many objects are about to be changed.
    Begins {
        /// How many.
        total: usize,
    },
    /// An object was changed.
    Changed {
        /// How.
        change: Change,
        /// Which one.
        id: &'a ObjectId,
    },
    /// So many objects are waited for.
    Waits {
        /// How many.
        total: usize,
    },
    /// An object came nearer to being ready.
    Readiness {
        /// Which one.
        id: &'a ObjectId,
        /// How near.
        readiness: &'a Readiness,
    },
    /// Something keeps an object from being ready.
    Trouble {
        /// Which one.
        id: &'a ObjectId,
        /// What.
        text: &'a str,
    },
    /// It failed, and what was before is put back.
    RollsBack {
        /// The revision that is put back; nothing when the release is removed.
        to: Option<i64>,
    },
}

/// Shows what happens. Called from several tasks.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}

/// Shows nothing.
impl Progress for () {
    fn event(&self, _: Event<'_>) {}
}
