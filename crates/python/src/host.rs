//! Functions of the host that untrusted code may call.
//!
//! ```
//! use pymcp_python::HostFunctions;
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Lookup {
//!     city: String,
//!     limit: Option<u32>,
//! }
//!
//! let host = HostFunctions::new().function("lookup", |args: Lookup| async move {
//!     Ok(format!("{} ({:?})", args.city, args.limit))
//! })?;
//! // Python: lookup("Basel"), lookup("Basel", limit=3)
//! assert_eq!(
//!     host.stubs().next(),
//!     Some("def lookup(city: str, limit: int | None = None) -> str: ...")
//! );
//! # Ok::<(), pymcp_python::HostError>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Why a host function has no result: a sentence, which Python raises as `RuntimeError`. The code is
/// not trusted and may show it to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError(pub String);

impl From<&str> for HostError {
    fn from(sentence: &str) -> Self {
        Self(sentence.to_owned())
    }
}

impl From<String> for HostError {
    fn from(sentence: String) -> Self {
        Self(sentence)
    }
}

impl std::error::Error for HostError {}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Returned = Pin<Box<dyn Future<Output = Result<Box<RawValue>, HostError>> + Send>>;

/// The functions of the host that one run may call, by name. To make some of them the caller's own,
/// make a set for each run.
#[derive(Default)]
pub struct HostFunctions(Vec<HostFunction>);

struct HostFunction {
    name: &'static str,
    stub: String,
    parameters: Vec<String>,
    call: Box<dyn Fn(Map<String, Value>) -> Returned + Send + Sync>,
}

impl fmt::Debug for HostFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.stubs()).finish()
    }
}

impl HostFunctions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `name`, called with the fields of `A` in their order or by their names.
    ///
    /// Python calls it as a plain function, which returns when the future is done; the time counts
    /// as the run's. The future is dropped when the run is ended.
    ///
    /// # Errors
    /// When the name is none that Python code can use or is taken already, or `A` is no struct.
    pub fn function<A, R, F, Fut>(mut self, name: &'static str, call: F) -> Result<Self, HostError>
    where
        A: DeserializeOwned + JsonSchema,
        R: Serialize + JsonSchema,
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HostError>> + Send + 'static,
    {
        if !is_python_name(name)
            || name.starts_with('_')
            || self.0.iter().any(|function| function.name == name)
        {
            return Err(
                format!("'{name}' has to be a Python name that no other function has.").into(),
            );
        }
        let (signature, parameters) = signature::<A>()
            .filter(|(_, parameters)| parameters.iter().all(|name| is_python_name(name))).ok_or_else(|| {
            format!("The arguments of '{name}' have to be a struct whose fields have names that Python can use.")
        })?;
        let returns = python_type(&schema::<R>());
        self.0.push(HostFunction {
            name,
            stub: format!("def {name}({signature}) -> {returns}: ..."),
            parameters,
            call: Box::new(move |arguments| {
                let running = serde_json::from_value(Value::Object(arguments)).map(&call);
                Box::pin(async move {
                    let running =
                        running.map_err(|error| HostError(format!("{name}(): {error}")))?;
                    let value = running.await?;
                    serde_json::value::to_raw_value(&value)
                        .map_err(|error| HostError(format!("{name}(): {error}")))
                })
            }),
        });
        Ok(self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The declarations that the type checker reads, and that can be shown to whoever writes code.
    pub fn stubs(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|function| function.stub.as_str())
    }

    /// Names with their declarations.
    pub(crate) fn declared(&self) -> Vec<(String, String)> {
        let declared = |function: &HostFunction| (function.name.to_owned(), function.stub.clone());
        self.0.iter().map(declared).collect()
    }

    /// Calls one, with what a worker sent.
    pub(crate) async fn call(
        &self,
        name: &str,
        args: &RawValue,
        kwargs: &RawValue,
    ) -> Result<Box<RawValue>, HostError> {
        let unreadable = |_| HostError::from("The arguments cannot be read.");
        let args: Vec<&RawValue> = serde_json::from_str(args.get()).map_err(unreadable)?;
        let kwargs: BTreeMap<String, &RawValue> =
            serde_json::from_str(kwargs.get()).map_err(unreadable)?;
        let Some(function) = self.0.iter().find(|function| function.name == name) else {
            return Err("There is no such function.".into());
        };
        if args.len() > function.parameters.len() {
            let (most, given) = (function.parameters.len(), args.len());
            return Err(format!("{name}() takes {most} arguments, not {given}.").into());
        }
        let named = function.parameters.iter().cloned().zip(args).chain(kwargs);
        let mut arguments = Map::new();
        for (parameter, value) in named {
            if !function.parameters.contains(&parameter) {
                return Err(format!("{name}() has no parameter of that name.").into());
            }
            let value = serde_json::from_str(value.get())
                .map_err(|error| HostError(format!("{name}(): {parameter}: {error}")))?;
            if arguments.contains_key(&parameter) {
                return Err(format!("{name}() was given '{parameter}' twice.").into());
            }
            arguments.insert(parameter, value);
        }
        (function.call)(arguments).await
    }
}

/// Whether Python can use this as the name of a function or parameter.
fn is_python_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !is_python_keyword(name)
}

/// Whether Python keeps the name for itself.
pub(crate) fn is_python_keyword(name: &str) -> bool {
    const KEYWORDS: &str = "False None True and as assert async await break class continue def del elif \
        else except finally for from global if import in is lambda nonlocal not or pass raise return try \
        while with yield";
    KEYWORDS.split_whitespace().any(|keyword| keyword == name)
}

fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The parameters of a Python function for a struct, and their names. Those without a default come
/// first, as Python demands.
fn signature<A: JsonSchema>() -> Option<(String, Vec<String>)> {
    let schema = schema::<A>();
    let none = Map::new();
    let properties = match schema.get("properties") {
        Some(properties) => properties.as_object()?,
        None if schema.get("type")? == "object" => &none,
        None => return None,
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let (mut names, mut parameters) = (Vec::new(), Vec::new());
    for optional in [false, true] {
        for (name, property) in properties {
            if required.contains(&name.as_str()) == optional {
                continue;
            }
            let kind = python_type(property);
            parameters.push(match (optional, property.get("default")) {
                (false, _) => format!("{name}: {kind}"),
                (true, None) if kind.ends_with("None") => format!("{name}: {kind} = None"),
                (true, _) => format!("{name}: {kind} = ..."),
            });
            names.push(name.clone());
        }
    }
    Some((parameters.join(", "), names))
}

/// The Python type of what a JSON Schema describes; `Any` where there is no telling.
fn python_type(schema: &Value) -> String {
    let any = || "Any".to_owned();
    if let Some(literals) = schema.get("enum").and_then(Value::as_array) {
        let strings: Option<Vec<_>> = literals.iter().map(Value::as_str).collect();
        return strings.map_or_else(any, |strings| {
            let quoted: Vec<_> = strings.iter().map(|text| format!("{text:?}")).collect();
            format!("Literal[{}]", quoted.join(", "))
        });
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(variants) = schema.get(keyword).and_then(Value::as_array) {
            return union(variants.iter().map(python_type));
        }
    }
    match schema.get("type") {
        Some(Value::String(kind)) => named_type(kind, schema),
        Some(Value::Array(kinds)) => union(
            kinds
                .iter()
                .filter_map(Value::as_str)
                .map(|kind| named_type(kind, schema)),
        ),
        _ => any(),
    }
}

fn named_type(kind: &str, schema: &Value) -> String {
    let of = |keyword| {
        schema
            .get(keyword)
            .map_or_else(|| "Any".to_owned(), python_type)
    };
    match kind {
        "string" => "str".into(),
        "integer" => "int".into(),
        "number" => "float".into(),
        "boolean" => "bool".into(),
        "null" => "None".into(),
        "array" => format!("list[{}]", of("items")),
        "object" if schema.get("properties").is_none() => {
            format!("dict[str, {}]", of("additionalProperties"))
        }
        "object" => "dict[str, Any]".into(),
        _ => "Any".into(),
    }
}

fn union(types: impl Iterator<Item = String>) -> String {
    let mut types: Vec<String> = types.collect();
    types.dedup();
    types.join(" | ")
}
