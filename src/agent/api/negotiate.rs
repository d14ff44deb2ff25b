//! What a client wants to read: `Accept`.

use super::status::Status;
use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING};

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// The object itself.
    Plain,
    /// A Table of this version of `meta.k8s.io`.
    Table(&'static str),
    /// Metadata alone.
    Partial(&'static str),
}

/// The encoding of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    Json,
    Yaml,
}

/// What was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Accepted {
    pub(crate) form: Form,
    pub(crate) encoding: Encoding,
}

impl Accepted {
    pub(crate) const JSON: Accepted = Accepted { form: Form::Plain, encoding: Encoding::Json };
}

/// One clause of an `Accept` header, in small letters.
#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) media: String,
    parameters: Vec<(String, String)>,
}

impl Clause {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// The clauses of the `Accept` headers, best first. No header accepts everything.
pub(crate) fn clauses(headers: &HeaderMap) -> Vec<Clause> {
    let mut found: Vec<(u32, Clause)> = Vec::new();
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for text in values.flat_map(|value| value.split(',')) {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        if media.is_empty() {
            continue;
        }
        let parameters: Vec<(String, String)> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let quality = parameters.iter().find(|(key, _)| key == "q");
        let quality = quality.and_then(|(_, value)| value.parse::<f32>().ok()).unwrap_or(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a quality lies between 0 and 1; anything else is cut to that"
        )]
        let quality = (quality.clamp(0.0, 1.0) * 1000.0) as u32;
        found.push((quality, Clause { media, parameters }));
    }
    if found.is_empty() {
        return vec![Clause { media: "*/*".into(), parameters: Vec::new() }];
    }
    found.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    found.into_iter().filter(|(quality, _)| *quality > 0).map(|(_, clause)| clause).collect()
}

/// The first form that both sides know.
pub(crate) fn accepted(headers: &HeaderMap) -> Result<Accepted, Status> {
    clauses(headers).iter().find_map(choose).ok_or_else(Status::not_acceptable)
}

fn choose(clause: &Clause) -> Option<Accepted> {
    let encoding = match clause.media.as_str() {
        "application/json" | "*/*" => Encoding::Json,
        "application/yaml" => Encoding::Yaml,
        _ => return None,
    };
    let version = match (clause.parameter("g"), clause.parameter("v")) {
        ("" | "meta.k8s.io", "" | "v1") => "meta.k8s.io/v1",
        ("" | "meta.k8s.io", "v1beta1") => "meta.k8s.io/v1beta1",
        _ => return None,
    };
    let form = match clause.parameter("as") {
        "" => Form::Plain,
        "Table" => Form::Table(version),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => Form::Partial(version),
        _ => return None,
    };
    Some(Accepted { form, encoding })
}

/// True when the client can read gzip.
pub(crate) fn gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| {
        let mut pieces = part.split(';').map(str::trim);
        pieces.next() == Some("gzip") && !pieces.any(|piece| matches!(piece, "q=0" | "q=0.0"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_form_wins() {
        let check = |accept: &str| {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(ACCEPT, accept.parse().expect("is a header"));
            }
            accepted(&headers).ok()
        };
        let json = |form| Some(Accepted { form, encoding: Encoding::Json });
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        assert_eq!(check(""), json(Form::Plain));
        assert_eq!(check("*/*"), json(Form::Plain));
        assert_eq!(check("application/*"), None);
        assert_eq!(check("text/html"), None);
        assert_eq!(
            check(&format!("{table},application/json")),
            json(Form::Table("meta.k8s.io/v1"))
        );
        assert_eq!(check("application/json;as=Other,application/json"), json(Form::Plain));
        assert_eq!(
            check("application/vnd.kubernetes.protobuf,application/json"),
            json(Form::Plain)
        );
        assert_eq!(
            check("application/json;q=0.1,application/yaml").map(|a| a.encoding),
            Some(Encoding::Yaml)
        );
    }
}
