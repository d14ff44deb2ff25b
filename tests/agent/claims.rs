//! Claims: folders that outlive pods and the agent, and go when they are to go.

use super::support::Host;
use serde_json::{Value, json};
use std::fs;

fn claim(name: &str, class: Option<&str>) -> Value {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "16Mi"}},
        },
    });
    if let Some(class) = class {
        claim["spec"]["storageClassName"] = class.into();
    }
    claim
}

fn user(name: &str, claim: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
            "containers": [{
                "name": "web", "image": image, "args": ["http"],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "subPath": "part"}],
            }],
        },
    })
}

impl Host {
    /// Waits until a claim is bound; the name and the folder of its volume.
    fn bound(&self, claim: &str) -> (String, String) {
        self.until("the claim is bound", || {
            self.get(&format!("pvc/{claim}"))["status"]["phase"] == "Bound"
        });
        let name = self.get(&format!("pvc/{claim}"))["spec"]["volumeName"].clone();
        let name = name.as_str().expect("a name").to_owned();
        let volume = self.get(&format!("pv/{name}"));
        let folder = volume["spec"]["hostPath"]["path"].as_str().expect("a folder").to_owned();
        (name, folder)
    }
}

#[test]
fn a_claim_has_a_folder_that_goes_with_it() {
    let Some(mut host) = Host::start() else { return };
    host.apply(&claim("data", None));
    let (volume, folder) = host.bound("data");
    let table = host.kubectl(&["get", "pvc", "data", "--no-headers"]);
    let columns: Vec<&str> = table.split_whitespace().collect();
    let expected = ["data", "Bound", volume.as_str(), "16Mi", "RWO", "local", "<unset>"];
    assert_eq!(columns[..7], expected);
    host.apply(&user("one", "data", &host.image("1")));
    host.ready("one");
    assert!(fs::metadata(format!("{folder}/part")).expect("made for the mount").is_dir());
    fs::write(format!("{folder}/part/word"), "kept").expect("a file");

    host.kubectl(&["delete", "pvc", "data", "--wait=false"]);
    host.kill();
    host.restart();
    let held = host.get("pvc/data");
    assert_eq!(held["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    assert!(held["metadata"]["deletionTimestamp"].is_string(), "{held}");
    host.ready("one");
    assert_eq!(fs::read_to_string(format!("{folder}/part/word")).expect("it is kept"), "kept");
    host.kubectl(&["delete", "pod", "one"]);
    host.until("claim and volume are gone", || {
        host.get("pvc/data").is_null() && host.get(&format!("pv/{volume}")).is_null()
    });
    assert!(!fs::exists(&folder).expect("the state is readable"), "{folder} is still there");
}

#[test]
fn a_class_says_when_a_volume_is_made_and_whether_it_stays() {
    let Some(host) = Host::start() else { return };
    host.apply(&json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "kept"},
        "provisioner": "wharf.dev/local",
        "reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer",
    }));
    host.apply(&claim("data", Some("kept")));
    host.until("it is told what the claim waits for", || {
        host.reasons("data") == ["WaitForFirstConsumer"]
    });
    assert_eq!(host.get("pvc/data")["status"]["phase"], "Pending");
    host.apply(&user("one", "data", &host.image("1")));
    host.ready("one");
    let (volume, folder) = host.bound("data");
    fs::write(format!("{folder}/part/word"), "kept").expect("a file");
    host.kubectl(&["delete", "pod/one", "pvc/data"]);
    let volume = format!("pv/{volume}");
    host.until("the volume is free", || host.get(&volume)["status"]["phase"] == "Released");
    host.kubectl(&["delete", &volume]);
    assert_eq!(fs::read_to_string(format!("{folder}/part/word")).expect("it is kept"), "kept");

    // a volume made by hand is taken by the claim that fits
    host.apply(&json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "by-hand"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": folder}, "storageClassName": "by-hand",
        },
    }));
    host.apply(&claim("again", Some("by-hand")));
    assert_eq!(host.bound("again"), ("by-hand".to_owned(), folder));

    host.apply(&user("lost", "nowhere", &host.image("1")));
    host.until("it is told that the claim is missing", || {
        host.get("pod/lost")["status"]["conditions"][0]["message"]
            == "0/1 nodes are available: persistentvolumeclaim \"nowhere\" not found."
    });
}
