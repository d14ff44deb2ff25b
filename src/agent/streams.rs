//! What the API streams from the node: logs.

use super::api::{LogRequest, LogStream, NodeFuture, NodeStreams};
use super::node::Containers;
use super::node::logs::Wanted;
use super::runtime::log::LogOptions;
use futures::StreamExt;

impl NodeStreams for Containers {
    fn log(&self, request: LogRequest) -> NodeFuture<LogStream> {
        let containers = self.clone();
        Box::pin(async move {
            let options = LogOptions {
                tail: request.tail_lines,
                since: request.since,
                limit_bytes: request.limit_bytes,
                timestamps: request.timestamps,
                follow: request.follow,
                stream: None,
            };
            let wanted = Wanted {
                namespace: request.namespace,
                pod: request.pod,
                container: request.container,
                previous: request.previous,
            };
            let log = containers.log(&wanted, options)?;
            // a log that breaks off ends; there is no way left to say why
            Ok(log.filter_map(|piece| std::future::ready(piece.ok())).boxed())
        })
    }
}
