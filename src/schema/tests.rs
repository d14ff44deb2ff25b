//! The type graph: lookup, list types and merge keys of built-in kinds.

use super::{Kind, ListType, Schemas, Type};

fn field<'a>(ty: &'a Type, path: &str) -> &'a Type {
    path.split('.').fold(ty, |ty, step| {
        if step == "[]" { ty.items() } else { ty.field(step) }
            .unwrap_or_else(|| panic!("{path} has {step}"))
    })
}

#[test]
fn versions_are_found_in_any_spelling() {
    for (asked, found) in [
        ("1.33", Some("1.33")),
        ("v1.33.2", Some("1.33")),
        ("1.30.4+k3s1", Some("1.30")),
        ("1.31+", Some("1.31")),
        ("1.7", None),
        ("one", None),
    ] {
        let schemas = Schemas::kubernetes(asked);
        assert_eq!(schemas.as_ref().map(Schemas::version), found, "{asked}");
    }
    assert!(Schemas::versions().len() >= 8);
}

#[test]
fn kinds_know_how_their_fields_merge() {
    let schemas = Schemas::kubernetes("1.36").expect("1.36 is embedded");
    let deployment = schemas.kind("apps/v1", "Deployment").expect("a built-in kind");
    let keys = |ty: &Type| match ty.list_type() {
        ListType::Atomic => "atomic".to_owned(),
        ListType::Set => "set".to_owned(),
        ListType::Map(keys) => keys.join(","),
    };
    for (path, list_type, merge_key) in [
        ("spec.template.spec.containers", "name", Some("name")),
        ("spec.template.spec.containers.[].ports", "containerPort,protocol", Some("containerPort")),
        ("spec.template.spec.containers.[].args", "atomic", None),
        ("spec.template.spec.volumes", "name", Some("name")),
        ("spec.template.spec.tolerations", "atomic", None),
        ("spec.template.spec.imagePullSecrets", "name", Some("name")),
        ("metadata.finalizers", "set", None),
        ("metadata.ownerReferences", "uid", Some("uid")),
    ] {
        let ty = field(deployment, path);
        assert_eq!((keys(ty).as_str(), ty.patch_merge_key()), (list_type, merge_key), "{path}");
    }
    assert!(field(deployment, "metadata.finalizers").patch_merges());
    assert!(field(deployment, "spec.strategy").retain_keys());
    assert!(field(deployment, "spec.template.spec.volumes").retain_keys());
    assert!(!field(deployment, "spec.template").retain_keys());
    assert!(field(deployment, "spec.selector").is_atomic_map());
    assert!(!field(deployment, "spec").is_atomic_map());
    let ports = field(deployment, "spec.template.spec.containers.[].ports");
    assert_eq!(ports.key_default("protocol").and_then(|node| node.as_str()), Some("TCP"));
    assert_eq!(ports.key_default("containerPort"), None);
}

#[test]
fn shapes_are_those_of_the_api() {
    let schemas = Schemas::latest();
    let pod = schemas.kind("v1", "Pod").expect("a built-in kind");
    for (path, kind) in [
        ("spec", Kind::Object),
        ("spec.containers", Kind::List),
        ("spec.containers.[].resources.limits.cpu", Kind::Quantity),
        ("spec.containers.[].livenessProbe.httpGet.port", Kind::IntOrString),
        ("spec.hostNetwork", Kind::Boolean),
        ("spec.priority", Kind::Integer),
        ("metadata.labels.any", Kind::String),
    ] {
        assert_eq!(field(pod, path).kind(), kind, "{path}");
    }
    assert_eq!(field(pod, "spec.priority").format(), Some("int32"));
    assert!(schemas.kind("apps/v1", "Pod").is_none());
    assert!(schemas.kinds().any(|kind| kind == ("batch/v1", "CronJob")));
}

#[test]
fn every_definition_of_every_version_can_be_decoded() {
    fn walk(ty: &Type, depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        let inner = ty.properties().iter().map(|property| walk(&property.ty, depth - 1));
        let rest = ty.items().into_iter().chain(ty.additional()).map(|ty| walk(ty, depth - 1));
        1 + inner.chain(rest).sum::<usize>()
    }
    for version in Schemas::versions() {
        let schemas = Schemas::kubernetes(version).expect("a listed version");
        let kinds: Vec<_> = schemas.kinds().collect();
        assert!(kinds.len() > 100, "{version}: {}", kinds.len());
        for (api_version, kind) in kinds {
            assert!(walk(schemas.kind(api_version, kind).expect("it is listed"), 7) > 0);
        }
    }
}
