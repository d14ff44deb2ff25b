//! Custom resources through kubectl: owners, restarts, several versions, warnings.

use super::Agent;
use crate::prerequisites::has;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: ships, singular: ship, kind: Ship, shortNames: [sh]}
  versions:
  - name: v1
    served: true
    storage: true
    selectableFields: [{jsonPath: .spec.port}]
    schema: &schema
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations:
            - {rule: "self.crew <= 100", messageExpression: "'a crew of ' + string(self.crew)"}
            properties:
              port: {type: string}
              crew: {type: integer, default: 3}
  - {name: v2beta1, served: true, storage: false, schema: *schema}
"#;

const SHIP: &str = "
apiVersion: example.com/v1
kind: Ship
metadata: {name: anna}
spec: {port: Hamburg}
";

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An agent that knows ships.
fn with_ships() -> Option<Agent> {
    if !has("kubectl") {
        return None;
    }
    let agent = Agent::start();
    assert!(agent.kubectl(&["apply", "-f", &file(&agent, DEFINITION)]).2);
    let name = "crd/ships.example.com";
    assert!(agent.kubectl(&["wait", name, "--for=condition=Established", "--timeout=20s"]).2);
    Some(agent)
}

/// Writes a file and tells its path.
fn file(agent: &Agent, text: &str) -> String {
    let path = agent.folder.path().join("object.yaml");
    std::fs::write(&path, text).expect("the folder is there");
    path.to_str().expect("a UTF-8 path").to_owned()
}

#[test]
fn custom_objects_live_as_built_in_ones() {
    let Some(mut agent) = with_ships() else { return };
    let ship = file(&agent, SHIP);
    let (_, errors, done) = agent.kubectl(&["apply", "--server-side", "-f", &ship]);
    assert!(done, "{errors}");
    let get = |args: &[&str]| agent.kubectl(&[&["get", "-o", "name"], args].concat());
    assert_eq!(get(&["ships", "--field-selector=spec.port=Hamburg"]).0, "ship.example.com/anna\n");
    assert_eq!(get(&["ships", "--field-selector=spec.port=Bremen"]).0, "");
    let path = "{.apiVersion} {.spec.crew}";
    let shown = agent.kubectl(&[
        "get",
        "ships.v2beta1.example.com",
        "anna",
        "-o",
        &format!("jsonpath={path}"),
    ]);
    assert_eq!(shown.0, "example.com/v2beta1 3");
    let patch = r#"{"spec":{"crew":200}}"#;
    let (_, errors, done) = agent.kubectl(&["patch", "ship", "anna", "--type=merge", "-p", patch]);
    assert!(!done && errors.contains("spec: Invalid value: a crew of 200"), "{errors}");

    // what a custom object owns stays while it is there
    let uid = agent.kubectl(&["get", "ship", "anna", "-o", "jsonpath={.metadata.uid}"]).0;
    let owned = file(
        &agent,
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: owned\n  ownerReferences:\n  - \
         {{apiVersion: example.com/v1, kind: Ship, name: anna, uid: {uid}}}\n"
        ),
    );
    assert!(agent.kubectl(&["apply", "-f", &owned]).2);
    std::thread::sleep(Duration::from_millis(300));
    agent.kill_and_restart();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        agent.kubectl(&["get", "sh", "--no-headers"]).0.split_whitespace().next(),
        Some("anna")
    );
    assert!(agent.kubectl(&["get", "cm", "owned"]).2, "its owner is there");
    assert!(agent.kubectl(&["delete", "ship", "anna"]).2);
    until("what has no owner left goes", || !agent.kubectl(&["get", "cm", "owned"]).2);

    assert!(agent.kubectl(&["delete", "crd", "ships.example.com", "--timeout=20s"]).2);
    // kubectl may still know the kind, and asks for it, or has learned that it is gone
    let (_, errors, done) = agent.kubectl(&["get", "ships"]);
    let told = ["doesn't have a resource type", "could not find the requested resource"];
    assert!(!done && told.iter().any(|text| errors.contains(text)), "{errors}");
}

#[test]
fn a_custom_object_goes_after_what_it_owns() {
    let Some(agent) = with_ships() else { return };
    assert!(agent.kubectl(&["apply", "-f", &file(&agent, SHIP)]).2);
    let uid = agent.kubectl(&["get", "ship", "anna", "-o", "jsonpath={.metadata.uid}"]).0;
    let boats = ["one", "two"].map(|name| {
        format!(
            "---\n{}  ownerReferences:\n  - {{apiVersion: example.com/v1, kind: Ship, name: anna, \
             uid: {uid}, blockOwnerDeletion: true}}\n",
            SHIP.replace("{name: anna}", &format!("\n  name: {name}"))
                .replace("spec: {port: Hamburg}\n", "")
        )
    });
    assert!(agent.kubectl(&["apply", "-f", &file(&agent, &boats.concat())]).2);
    let (_, errors, done) =
        agent.kubectl(&["delete", "ship", "anna", "--cascade=foreground", "--timeout=20s"]);
    assert!(done, "{errors}");
    assert_eq!(agent.kubectl(&["get", "ships", "-o", "name"]).0, "", "they went before it");
}

#[test]
fn watches_end_with_their_kind() {
    let Some(agent) = with_ships() else { return };
    assert!(agent.kubectl(&["apply", "-f", &file(&agent, SHIP)]).2);
    let mut watching = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(agent.kubeconfig())
        .args(["get", "--raw", "/apis/example.com/v1/ships?watch=true&timeoutSeconds=60"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    let mut told = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    let mut next = || told.next().transpose().expect("kubectl prints text");
    assert!(next().is_some_and(|line| line.contains("ADDED")));
    assert!(agent.kubectl(&["label", "crd", "ships.example.com", "a=b"]).2);
    assert!(agent.kubectl(&["label", "ship", "anna", "a=b"]).2);
    assert!(next().is_some_and(|line| line.contains("MODIFIED")), "a label ends no watch");
    assert!(agent.kubectl(&["delete", "crd", "ships.example.com", "--timeout=20s"]).2);
    assert!(next().is_some_and(|line| line.contains("DELETED")), "the last object is told of");
    assert_eq!(next(), None);
    assert!(watching.wait().expect("kubectl runs").success());
}

#[test]
fn a_webhook_that_is_not_called_is_told() {
    if !has("kubectl") {
        return;
    }
    let agent = Agent::start();
    let path = agent.folder.path().join("crd.yaml");
    let hook =
        "conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1]}}\n  versions:";
    std::fs::write(&path, DEFINITION.replacen("versions:", hook, 1)).expect("the folder is there");
    let path = path.to_str().expect("a UTF-8 path");
    let (_, errors, done) = agent.kubectl(&["apply", "--server-side", "-f", path]);
    assert!(done, "{errors}");
    assert!(errors.contains("no webhook is called"), "{errors}");
}
