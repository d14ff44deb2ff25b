//! Talks to a Kubernetes API: any cluster's, or that of the bundled agent. It knows no difference.
//!
//! Kubeconfig, authentication and transport are kube's; requests are built here and carry
//! [`Node`](crate::yaml::Node)s, so that no object is squeezed through types that know fewer fields
//! than the server does.
//!
//! What is not here: any decision about what to change. Bodies of requests and answers are never
//! logged, since they may hold secrets.

mod client;
mod discovery;
mod error;
pub mod kubeconfig;
mod path;
mod watch;

pub use client::{
    ApplyOptions, Client, ConnectOptions, DeleteOptions, List, ListOptions, LogOptions, PatchKind,
    Propagation,
};
pub use discovery::Resource;
pub use error::{Cause, ClusterError, Rejection};
pub use watch::{Watch, WatchEvent};
