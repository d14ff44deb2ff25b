//! The cases of Go's own tests of its templates (`gotemplate/exec_cases.json` in the folder that
//! `WHARF_CORPUS` names), over values of the same shape as theirs.

#![expect(clippy::print_stderr, reason = "tells what passed, and why it was skipped")]

use super::super::engine::{Set, Source, execute_alone};
use super::super::function::{Call, Failure, Function};
use super::super::go_type::{self, ANY, BOOL, INT, INT_LIST, Kind, STRING, Type, UINT16};
use super::super::value::{Entries, List, Map, Object, Text, Value};
use super::super::{fmt, funcs, stack};
use super::fixture::world;
use serde_json::Value as Json;
use std::any::Any;
use std::path::PathBuf;
use std::rc::Rc;

/// What differs, and why: values that no template of a chart can get.
const DIFFERENT: &[(&str, &str)] = &[
    ("len(s) < indexes < cap(s)", "lists have no room beyond their length"),
    ("indexes > cap(s)", "lists have no room beyond their length"),
    ("range iter.Seq[int]", "functions are no iterators"),
    ("i, c := range iter.Seq2[int,int]", "functions are no iterators"),
    ("i, c = range iter.Seq2[int,int]", "functions are no iterators"),
    ("i,c,x range iter.Seq2[int,int]", "functions are no iterators"),
    ("range iter.Seq2[int,int] else", "functions are no iterators"),
    ("map MI64S", "keys of maps are texts"),
    ("map MI8S", "keys of maps are texts"),
    ("map MUI8S", "keys of maps are texts"),
];

#[test]
fn cases() {
    let Some(folder) = std::env::var_os("WHARF_CORPUS").map(PathBuf::from) else {
        assert!(std::env::var_os("WHARF_CI").is_none(), "WHARF_CORPUS is not set");
        eprintln!("skipped: WHARF_CORPUS is not set");
        return;
    };
    let path = folder.join("gotemplate/exec_cases.json");
    let cases: Vec<Json> =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the cases")).expect("JSON");
    let differences = stack::with_room(|| cases.iter().filter_map(difference).collect::<Vec<_>>());
    eprintln!("{} of {} cases pass", cases.len() - differences.len(), cases.len());
    let unknown: Vec<_> = differences
        .iter()
        .filter(|(name, _)| DIFFERENT.iter().all(|(known, _)| known != name))
        .inspect(|(name, text)| eprintln!("{name}: {text}"))
        .collect();
    assert!(unknown.is_empty(), "{} cases differ", unknown.len());
}

fn difference(case: &Json) -> Option<(String, String)> {
    let field = |name: &str| case.get(name).and_then(Json::as_str).unwrap_or_default();
    let name = field("Name");
    let answer = match Set::parse_with(
        &[Source { name: name.into(), text: field("Input").into() }],
        function,
    ) {
        Ok(set) => execute_alone(&set, &name.into(), data(case), &world()),
        Err(error) => Err(error.message),
    };
    let (wanted, given) = match (case["OK"] == true, answer) {
        (true, Ok(text)) => (field("Output").to_owned(), text.lossy().into_owned()),
        (true, Err(error)) => (field("Output").to_owned(), format!("error {error}")),
        (false, Ok(text)) => (format!("error {}", field("Err")), text.lossy().into_owned()),
        (false, Err(error)) => (field("Err").to_owned(), error.lossy().into_owned()),
    };
    (wanted != given).then(|| (name.to_owned(), format!("\n  want {wanted:?}\n  have {given:?}")))
}

fn data(case: &Json) -> Value {
    let name = case["Name"].as_str().unwrap_or_default();
    if case["TVal"] == true || name == "bug1" {
        return Value::Object(Rc::new(T));
    }
    match name {
        "dot complex" => return Value::Complex(Rc::new((16.2, -17.0))),
        "bug11" => return Value::Object(Rc::new(Zero)),
        "method on nil value from slice" => {
            return Value::List(List::new(&TYPE_TS, vec![Value::NilOf(&TYPE_T)]));
        }
        _ => {}
    }
    let int = |int: i64| match name.strip_prefix("range ").map(|of| of.trim_end_matches("(0)")) {
        Some("int8") => Value::Int(int, &INT8),
        Some("int16") => Value::Int(int, &INT16),
        Some("int32") => Value::Int(int, &go_type::INT32),
        Some("int64") => Value::Int(int, &go_type::INT64),
        Some("uint") => Value::Uint(int.cast_unsigned(), &go_type::UINT),
        Some("uint8") => Value::Uint(int.cast_unsigned(), &go_type::UINT8),
        Some("uint16") => Value::Uint(int.cast_unsigned(), &UINT16),
        Some("uint32") => Value::Uint(int.cast_unsigned(), &go_type::UINT32),
        Some("uint64") => Value::Uint(int.cast_unsigned(), &go_type::UINT64),
        Some("uintptr") => Value::Uint(int.cast_unsigned(), &UINTPTR),
        _ if name.starts_with("bug18") => Value::Int(int, &go_type::INT32),
        _ => Value::int(int),
    };
    match &case["Data"] {
        Json::Number(number) if number.is_i64() => int(number.as_i64().unwrap_or_default()),
        Json::Number(number) => Value::float(number.as_f64().unwrap_or_default()),
        Json::Bool(bool) => Value::Bool(*bool),
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| int(item.as_i64().unwrap_or(0))).collect();
            Value::List(List::new(&INT_LIST, items))
        }
        Json::Object(map) => Value::map(
            map.iter()
                .map(|(key, value)| {
                    let value = match value {
                        Json::String(text) => Value::text(text.as_str()),
                        other => int(other.as_i64().unwrap_or_default()),
                    };
                    (Text::from(key.as_str()), value)
                })
                .collect(),
        ),
        Json::Null => Value::Nil,
    }
}

static INT8: Type = Type::plain("int8", Kind::Int8);
static INT16: Type = Type::plain("int16", Kind::Int16);
static UINTPTR: Type = Type::plain("uintptr", Kind::Uintptr);
static INT_POINTER: Type = Type::of("*int", Kind::Ptr, &INT);
static TEXT_POINTER: Type = Type::of("*string", Kind::Ptr, &STRING);
static LIST_POINTER: Type = Type::of("*[]int", Kind::Ptr, &INT_LIST);
static ARRAY: Type = Type::of("[3]int", Kind::Array, &INT);
static ARRAY_POINTER: Type = Type::of("*[3]int", Kind::Ptr, &ARRAY);
static BOOLS: Type = Type::of("[]bool", Kind::Slice, &BOOL);
static INT_MAP: Type = Type::of("map[string]int", Kind::Map, &INT);
static INT_MAPS: Type = Type::of("[]map[string]int", Kind::Slice, &INT_MAP);
static BY_INT: Type = Type::of("map[int]int", Kind::Map, &INT);
static TYPE_T: Type = Type::plain("*template.T", Kind::Ptr).with(t_method);
static TYPE_TS: Type = Type::of("[]*template.T", Kind::Slice, &TYPE_T);
static ZERO: Type = Type::plain("template.T", Kind::Struct);
static TYPE_U: Type = Type::plain("*template.U", Kind::Ptr).with(u_method);
static TYPE_V: Type = Type::plain("template.V", Kind::Struct);
static POINTER_V: Type = Type::of("*template.V", Kind::Ptr, &TYPE_V);
static TYPE_W: Type = Type::plain("template.W", Kind::Struct);
static POINTER_W: Type = Type::of("*template.W", Kind::Ptr, &TYPE_W);
static BUFFER: Type = Type::plain("*bytes.Buffer", Kind::Ptr);
static STRINGS: Type = Type::of("template.S", Kind::Slice, &STRING);
static POINTER_I: Type = Type::of("*template.I", Kind::Ptr, &STRINGS);
static UNSAFE: Type = Type::plain("unsafe.Pointer", Kind::Ptr);
static STRINGER: Type = Type::plain("fmt.Stringer", Kind::Interface);

fn is(text: &str) -> Value {
    Value::text(text)
}

fn ints(of: &'static Type, ints: &[i64]) -> Value {
    let ints: Vec<Value> = ints.iter().map(|int| Value::int(*int)).collect();
    Value::List(List::new(of, ints))
}

fn int_map(entries: &[(&str, i64)]) -> Value {
    let entries = entries.iter().map(|(key, int)| ((*key).into(), Value::int(*int)));
    Value::Map(Map::new(&INT_MAP, entries.collect()))
}

fn pointer(of: &'static Type, to: Value) -> Value {
    Value::Object(Rc::new(Plain { of, pointee: Some(to), ..Plain::default() }))
}

/// A struct, a pointer or another value that is no more than what it says here.
#[derive(Debug)]
struct Plain {
    of: &'static Type,
    fields: Vec<(&'static str, Value)>,
    text: Option<&'static str>,
    addressed: Option<&'static str>,
    pointee: Option<Value>,
}

impl Default for Plain {
    fn default() -> Plain {
        Plain { of: &ANY, fields: Vec::new(), text: None, addressed: None, pointee: None }
    }
}

impl Object for Plain {
    fn go_type(&self) -> &'static Type {
        self.of
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields.clone()
    }
    fn text(&self) -> Option<Text> {
        self.text.map(Text::from)
    }
    fn addressed_text(&self) -> Option<Text> {
        self.addressed.map(Text::from)
    }
    fn pointee(&self) -> Option<Value> {
        self.pointee.clone()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn plain(plain: Plain) -> Value {
    Value::Object(Rc::new(plain))
}

/// Go's `T{}`: only what its cases ask of it.
#[derive(Debug)]
struct Zero;

impl Object for Zero {
    fn go_type(&self) -> &'static Type {
        &ZERO
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("PS", Value::NilOf(&TEXT_POINTER))]
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Go's `tVal`.
#[derive(Debug)]
struct T;

fn u(text: &str) -> Value {
    plain(Plain { of: &TYPE_U, fields: vec![("V", is(text))], ..Plain::default() })
}

impl Object for T {
    fn go_type(&self) -> &'static Type {
        &TYPE_T
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let v = |of, text, addressed| plain(Plain { of, text, addressed, ..Plain::default() });
        let strings: Vec<Value> = vec![is("a"), is("b")];
        let strings = Value::List(List::new(&STRINGS, strings));
        let maps = [int_map(&[("one", 1), ("two", 2)]), int_map(&[("eleven", 11), ("twelve", 12)])];
        vec![
            ("True", Value::Bool(true)),
            ("I", Value::int(17)),
            ("U16", Value::Uint(16, &UINT16)),
            ("X", is("x")),
            ("S", is("xyz")),
            ("FloatZero", Value::float(0.0)),
            ("ComplexZero", Value::Complex(Rc::new((0.0, 0.0)))),
            ("U", u("v")),
            ("V0", v(&TYPE_V, None, Some("<6666>"))),
            ("V1", v(&POINTER_V, Some("<7777>"), None)),
            ("V2", Value::NilOf(&POINTER_V)),
            ("W0", v(&TYPE_W, None, Some("[888]"))),
            ("W1", v(&POINTER_W, Some("[999]"), None)),
            ("W2", Value::NilOf(&POINTER_W)),
            ("SI", ints(&INT_LIST, &[3, 4, 5])),
            ("SICap", ints(&INT_LIST, &[0; 5])),
            ("SIEmpty", ints(&INT_LIST, &[])),
            ("SB", Value::List(List::new(&BOOLS, vec![Value::Bool(true), Value::Bool(false)]))),
            ("AI", ints(&ARRAY, &[3, 4, 5])),
            ("PAI", pointer(&ARRAY_POINTER, ints(&ARRAY, &[3, 4, 5]))),
            ("MSI", int_map(&[("one", 1), ("two", 2), ("three", 3)])),
            ("MSIone", int_map(&[("one", 1)])),
            ("MSIEmpty", int_map(&[])),
            ("MXI", Value::Map(Map::new(&INT_MAP, [("one".into(), Value::int(1))].into()))),
            ("MII", plain(Plain { of: &BY_INT, ..Plain::default() })),
            ("SMSI", Value::List(List::new(&INT_MAPS, maps))),
            ("Empty0", Value::Nil),
            ("Empty1", Value::int(3)),
            ("Empty2", is("empty2")),
            ("Empty3", ints(&INT_LIST, &[7, 8])),
            ("Empty4", u("UinEmpty")),
            ("NonEmptyInterface", Value::Object(Rc::new(T))),
            ("NonEmptyInterfacePtS", pointer(&POINTER_I, strings)),
            ("NonEmptyInterfaceNil", Value::Nil),
            ("NonEmptyInterfaceTypedNil", Value::NilOf(&TYPE_T)),
            ("Str", v(&BUFFER, Some("foozle"), None)),
            ("Err", v(&BUFFER, Some("erroozle"), None)),
            ("PI", pointer(&INT_POINTER, Value::int(23))),
            ("PS", pointer(&TEXT_POINTER, is("a string"))),
            ("PSI", pointer(&LIST_POINTER, ints(&INT_LIST, &[21, 22, 23]))),
            ("NIL", Value::NilOf(&INT_POINTER)),
            ("UPI", plain(Plain { of: &UNSAFE, ..Plain::default() })),
            ("EmptyUPI", Value::NilOf(&UNSAFE)),
            ("BinaryFunc", Value::Function(&FUNCTIONS[0], None)),
            ("VariadicFunc", Value::Function(&FUNCTIONS[1], None)),
            ("VariadicFuncInt", Value::Function(&FUNCTIONS[2], None)),
            ("NilOKFunc", Value::Function(&FUNCTIONS[3], None)),
            ("ErrFunc", Value::Function(&FUNCTIONS[4], None)),
            ("PanicFunc", Value::Function(&FUNCTIONS[5], None)),
        ]
    }

    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        [self.fields(), vec![("unexported", Value::int(0))]].concat()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

type Answer = Result<Value, Failure>;

fn joined(call: &Call<'_>, from: usize) -> String {
    let texts: Vec<String> =
        (from..call.args.len()).map(|index| call.text(index).to_string()).collect();
    texts.join("+")
}

static FUNCTIONS: &[Function] = &[
    Function::new("BinaryFunc", &[&STRING, &STRING], |call| {
        Ok(Value::text(format!("[{}={}]", call.text(0), call.text(1))))
    }),
    Function::variadic("VariadicFunc", &[&STRING], |call| {
        Ok(Value::text(format!("<{}>", joined(call, 0))))
    }),
    Function::variadic("VariadicFuncInt", &[&INT, &STRING], |call| {
        Ok(Value::text(format!("{}=<{}>", call.int(0), joined(call, 1))))
    }),
    Function::new("NilOKFunc", &[&INT_POINTER], |call| {
        Ok(Value::Bool(matches!(call.args[0], Value::NilOf(_))))
    }),
    Function::new("ErrFunc", &[], |_| Ok(is("bla"))),
    Function::new("PanicFunc", &[], |_| Err("test panic".into())),
    Function::variadic("add", &[&INT], |call| {
        Ok(Value::int((0..call.args.len()).map(|index| call.int(index)).sum()))
    }),
    Function::new("count", &[&INT], |call| {
        let letters = "abcdefghijklmnop".chars().take(usize::try_from(call.int(0)).unwrap_or(0));
        Ok(Value::texts(letters.map(String::from)))
    }),
    Function::variadic("dddArg", &[&INT, &STRING], |call| {
        let texts = Value::texts(call.args[1..].iter().map(|arg| format!("{arg:?}")));
        Ok(Value::Text(fmt::sprintln(&[call.args[0].clone(), texts])?))
    }),
    Function::new("die", &[], |_| Err("die".into())),
    Function::new("echo", &[&ANY], |call| Ok(call.args[0].clone())),
    Function::variadic("makemap", &[&STRING], |call| {
        if call.args.len() % 2 != 0 {
            return Err("bad makemap".into());
        }
        let entries: Entries =
            call.args.chunks(2).map(|pair| (text_of(&pair[0]), pair[1].clone())).collect();
        Ok(Value::Map(Map::new(&go_type::STRING_MAP, entries)))
    }),
    Function::new("mapOfThree", &[], |_| Ok(int_map(&[("three", 3)]))),
    Function::new("oneArg", &[&STRING], |call| Ok(Value::text(format!("oneArg={}", call.text(0))))),
    Function::new("returnInt", &[], |_| Ok(Value::int(7))),
    Function::new("stringer", &[&STRINGER], |call| Ok(Value::Text(fmt::sprint(call.args)?))),
    Function::new("twoArgs", &[&STRING, &STRING], |call| {
        Ok(Value::text(format!("twoArgs={}{}", call.text(0), call.text(1))))
    }),
    Function::new("typeOf", &[&ANY], |call| Ok(Value::Text(fmt::sprintf(b"%T", call.args)?))),
    Function::new("valueString", &[&STRING], |_| Ok(is("value is ignored"))),
    Function::new("vfunc", &[&TYPE_V, &POINTER_V], |_| Ok(is("vfunc"))),
    Function::new("zeroArgs", &[], |_| Ok(is("zeroArgs"))),
];

fn text_of(value: &Value) -> Text {
    match value {
        Value::Text(text) => text.clone(),
        _ => Text::default(),
    }
}

/// The functions of Go's tests, and those of the language alone: charts have others by the same
/// names.
fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().skip(6).find(|function| function.name == name).or_else(|| funcs::of_go(name))
}

static T_METHODS: &[Function] = &[
    Function::new("Method0", &[], |_| Ok(is("M0"))),
    Function::new("Method1", &[&INT], |call| Ok(Value::int(call.int(1)))),
    Function::new("Method2", &[&UINT16, &STRING], |call| -> Answer {
        let int = fmt::sprint(&call.args[1..2])?;
        Ok(Value::text(format!("Method2: {int} {}", call.text(2))))
    }),
    Function::new("Method3", &[&ANY], |call| -> Answer {
        Ok(Value::Text(fmt::sprintf(b"Method3: %v", &call.args[1..])?))
    }),
    Function::new("Copy", &[], |call| Ok(call.args[0].clone())),
    Function::new("MAdd", &[&INT, &INT_LIST], |call| {
        let Value::List(list) = &call.args[2] else { return Ok(Value::NilOf(&INT_LIST)) };
        let sums = list.iter().map(|item| match item {
            Value::Int(int, of) => Value::Int(int + call.int(1), of),
            other => other.clone(),
        });
        Ok(Value::List(List::new(&INT_LIST, sums.collect::<Vec<_>>())))
    }),
    Function::new("MyError", &[&BOOL], |call| match call.args[1] {
        Value::Bool(true) => Err("my error".into()),
        _ => Ok(Value::Bool(false)),
    }),
    Function::new("GetU", &[], |_| Ok(u("v"))),
];

static U_METHODS: &[Function] = &[Function::new("TrueFalse", &[&BOOL], |call| {
    Ok(is(if matches!(call.args[1], Value::Bool(true)) { "true" } else { "" }))
})];

fn t_method(name: &str) -> Option<&'static Function> {
    T_METHODS.iter().find(|method| method.name == name)
}

fn u_method(name: &str) -> Option<&'static Function> {
    U_METHODS.iter().find(|method| method.name == name)
}
