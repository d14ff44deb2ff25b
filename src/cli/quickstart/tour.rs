//! The steps of the tour, in their order.

use super::node::Node;
use super::step::{Narrator, Stop, trouble};
use super::{failed, image};
use crate::cli::examples;
use crate::cli::exit::{FAILED, FINE, Failure};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the flags of every command on the package are in the tour.
const FLAGS: &str = "-f tour.yaml";

/// Walks the tour. Without a node, what needs one is left out; without containers, nothing is
/// waited for or called.
pub(super) async fn walk(
    narrator: &mut Narrator<'_>,
    registry: SocketAddr,
    node: Option<&Node>,
    containers: bool,
) -> Result<(), Stop> {
    make_image(narrator, registry).await?;
    make_package(narrator, registry).await?;
    let package = format!("oci://{registry}/packages/shop:1.0.0");
    let Some(node) = node else { return Ok(()) };
    let wait = if containers { "" } else { " --no-wait" };

    narrator.step(
        "Plan, and apply the plan",
        "The server itself answers what each object would become. What the plan shows is what is \
         done, or nothing is.",
    );
    narrator.run(&format!("plan {package} {FLAGS} --out shop.plan"), FINE).await?;
    narrator.run(&format!("apply shop.plan{wait}"), FINE).await?;
    if containers {
        narrator.run("status shop", FINE).await?;
        call(narrator, node, "Welcome to the shop").await?;
    }

    narrator
        .step("Upgrade", "A diff is part of every change, and exits with 1 where there is one.");
    let change = "--set web.greeting=Bonjour";
    narrator.run(&format!("diff {package} {FLAGS} {change}"), FAILED).await?;
    narrator.run(&format!("apply {package} {FLAGS} {change}{wait}"), FINE).await?;
    if containers {
        call(narrator, node, "Bonjour").await?;
    }

    narrator.step("Roll back", "Every revision is kept in the target, as Helm keeps them.");
    narrator.run("history shop", FINE).await?;
    narrator.run(&format!("rollback shop{wait}"), FINE).await?;
    if containers {
        call(narrator, node, "Welcome to the shop").await?;
    }

    narrator.step("Uninstall", "All that the release owns is removed.");
    narrator.run("uninstall shop", FINE).await
}

/// Makes the image of the example and pushes it.
async fn make_image(narrator: &mut Narrator<'_>, registry: SocketAddr) -> Result<(), Stop> {
    narrator.step(
        "Make an image, and push it",
        "The image of the example holds one static program that is part of wharf. Any image that \
         your own build leaves in an OCI layout is pushed the same way.",
    );
    if !image::available() {
        narrator.remark("This wharf was built without the program: its image is left out.");
        return Ok(());
    }
    image::write(&narrator.folder().join("image")).map_err(Failure::failed)?;
    narrator.run(&format!("push image oci://{registry}/demo:1.0"), FINE).await
}

/// Writes the example package, checks it, and pushes it.
async fn make_package(narrator: &mut Narrator<'_>, registry: SocketAddr) -> Result<(), Stop> {
    let folder = narrator.folder().to_owned();
    narrator.step(
        "Write a package, and check it",
        "The example `shop`: a web front, an API, a cache and a worker. Every object is checked \
         against the schema of its kind and the rules of the API.",
    );
    examples::write("shop", &folder.join("shop"), str::to_owned)
        .and_then(|()| {
            let values = format!("image:\n  repository: {registry}/demo\n  tag: \"1.0\"\n");
            std::fs::write(folder.join("tour.yaml"), values)
        })
        .map_err(|error| failed("write the example", &error))?;
    narrator.run("render shop --show-only templates/config.yaml", FINE).await?;
    narrator.run("validate shop", FINE).await?;

    narrator.step(
        "Push the package",
        "A package is an OCI artifact like any other; whoever can reach the registry can use it.",
    );
    narrator.run(&format!("push shop oci://{registry}/packages"), FINE).await
}

/// Calls the web front through its service until it answers with the greeting.
async fn call(narrator: &mut Narrator<'_>, node: &Node, greeting: &str) -> Result<(), Stop> {
    let Some(address) = node.service("default", "shop-web") else {
        return Err(trouble("the service `shop-web` has no address".into()));
    };
    narrator.by_hand(&format!("curl http://{address}/"));
    // an object is ready a moment before its addresses have replaced those of the last revision
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = narrator.wait(get(&address)).await?;
        match answer {
            Ok(text) if text.starts_with(greeting) => {
                narrator.remark(text.trim_end());
                return Ok(());
            }
            _ if Instant::now() < patience => {
                narrator.wait(tokio::time::sleep(Duration::from_millis(50))).await?;
            }
            Ok(text) => {
                let line = text.lines().next().unwrap_or_default();
                return Err(trouble(format!(
                    "the service answered `{line}`, expected `{greeting}`"
                )));
            }
            Err(error) => {
                return Err(trouble(format!("the service at {address} does not answer: {error}")));
            }
        }
    }
}

/// GETs the page at `/`.
async fn get(address: &str) -> std::io::Result<String> {
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET / HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(64 << 10).read_to_string(&mut answer).await?;
        Ok(answer)
    };
    let answer: std::io::Result<String> =
        tokio::time::timeout(Duration::from_secs(10), talk).await?;
    let answer = answer?;
    Ok(answer.split_once("\r\n\r\n").map_or(answer.clone(), |(_, body)| body.to_owned()))
}
