//! Private keys and certificates: sprig's functions over [`pki`].

use super::base64;
use crate::template::gotmpl::fmt;
use crate::template::gotmpl::function::{Call, Failure, Function};
use crate::template::gotmpl::go_type::{ANY_LIST, INT, Kind, STRING, Type};
use crate::template::gotmpl::pki::{self, Certificate, Request};
use crate::template::gotmpl::value::{Object, Text, Value};
use std::any::Any;
use std::net::IpAddr;
use std::rc::Rc;

/// The functions of this subject.
pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("buildCustomCert", &[&STRING, &STRING], build_custom),
    Function::new("genCA", &[&STRING, &INT], |call| authority(call, None)),
    Function::new("genCAWithKey", &[&STRING, &INT, &STRING], |call| authority(call, Some(2))),
    Function::new("genPrivateKey", &[&STRING], private_key),
    Function::new("genSelfSignedCert", &[&STRING, &ANY_LIST, &ANY_LIST, &INT], |call| {
        self_signed(call, None)
    }),
    Function::new(
        "genSelfSignedCertWithKey",
        &[&STRING, &ANY_LIST, &ANY_LIST, &INT, &STRING],
        |call| self_signed(call, Some(4)),
    ),
    Function::new("genSignedCert", &[&STRING, &ANY_LIST, &ANY_LIST, &INT, &CERTIFICATE], |call| {
        signed(call, None)
    }),
    Function::new(
        "genSignedCertWithKey",
        &[&STRING, &ANY_LIST, &ANY_LIST, &INT, &CERTIFICATE, &STRING],
        |call| signed(call, Some(5)),
    ),
];

/// `sprig.certificate`.
static CERTIFICATE: Type = Type::plain("sprig.certificate", Kind::Struct);

impl Object for Certificate {
    fn go_type(&self) -> &'static Type {
        &CERTIFICATE
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("Cert", Value::text(&self.cert[..])), ("Key", Value::text(&self.key[..]))]
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

type Outcome = Result<Value, Failure>;

/// What searching for two primes costs in fuel: about what rendering does in the same time.
const COST: usize = 500_000;

fn value(certificate: Result<Certificate, String>) -> Outcome {
    Ok(Value::Object(Rc::new(certificate?)))
}

fn draw(call: &Call<'_>) -> [u8; 32] {
    let mut bytes = [0; 32];
    call.world.random.borrow_mut().fill(&mut bytes);
    bytes
}

fn private_key(call: &mut Call<'_>) -> Outcome {
    call.templates.spend(10 * COST)?;
    let kind = call.text(0);
    Ok(match pki::private_key(kind, &mut || draw(call)) {
        Some(key) => Value::text(key),
        None => Value::text([b"Unknown type ", &kind[..]].concat()),
    })
}

fn build_custom(call: &mut Call<'_>) -> Outcome {
    let decoded = |index: usize, what: &str| {
        base64::decode(call.text(index)).map_err(|_| format!("unable to decode base64 {what}"))
    };
    let pair = Certificate { cert: decoded(0, "certificate")?, key: decoded(1, "private key")? };
    pki::check_pair(&pair)?;
    value(Ok(pair))
}

/// What is asked for at the parameters: a name, addresses, names, days.
fn request<'a>(call: &Call<'a>, key: Option<usize>) -> Result<Request<'a>, Failure> {
    let args: &'a [Value] = call.args;
    let text = |index: usize| -> &'a [u8] {
        match &args[index] {
            Value::Text(text) => text,
            other => panic!("argument {index} is a string by its signature, not {other:?}"),
        }
    };
    let Value::Int(days, _) = args[3] else { panic!("a number by the signature") };
    Ok(Request {
        name: text(0),
        addresses: items(&args[1]).iter().map(address).collect::<Result<_, _>>()?,
        names: items(&args[2]).iter().map(dns_name).collect::<Result<_, _>>()?,
        days,
        now: call.world.now,
        authority: false,
        key: key.map(text),
    })
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(list) => list,
        _ => &[],
    }
}

fn not_text(what: &str, value: &Value) -> Failure {
    match fmt::sprint(std::slice::from_ref(value)) {
        Ok(shown) => [what.as_bytes(), b": ", &shown, b" is not a string"].concat().into(),
        Err(failure) => failure,
    }
}

fn address(value: &Value) -> Result<IpAddr, Failure> {
    let Value::Text(text) = value else { return Err(not_text("error parsing ip", value)) };
    let parsed = text.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| [b"error parsing ip: ", &text[..]].concat().into())
}

fn dns_name(value: &Value) -> Result<Vec<u8>, Failure> {
    match value {
        Value::Text(text) => Ok(text.to_vec()),
        _ => Err(not_text("error processing alternate dns name", value)),
    }
}

fn authority(call: &mut Call<'_>, key: Option<usize>) -> Outcome {
    call.templates.spend(COST)?;
    let key: Option<Text> = key.map(|index| call.text(index).clone());
    let request = Request {
        name: call.text(0),
        addresses: Vec::new(),
        names: Vec::new(),
        days: call.int(1),
        now: call.world.now,
        authority: true,
        key: key.as_deref(),
    };
    value(request.self_signed(&mut || draw(call)))
}

fn self_signed(call: &mut Call<'_>, key: Option<usize>) -> Outcome {
    call.templates.spend(COST)?;
    value(request(call, key)?.self_signed(&mut || draw(call)))
}

fn signed(call: &mut Call<'_>, key: Option<usize>) -> Outcome {
    call.templates.spend(COST)?;
    let authority = match &call.args[4] {
        Value::Object(object) => object.as_any().downcast_ref::<Certificate>(),
        _ => None,
    }
    .expect("a certificate by the signature");
    value(request(call, key)?.signed_by(authority, &mut || draw(call)))
}
