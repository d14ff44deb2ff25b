//! Pods and templates of them.

use super::{PLAIN_RULES, Rules, default, keep, name};
use crate::agent::api::fault::Faults;
use crate::object::selector::Selector;
use crate::yaml::Node;
use std::collections::HashSet;

pub(crate) static POD: Rules = Rules {
    default: |object| {
        default(object, "spec", Node::map());
        if let Some(spec) = object.get_mut("spec") {
            fill(spec);
            default(spec, "enableServiceLinks", true);
        }
    },
    create: |object| {
        let grace = ["spec", "terminationGracePeriodSeconds"];
        if object.i64_at(&grace).is_some_and(|seconds| seconds < 0) {
            object.set_at(&grace, 1);
        }
    },
    update: |new, old| {
        keep(new, old, "status");
        // who leaves out what the system filled in means that
        for field in ["priority", "preemptionPolicy"] {
            if let (Some(spec), Some(value)) = (new.get_mut("spec"), old.at(&["spec", field])) {
                default(spec, field, value.clone());
            }
        }
    },
    validate: |object, faults| {
        if let Some(spec) = object.get("spec") {
            validate(spec, "spec", faults);
        }
        let is_new = object.at(&["metadata", "resourceVersion"]).is_none();
        if is_new && !object.items_at(&["spec", "ephemeralContainers"]).is_empty() {
            faults.forbidden("spec.ephemeralContainers", "cannot be set on create");
        }
    },
    validate_update,
    ..PLAIN_RULES
};

/// Fills in a Pod's spec.
pub(super) fn fill(spec: &mut Node) {
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "securityContext", Node::map());
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default(spec, "serviceAccount", account);
    } else if let Some(account) = spec.get("serviceAccount").cloned() {
        default(spec, "serviceAccountName", account);
    }
    let host_network = spec.get("hostNetwork").and_then(Node::as_bool) == Some(true);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for item in spec.get_mut(list).and_then(Node::as_list_mut).into_iter().flatten() {
            container(item, host_network);
        }
    }
    for item in spec.get_mut("volumes").and_then(Node::as_list_mut).into_iter().flatten() {
        volume(item);
    }
}

/// Fills in the template of pods in a spec.
pub(super) fn fill_template(spec: &mut Node) {
    let Some(template) = spec.get_mut("template") else { return };
    default(template, "metadata", Node::map());
    default(template, "spec", Node::map());
    fill(template.get_mut("spec").expect("it was set just above"));
}

fn container(container: &mut Node, host_network: bool) {
    let image = container.str_at(&["image"]).unwrap_or_default();
    let tagged = image.rsplit('/').next().unwrap_or_default();
    let floating = !image.contains('@') && (!tagged.contains(':') || tagged.ends_with(":latest"));
    default(container, "imagePullPolicy", if floating { "Always" } else { "IfNotPresent" });
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", Node::map());
    let limits = container.at(&["resources", "limits"]).and_then(Node::as_map).cloned();
    for entry in limits.into_iter().flatten() {
        if container.at(&["resources", "requests", &entry.key]).is_none() {
            container.set_at(&["resources", "requests", &entry.key], entry.value);
        }
    }
    for port in container.get_mut("ports").and_then(Node::as_list_mut).into_iter().flatten() {
        default(port, "protocol", "TCP");
        if host_network && let Some(number) = port.get("containerPort").cloned() {
            default(port, "hostPort", number);
        }
    }
    for variable in container.get_mut("env").and_then(Node::as_list_mut).into_iter().flatten() {
        if let Some(reference) = variable.at_mut(&["valueFrom", "fieldRef"]) {
            default(reference, "apiVersion", "v1");
        }
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(kind) {
            for (field, value) in [
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ] {
                default(probe, field, value);
            }
            http(probe);
            if let Some(grpc) = probe.get_mut("grpc") {
                default(grpc, "service", "");
            }
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(hook) = container.at_mut(&["lifecycle", hook]) {
            http(hook);
        }
    }
}

fn http(handler: &mut Node) {
    if let Some(get) = handler.get_mut("httpGet") {
        default(get, "path", "/");
        default(get, "scheme", "HTTP");
    }
}

fn volume(volume: &mut Node) {
    if volume.as_map().is_some_and(|map| map.len() == 1 && map.contains_key("name")) {
        volume.set("emptyDir", Node::map());
    }
    for kind in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(kind) {
            default(source, "defaultMode", 0o644);
        }
    }
    if let Some(path) = volume.get_mut("hostPath") {
        default(path, "type", "");
    }
    downward(volume);
    let sources = volume.at_mut(&["projected", "sources"]).and_then(Node::as_list_mut);
    for source in sources.into_iter().flatten() {
        downward(source);
        if let Some(token) = source.get_mut("serviceAccountToken") {
            default(token, "expirationSeconds", 3600);
        }
    }
}

fn downward(source: &mut Node) {
    let items = source.at_mut(&["downwardAPI", "items"]).and_then(Node::as_list_mut);
    for item in items.into_iter().flatten() {
        if let Some(reference) = item.get_mut("fieldRef") {
            default(reference, "apiVersion", "v1");
        }
    }
}

/// Rules for a template of pods.
pub(super) fn validate_template(template: Option<&Node>, path: &str, faults: &mut Faults) {
    let labels = template.and_then(|template| template.at(&["metadata", "labels"]));
    super::meta::labels(labels.and_then(Node::as_map), &format!("{path}.labels"), faults);
    match template.and_then(|template| template.get("spec")) {
        Some(spec) => validate(spec, &format!("{path}.spec"), faults),
        None => faults.required(format!("{path}.spec.containers"), ""),
    }
}

/// The pods of a template must be those that the selector is about.
pub(super) fn validate_selected(spec: &Node, selector: &Selector, faults: &mut Faults) {
    let labels = spec.at(&["template", "metadata", "labels"]);
    if !selector.matches(labels.and_then(Node::as_map)) {
        let shown = labels.cloned().unwrap_or_else(Node::map);
        let rule = "`selector` does not match template `labels`";
        faults.invalid("spec.template.metadata.labels", shown, rule);
    }
}

/// Rules for a Pod's spec.
pub(super) fn validate(spec: &Node, path: &str, faults: &mut Faults) {
    let mut volumes = HashSet::new();
    for (index, volume) in spec.items_at(&["volumes"]).iter().enumerate() {
        let at = format!("{path}.volumes[{index}].name");
        let said = volume.str_at(&["name"]).unwrap_or_default();
        if said.is_empty() {
            faults.required(at, "");
            continue;
        }
        for fault in name::label(said) {
            faults.invalid(at.clone(), said, fault);
        }
        if !volumes.insert(said) {
            faults.duplicate(at, said);
        }
    }
    if spec.items_at(&["containers"]).is_empty() {
        faults.required(format!("{path}.containers"), "");
    }
    let mut names = HashSet::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for (index, item) in spec.items_at(&[list]).iter().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            if list == "ephemeralContainers" {
                validate_ephemeral(item, &path, faults);
            }
            validate_container(item, &path, &volumes, &mut names, faults);
        }
    }
    validate_sysctls(spec, path, faults);
    choice(spec, path, "restartPolicy", &["Always", "OnFailure", "Never"], faults);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    choice(spec, path, "dnsPolicy", &policies, faults);
    let selector = spec.get("nodeSelector").and_then(Node::as_map);
    super::meta::labels(selector, &format!("{path}.nodeSelector"), faults);
}

fn choice(node: &Node, path: &str, field: &str, supported: &[&str], faults: &mut Faults) {
    if let Some(said) = node.str_at(&[field])
        && !supported.contains(&said)
    {
        faults.unsupported(format!("{path}.{field}"), said, supported);
    }
}

/// Names of kernel settings; whether a setting is allowed is for the node to say.
fn validate_sysctls(spec: &Node, path: &str, faults: &mut Faults) {
    let mut names = HashSet::new();
    let sysctls = spec.items_at(&["securityContext", "sysctls"]).iter();
    for (index, sysctl) in sysctls.enumerate() {
        let at = format!("{path}.securityContext.sysctls[{index}].name");
        match sysctl.str_at(&["name"]).unwrap_or_default() {
            "" => faults.required(at, ""),
            said if !name::is_sysctl(said) => {
                let rule = "must have at most 253 characters and match regex \
                            ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
                faults.invalid(at, said, rule);
            }
            said if !names.insert(said.replace('/', ".")) => faults.duplicate(at, said),
            _ => {}
        }
    }
}

fn validate_container<'a>(
    item: &'a Node,
    path: &str,
    volumes: &HashSet<&str>,
    names: &mut HashSet<&'a str>,
    faults: &mut Faults,
) {
    let said = item.str_at(&["name"]).unwrap_or_default();
    if said.is_empty() {
        faults.required(format!("{path}.name"), "");
    } else {
        for fault in name::label(said) {
            faults.invalid(format!("{path}.name"), said, fault);
        }
        if !names.insert(said) {
            faults.duplicate(format!("{path}.name"), said);
        }
    }
    if item.str_at(&["image"]).unwrap_or_default().is_empty() {
        faults.required(format!("{path}.image"), "");
    }
    choice(item, path, "imagePullPolicy", &["Always", "IfNotPresent", "Never"], faults);
    for (index, port) in item.items_at(&["ports"]).iter().enumerate() {
        let at = |field: &str| format!("{path}.ports[{index}].{field}");
        match port.i64_at(&["containerPort"]) {
            None | Some(0) => faults.required(at("containerPort"), ""),
            Some(number) => {
                for fault in name::port(number) {
                    faults.invalid(at("containerPort"), number, fault);
                }
            }
        }
        if let Some(said) = port.str_at(&["name"]) {
            for fault in name::port_name(said) {
                faults.invalid(at("name"), said, fault);
            }
        }
    }
    for (index, variable) in item.items_at(&["env"]).iter().enumerate() {
        let at = format!("{path}.env[{index}].name");
        let said = variable.str_at(&["name"]).unwrap_or_default();
        if said.is_empty() {
            faults.required(at, "");
            continue;
        }
        for fault in name::env_name(said) {
            faults.invalid(at.clone(), said, fault);
        }
    }
    let mut mounted = HashSet::new();
    for (index, mount) in item.items_at(&["volumeMounts"]).iter().enumerate() {
        let at = |field: &str| format!("{path}.volumeMounts[{index}].{field}");
        let said = mount.str_at(&["name"]).unwrap_or_default();
        if said.is_empty() {
            faults.required(at("name"), "");
        } else if !volumes.contains(said) {
            faults.not_found(at("name"), said);
        }
        let target = mount.str_at(&["mountPath"]).unwrap_or_default();
        if target.is_empty() {
            faults.required(at("mountPath"), "");
        } else if !mounted.insert(target) {
            faults.invalid(at("mountPath"), target, "must be unique");
        }
        for field in ["subPath", "subPathExpr"] {
            let part = mount.str_at(&[field]).unwrap_or_default();
            if part.starts_with('/') {
                faults.invalid(at(field), part, "must be a relative path");
            }
            if part.split('/').any(|step| step == "..") {
                faults.invalid(at(field), part, "must not contain '..'");
            }
        }
    }
    let limits = item.at(&["resources", "limits"]).and_then(Node::as_map);
    for entry in limits.into_iter().flatten() {
        use crate::object::quantity::Quantity;
        let request = item.at(&["resources", "requests", &entry.key]);
        let (limit, asked) =
            (Quantity::from_node(&entry.value), request.and_then(Quantity::from_node));
        if let (Some(limit), Some(asked)) = (limit, asked)
            && asked > limit
        {
            let field = format!("{path}.resources.requests");
            let rule = format!("must be less than or equal to {} limit of {limit}", entry.key);
            faults.invalid(field, asked.to_string(), rule);
        }
    }
}

/// A container that looks into a Pod serves nothing and is not probed.
fn validate_ephemeral(item: &Node, path: &str, faults: &mut Faults) {
    for field in
        ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources"]
    {
        let empty = |value: &Node| {
            value.as_list().is_some_and(<[Node]>::is_empty)
                || value.as_map().is_some_and(crate::yaml::Map::is_empty)
        };
        if item.get(field).is_some_and(|value| !empty(value)) {
            let rule = "cannot be set for an Ephemeral Container";
            faults.forbidden(format!("{path}.{field}"), rule);
        }
    }
}

/// Containers may be added to a Pod that runs; those that were added stay as they are.
pub(crate) fn validate_added(new: &Node, old: &Node, faults: &mut Faults) {
    let list = ["spec", "ephemeralContainers"];
    let name = |item: &Node| item.str_at(&["name"]).unwrap_or_default().to_owned();
    for before in old.items_at(&list) {
        let now = new.items_at(&list).iter().find(|item| name(item) == name(before));
        let field = "spec.ephemeralContainers";
        match now {
            None => {
                let rule = format!(
                    "existing ephemeral containers {:?} may not be removed\n",
                    name(before)
                );
                faults.forbidden(field, &rule);
            }
            Some(now) if now != before => {
                let rule = format!(
                    "existing ephemeral containers {:?} may not be changed\n",
                    name(before)
                );
                faults.forbidden(field, &rule);
            }
            Some(_) => {}
        }
    }
}

/// Of a running Pod only images, deadlines, tolerations and the node may change.
fn validate_update(new: &Node, old: &Node, faults: &mut Faults) {
    let blank = |pod: &Node| {
        let mut spec = pod.get("spec").cloned().unwrap_or_default();
        for field in [
            "activeDeadlineSeconds",
            "terminationGracePeriodSeconds",
            "tolerations",
            "schedulingGates",
        ] {
            spec.remove(field);
        }
        if old.str_at(&["spec", "nodeName"]).unwrap_or_default().is_empty() {
            spec.remove("nodeName");
        }
        for list in ["containers", "initContainers"] {
            for item in spec.get_mut(list).and_then(Node::as_list_mut).into_iter().flatten() {
                item.remove("image");
            }
        }
        spec
    };
    // what is stored may lack a default
    let mut old = old.clone();
    (POD.default)(&mut old);
    if blank(new) != blank(&old) {
        faults.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`, \
             `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only \
             additions to existing tolerations), `spec.terminationGracePeriodSeconds` (allow it to \
             be set to 1 if it was previously negative)",
        );
    }
}
