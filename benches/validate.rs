//! Validation of one large file, reading it included, on one core: the processor time of the whole
//! process.

use crate::harness::{Bound, Figure, Race, Tool, Unit, deployments, on_one_core, processor, wharf};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use wharf::schema::{Schemas, openapi};

pub(crate) fn figures() -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("deployments.yaml");
    fs::write(&input, deployments(20_000)).expect("the input can be written");
    fs::write(folder.path().join("deployment.json"), schema()).expect("so can the schema");
    let kubeconform = Tool::find("kubeconform", &["-v"]);
    let name = "validate: 20,000 Deployments, one core";
    let race = Race::new(name, Unit::Milliseconds, Bound::AtMost(500.0), || {
        on_one_core(|| processor(Command::new(wharf()).arg("validate").arg(&input)))
    })
    .rounds(5)
    .beside("kubeconform -strict", &kubeconform, |tool| {
        let mut command = tool.command();
        command.args(["-strict", "-n", "1", "-schema-location"]);
        command.arg(folder.path().join("{{.ResourceKind}}.json")).arg(&input);
        on_one_core(|| processor(command.env("GOMAXPROCS", "1")))
    });
    vec![race.run()]
}

/// The schema of Deployment as kubeconform reads it, which knows fields and no others.
fn schema() -> String {
    let deployment = openapi::Resource {
        group: "apps",
        version: "v1",
        kind: "Deployment",
        plural: "deployments",
        namespaced: true,
        subresources: &[],
    };
    let text = openapi::document(&Schemas::latest(), &[deployment], "apps", "v1");
    let text = text.expect("Deployments are known");
    let mut document: Value = serde_json::from_str(&text).expect("a document is JSON");
    let schemas = document["components"]["schemas"].as_object_mut().expect("it holds schemas");
    for schema in schemas.values_mut() {
        if schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
    }
    json!({
        "$ref": "#/components/schemas/io.k8s.api.apps.v1.Deployment",
        "components": {"schemas": document["components"]["schemas"]},
    })
    .to_string()
}
