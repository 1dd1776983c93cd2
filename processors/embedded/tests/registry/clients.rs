//! The clients people use work with it unchanged.

use std::path::Path;
use std::process::Command;

use apache_avro::types::Value;
use schema_registry_converter::blocking::avro::{AvroDecoder, AvroEncoder};
use schema_registry_converter::blocking::schema_registry::{
    SrSettings, get_all_subjects, get_all_versions, get_schema_by_id, get_schema_by_subject,
    is_compatible_schema, post_schema,
};
use schema_registry_converter::schema_registry_common::{
    RawError, SchemaType, SubjectNameStrategy, SuppliedSchema,
};

use crate::support::{TestRegistry, record};

fn supplied(schema: &str) -> SuppliedSchema {
    SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned())
}

#[test]
fn the_rust_converter_registers_encodes_and_decodes() {
    let registry = TestRegistry::in_memory();
    let settings = SrSettings::new_builder(registry.url()).no_proxy().build().unwrap();
    let schema = record(r#"{"name":"a","type":"int"}"#);
    let registered = post_schema(&settings, "t-value".to_owned(), supplied(&schema)).unwrap();
    let by_id = get_schema_by_id(registered.id, &settings).unwrap();
    assert_eq!(by_id.schema, schema);
    let strategy = SubjectNameStrategy::TopicNameStrategy("t".to_owned(), false);
    assert_eq!(get_schema_by_subject(&settings, &strategy).unwrap().id, registered.id);
    assert_eq!(get_all_subjects(&settings).unwrap(), ["t-value"]);
    assert_eq!(get_all_versions(&settings, "t-value".to_owned()).unwrap(), [1]);
    assert!(is_compatible_schema(&settings, "t-value".to_owned(), supplied(&schema)).unwrap());
    assert!(!is_compatible_schema(&settings, "t-value".to_owned(), supplied("\"int\"")).unwrap());

    let encoder = AvroEncoder::new(settings.clone());
    let bytes = encoder.encode(vec![("a", Value::Int(7))], &strategy).unwrap();
    assert_eq!(bytes[..5], [&[0][..], &registered.id.to_be_bytes()].concat());
    let decoded = AvroDecoder::new(settings.clone()).decode(Some(&bytes)).unwrap();
    assert!(format!("{:?}", decoded.value).contains("Int(7)"), "{:?}", decoded.value);

    let error = post_schema(&settings, "t-value".to_owned(), supplied("\"int\"")).unwrap_err();
    let raw = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<RawError>());
    assert_eq!(raw.map(|raw| raw.error_code), Some(409), "{error:?}");
}

#[test]
fn the_python_client_works() {
    let registry = TestRegistry::in_memory();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/client.py");
    let output = Command::new(millrace_services::python_env().unwrap())
        .arg(script)
        .arg(registry.url())
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
