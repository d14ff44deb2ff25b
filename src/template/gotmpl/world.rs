//! What templates may see of the outside: nothing, unless it is given here.

use crate::yaml::Node;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// The outside of a render.
pub struct World {
    /// The time that `now` gives, in nanoseconds since 1970.
    pub now: i64,
    /// Name of the time zone of dates without one of their own.
    pub zone: String,
    /// Where randomness comes from.
    pub random: RefCell<Box<dyn Random>>,
    /// Answers `lookup`; without it every lookup finds nothing.
    pub cluster: Option<Arc<dyn Lookup>>,
    /// Answers `getHostByName`; without it the answer is empty.
    pub resolve: Option<fn(&str) -> String>,
}

/// A source of random bytes.
pub trait Random {
    /// Fills the buffer.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// Objects of a cluster.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// An object, or the list of all of its kind when `name` is empty; nothing when there is none.
    /// An empty `namespace` stands for all of them.
    ///
    /// # Errors
    /// A text that says why the cluster gave no answer.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Node>, String>;
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}
