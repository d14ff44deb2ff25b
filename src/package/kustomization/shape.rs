//! The fields of a kustomization: their names, their types, and what Go calls the types.

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Text,
    /// A text that Go gives a name to.
    Named(&'static str),
    Bool,
    /// An integer, with Go's name of the type.
    Int(&'static str),
    /// Anything.
    Any,
    List(&'static Shape),
    /// A map with values of one type.
    Map(&'static Shape),
    Struct(&'static Struct),
    /// The fields of another struct, which stand among those of this one. The key is Go's way there.
    Inside(&'static [Field]),
}

/// A key and the type of its value.
type Field = (&'static str, Shape);

/// A map with known keys.
#[derive(Debug)]
pub(super) struct Struct {
    /// What Go calls it.
    pub(super) name: &'static str,
    fields: &'static [Field],
}

impl Struct {
    /// All fields, in the order in which they are declared: the key, the structs inside this one
    /// that Go finds the field in, and the type.
    pub(super) fn fields(&self) -> Vec<(&'static str, &'static str, &'static Shape)> {
        fn add(
            all: &mut Vec<(&'static str, &'static str, &'static Shape)>,
            fields: &'static [Field],
            within: &'static str,
        ) {
            for (key, shape) in fields {
                match shape {
                    Shape::Inside(more) => add(all, more, key),
                    shape => all.push((key, within, shape)),
                }
            }
        }
        let mut all = Vec::new();
        add(&mut all, self.fields, "");
        all
    }
}

impl Shape {
    /// What Go calls the type.
    pub(super) fn go(&self) -> String {
        match self {
            Shape::Text => "string".to_owned(),
            Shape::Bool => "bool".to_owned(),
            Shape::Named(name) | Shape::Int(name) => (*name).to_owned(),
            Shape::Any => "interface {}".to_owned(),
            Shape::List(item) => format!("[]{}", item.go()),
            Shape::Map(value) => format!("map[string]{}", value.go()),
            Shape::Struct(shape) => format!("types.{}", shape.name),
            Shape::Inside(_) => unreachable!("it has no value of its own"),
        }
    }
}

use Shape::{Any, Bool, Inside, Int, List, Map, Named, Text};

const TEXTS: Shape = List(&Text);
const PAIRS: Shape = Map(&Text);
const VALUES: Shape = Map(&Any);

const GVK: &[Field] = &[("group", Text), ("version", Text), ("kind", Text)];

const RES_ID: &[Field] = &[("ResId.Gvk.", Inside(GVK)), ("name", Text), ("namespace", Text)];

const META: Struct = Struct {
    name: "ObjectMeta",
    fields: &[("name", Text), ("namespace", Text), ("labels", PAIRS), ("annotations", PAIRS)],
};

const FIELD_SPEC: Struct = Struct {
    name: "FieldSpec",
    fields: &[("Gvk.", Inside(GVK)), ("path", Text), ("create", Bool)],
};

const LABEL: Struct = Struct {
    name: "Label",
    fields: &[
        ("pairs", PAIRS),
        ("includeSelectors", Bool),
        ("includeTemplates", Bool),
        ("includeVolumeClaimTemplates", Bool),
        ("fields", List(&Shape::Struct(&FIELD_SPEC))),
    ],
};

const SELECTOR: Struct = Struct {
    name: "Selector",
    fields: &[("ResId.", Inside(RES_ID)), ("annotationSelector", Text), ("labelSelector", Text)],
};

const PATCH_OPTIONS: Struct =
    Struct { name: "PatchArgs", fields: &[("allowNameChange", Bool), ("allowKindChange", Bool)] };

const PATCH: Struct = Struct {
    name: "Patch",
    fields: &[
        ("path", Text),
        ("patch", Text),
        ("target", Shape::Struct(&SELECTOR)),
        ("options", Shape::Struct(&PATCH_OPTIONS)),
    ],
};

const IMAGE: Struct = Struct {
    name: "Image",
    fields: &[
        ("name", Text),
        ("newName", Text),
        ("tagSuffix", Text),
        ("newTag", Text),
        ("digest", Text),
    ],
};

const FIELD_OPTIONS: Struct = Struct {
    name: "FieldOptions",
    fields: &[("delimiter", Text), ("index", Int("int")), ("encoding", Text), ("create", Bool)],
};

const SOURCE: Struct = Struct {
    name: "SourceSelector",
    fields: &[
        ("ResId.", Inside(RES_ID)),
        ("fieldPath", Text),
        ("options", Shape::Struct(&FIELD_OPTIONS)),
    ],
};

const TARGET: Struct = Struct {
    name: "TargetSelector",
    fields: &[
        ("select", Shape::Struct(&SELECTOR)),
        ("reject", List(&Shape::Struct(&SELECTOR))),
        ("fieldPaths", TEXTS),
        ("options", Shape::Struct(&FIELD_OPTIONS)),
    ],
};

const REPLACEMENT_FIELDS: &[Field] = &[
    ("source", Shape::Struct(&SOURCE)),
    ("targets", List(&Shape::Struct(&TARGET))),
    ("sourceValue", Text),
];

const REPLACEMENT: Struct = Struct {
    name: "ReplacementField",
    fields: &[("Replacement.", Inside(REPLACEMENT_FIELDS)), ("path", Text)],
};

const REPLICA: Struct =
    Struct { name: "Replica", fields: &[("name", Text), ("count", Int("int64"))] };

const VAR_OBJECT: Struct =
    Struct { name: "Target", fields: &[("apiVersion", Text), ("ResId.", Inside(RES_ID))] };

const VAR_FIELD: Struct = Struct { name: "FieldSelector", fields: &[("fieldPath", Text)] };

const VAR: Struct = Struct {
    name: "Var",
    fields: &[
        ("name", Text),
        ("objref", Shape::Struct(&VAR_OBJECT)),
        ("fieldref", Shape::Struct(&VAR_FIELD)),
    ],
};

const LEGACY_ORDER: Struct =
    Struct { name: "LegacySortOptions", fields: &[("orderFirst", TEXTS), ("orderLast", TEXTS)] };

const SORT: Struct = Struct {
    name: "SortOptions",
    fields: &[
        ("order", Named("types.SortOrder")),
        ("legacySortOptions", Shape::Struct(&LEGACY_ORDER)),
    ],
};

const GENERATOR_OPTIONS: Struct = Struct {
    name: "GeneratorOptions",
    fields: &[
        ("labels", PAIRS),
        ("annotations", PAIRS),
        ("disableNameSuffixHash", Bool),
        ("immutable", Bool),
    ],
};

const PAIR_SOURCES: &[Field] =
    &[("literals", TEXTS), ("files", TEXTS), ("envs", TEXTS), ("env", Text)];

const GENERATOR: &[Field] = &[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("GeneratorArgs.KvPairSources.", Inside(PAIR_SOURCES)),
    ("options", Shape::Struct(&GENERATOR_OPTIONS)),
];

const CONFIG_MAP: Struct =
    Struct { name: "ConfigMapArgs", fields: &[("GeneratorArgs.", Inside(GENERATOR))] };

const SECRET: Struct =
    Struct { name: "SecretArgs", fields: &[("GeneratorArgs.", Inside(GENERATOR)), ("type", Text)] };

const HELM_GLOBALS: Struct =
    Struct { name: "HelmGlobals", fields: &[("chartHome", Text), ("configHome", Text)] };

const HELM_CHART: Struct = Struct {
    name: "HelmChart",
    fields: &[
        ("name", Text),
        ("version", Text),
        ("repo", Text),
        ("releaseName", Text),
        ("namespace", Text),
        ("additionalValuesFiles", TEXTS),
        ("valuesFile", Text),
        ("valuesInline", VALUES),
        ("valuesMerge", Text),
        ("includeCRDs", Bool),
        ("skipHooks", Bool),
        ("apiVersions", TEXTS),
        ("kubeVersion", Text),
        ("nameTemplate", Text),
        ("skipTests", Bool),
        ("debug", Bool),
        ("devel", Bool),
    ],
};

const HELM_INFLATION: Struct = Struct {
    name: "HelmChartArgs",
    fields: &[
        ("chartName", Text),
        ("chartVersion", Text),
        ("chartRepoUrl", Text),
        ("chartHome", Text),
        ("chartRepoName", Text),
        ("helmBin", Text),
        ("helmHome", Text),
        ("values", Text),
        ("valuesLocal", VALUES),
        ("valuesMerge", Text),
        ("releaseName", Text),
        ("releaseNamespace", Text),
        ("extraArgs", TEXTS),
    ],
};

/// All fields of a kustomization or component.
pub(super) const KUSTOMIZATION: Struct = Struct {
    name: "Kustomization",
    fields: &[
        ("TypeMeta.", Inside(&[("kind", Text), ("apiVersion", Text)])),
        ("metadata", Shape::Struct(&META)),
        ("openapi", PAIRS),
        ("namePrefix", Text),
        ("nameSuffix", Text),
        ("namespace", Text),
        ("commonLabels", PAIRS),
        ("labels", List(&Shape::Struct(&LABEL))),
        ("commonAnnotations", PAIRS),
        ("patchesStrategicMerge", List(&Named("types.PatchStrategicMerge"))),
        ("patchesJson6902", List(&Shape::Struct(&PATCH))),
        ("patches", List(&Shape::Struct(&PATCH))),
        ("images", List(&Shape::Struct(&IMAGE))),
        ("imageTags", List(&Shape::Struct(&IMAGE))),
        ("replacements", List(&Shape::Struct(&REPLACEMENT))),
        ("replicas", List(&Shape::Struct(&REPLICA))),
        ("vars", List(&Shape::Struct(&VAR))),
        ("sortOptions", Shape::Struct(&SORT)),
        ("resources", TEXTS),
        ("components", TEXTS),
        ("crds", TEXTS),
        ("bases", TEXTS),
        ("configMapGenerator", List(&Shape::Struct(&CONFIG_MAP))),
        ("secretGenerator", List(&Shape::Struct(&SECRET))),
        ("helmGlobals", Shape::Struct(&HELM_GLOBALS)),
        ("helmCharts", List(&Shape::Struct(&HELM_CHART))),
        ("helmChartInflationGenerator", List(&Shape::Struct(&HELM_INFLATION))),
        ("generatorOptions", Shape::Struct(&GENERATOR_OPTIONS)),
        ("configurations", TEXTS),
        ("generators", TEXTS),
        ("transformers", TEXTS),
        ("validators", TEXTS),
        ("buildMetadata", TEXTS),
    ],
};
