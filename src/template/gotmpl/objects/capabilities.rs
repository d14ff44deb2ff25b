//! `.Capabilities`: what the cluster and the tool can do.

use super::super::function::Function;
use super::super::go_type::{Kind, STRING, Type};
use super::super::value::{List, Object, Text, Value};
use std::any::Any;
use std::rc::Rc;

/// `.Capabilities`.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// `group/version` and `group/version/Kind` that the cluster serves.
    pub api_versions: Vec<String>,
    /// The version of the tool.
    pub helm_version: BuildInfo,
}

/// `.Capabilities.KubeVersion`.
#[derive(Clone, Debug)]
pub struct KubeVersion {
    /// All of it, such as `v1.33.4-gke.1245000`.
    pub version: String,
    /// Without what follows the patch, such as `v1.33.4`.
    pub normalized: String,
    /// The major version.
    pub major: String,
    /// The minor version.
    pub minor: String,
}

/// `.Capabilities.HelmVersion`.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// The version.
    pub version: String,
    /// The commit that it was built from.
    pub git_commit: String,
    /// `clean` or `dirty`.
    pub git_tree_state: String,
    /// The version of Go.
    pub go_version: String,
    /// The version of the client of Kubernetes.
    pub kube_client_version: String,
}

static CAPABILITIES: Type = Type::plain("*common.Capabilities", Kind::Ptr);
static KUBE_VERSION: Type =
    Type::plain("common.KubeVersion", Kind::Struct).with(kube_version_method);
static VERSION_SET: Type =
    Type::of("common.VersionSet", Kind::Slice, &STRING).with(version_set_method);
static BUILD_INFO: Type = Type::plain("version.BuildInfo", Kind::Struct);

static KUBE_VERSION_METHODS: &[Function] = &[
    Function::new("String", &[], |call| Ok(kube_version(&call.args[0], |of| &of.normalized))),
    Function::new("GitVersion", &[], |call| Ok(kube_version(&call.args[0], |of| &of.version))),
];

static VERSION_SET_METHODS: &[Function] = &[Function::new("Has", &[&STRING], |call| {
    let found = match &call.args[0] {
        Value::List(versions) => versions
            .iter()
            .any(|version| matches!(version, Value::Text(version) if version == call.text(1))),
        _ => false,
    };
    Ok(Value::Bool(found))
})];

fn kube_version_method(name: &str) -> Option<&'static Function> {
    KUBE_VERSION_METHODS.iter().find(|method| method.name == name)
}

fn version_set_method(name: &str) -> Option<&'static Function> {
    VERSION_SET_METHODS.iter().find(|method| method.name == name)
}

fn kube_version(receiver: &Value, text: fn(&KubeVersion) -> &String) -> Value {
    match receiver {
        Value::Object(object) => match object.as_any().downcast_ref::<KubeVersion>() {
            Some(version) => Value::text(text(version).as_str()),
            None => Value::Nil,
        },
        _ => Value::Nil,
    }
}

/// `.Capabilities.APIVersions`.
#[must_use]
pub fn api_versions(versions: &[String]) -> Value {
    let versions: Vec<Value> =
        versions.iter().map(|version| Value::text(version.as_str())).collect();
    Value::List(List::new(&VERSION_SET, versions))
}

impl Object for Capabilities {
    fn go_type(&self) -> &'static Type {
        &CAPABILITIES
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("KubeVersion", Value::Object(Rc::new(self.kube_version.clone()))),
            ("APIVersions", api_versions(&self.api_versions)),
            ("HelmVersion", Value::Object(Rc::new(self.helm_version.clone()))),
        ]
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for KubeVersion {
    fn go_type(&self) -> &'static Type {
        &KUBE_VERSION
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Version", Value::text(self.version.as_str())),
            ("Major", Value::text(self.major.as_str())),
            ("Minor", Value::text(self.minor.as_str())),
        ]
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.fields();
        fields.insert(1, ("normalizedVersion", Value::text(self.normalized.as_str())));
        fields
    }

    fn addressed_text(&self) -> Option<Text> {
        Some(self.normalized.as_str().into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for BuildInfo {
    fn go_type(&self) -> &'static Type {
        &BUILD_INFO
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Version", Value::text(self.version.as_str())),
            ("GitCommit", Value::text(self.git_commit.as_str())),
            ("GitTreeState", Value::text(self.git_tree_state.as_str())),
            ("GoVersion", Value::text(self.go_version.as_str())),
            ("KubeClientVersion", Value::text(self.kube_client_version.as_str())),
        ]
    }

    fn encoded_fields(&self) -> Vec<(&'static str, Value)> {
        let names =
            ["version", "git_commit", "git_tree_state", "go_version", "kube_client_version"];
        names.into_iter().zip(self.fields().into_iter().map(|(_, value)| value)).collect()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
