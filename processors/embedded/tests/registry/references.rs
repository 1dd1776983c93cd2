//! Schemas that use types of other subjects: registered, read, told of, and kept from being deleted.

use serde_json::{Value, json};

use crate::support::TestRegistry;

const ADDRESS: &str =
    r#"{"type":"record","name":"Address","namespace":"shop","fields":[{"name":"street","type":"string"}]}"#;
const CUSTOMER: &str =
    r#"{"type":"record","name":"Customer","namespace":"shop","fields":[{"name":"home","type":"Address"}]}"#;

fn to(name: &str, subject: &str, version: i64) -> Value {
    json!({"name": name, "subject": subject, "version": version})
}

fn draft(schema: &str, references: Value) -> Value {
    json!({"schema": schema, "schemaType": "AVRO", "references": references})
}

/// `address` and, referring to it, `customer`; their ids.
fn filled(registry: &TestRegistry) -> (u64, u64) {
    let address = registry.register("address", ADDRESS);
    let (status, body) = registry
        .post("/subjects/customer/versions", draft(CUSTOMER, json!([to("shop.Address", "address", 1)])));
    assert_eq!(status, 200, "{body}");
    (address, body["id"].as_u64().unwrap())
}

fn checks(registry: &TestRegistry, address: u64, customer: u64) {
    let references = json!([to("shop.Address", "address", 1)]);
    let (_, version) = registry.get("/subjects/customer/versions/latest");
    assert_eq!((&version["references"], version["id"].as_u64()), (&references, Some(customer)));
    let (_, by_id) = registry.get(&format!("/schemas/ids/{customer}"));
    assert_eq!(by_id, json!({"schema": CUSTOMER, "references": references}));
    assert_eq!(registry.get(&format!("/schemas/ids/{address}")).1, json!({"schema": ADDRESS}));
    assert_eq!(registry.get("/subjects/address/versions/1/referencedby"), (200, json!([customer])));
    assert_eq!(registry.get("/subjects/customer/versions/1/referencedby"), (200, json!([])));
    let found = registry.post("/subjects/customer", draft(CUSTOMER, references));
    assert_eq!((found.0, found.1["version"].as_u64()), (200, Some(1)), "{}", found.1);

    for path in ["/subjects/address", "/subjects/address/versions/1", "/subjects/address/versions/latest"] {
        let (status, refused) = registry.delete(path);
        assert_eq!((status, refused["error_code"].as_u64()), (422, Some(42206)), "{path}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains("subject=address,version=1"), "{refused}");
    }
}

#[test]
fn what_is_referred_to_is_found_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let registry = TestRegistry::on_disk(dir.path());
    let (address, customer) = filled(&registry);
    checks(&registry, address, customer);
    registry.shutdown();
    let registry = TestRegistry::on_disk(dir.path());
    checks(&registry, address, customer);

    // Deleted, but not for good, it may still be needed to read records: what it refers to can be hidden then, and not
    // removed.
    assert_eq!(registry.delete("/subjects/customer"), (200, json!([1])));
    assert_eq!(registry.get("/subjects/address/versions/1/referencedby"), (200, json!([])));
    assert_eq!(
        registry.get("/subjects/address/versions/1/referencedby?deleted=true"),
        (200, json!([customer]))
    );
    assert_eq!(registry.delete("/subjects/address"), (200, json!([1])));
    assert_eq!(registry.delete("/subjects/address?permanent=true").1["error_code"], 42206);
    assert_eq!(registry.get(&format!("/schemas/ids/{customer}")).0, 200);
    // Nothing new can refer to what is hidden.
    let again = registry.post("/subjects/c/versions", draft(CUSTOMER, json!([to("a", "address", 1)])));
    assert_eq!(again.1["error_code"], 42201);
    assert_eq!(registry.delete("/subjects/customer?permanent=true").0, 200);
    assert_eq!(registry.delete("/subjects/address?permanent=true").0, 200);
}

#[test]
fn types_come_from_all_that_is_referred_to() {
    let registry = TestRegistry::in_memory();
    filled(&registry);
    // A union of what is defined elsewhere, directly and by way of another; -1 is the latest.
    let order = r#"["null","shop.Customer","shop.Address"]"#;
    let (status, body) =
        registry.post("/subjects/order/versions", draft(order, json!([to("shop.Customer", "customer", -1)])));
    assert_eq!(status, 200, "{body}");
    let (_, found) = registry.get("/subjects/order/versions/1");
    assert_eq!(found["references"][0]["version"], 1);
    // Compatible or not is judged with them: the field's type is another one.
    let longer = ADDRESS.replace(r#""string"}"#, r#""string"},{"name":"zip","type":"int"}"#);
    registry.put("/config/address", json!({"compatibility": "NONE"}));
    registry.register("address", &longer);
    let newer = draft(CUSTOMER, json!([to("shop.Address", "address", 2)]));
    let (_, verdict) =
        registry.post("/compatibility/subjects/customer/versions/latest?verbose=true", newer.clone());
    assert_eq!(verdict["is_compatible"], false, "{verdict}");
    assert_eq!(registry.post("/subjects/customer/versions", newer).0, 409);
    // The same text with other references is another schema.
    registry.put("/config/customer", json!({"compatibility": "NONE"}));
    let newer = draft(CUSTOMER, json!([to("shop.Address", "address", 2)]));
    assert_eq!(registry.post("/subjects/customer", newer.clone()).1["error_code"], 40403);
    assert_eq!(registry.post("/subjects/customer/versions", newer).0, 200);
    assert_eq!(registry.get("/subjects/customer/versions"), (200, json!([1, 2])));
}

#[test]
fn references_that_lead_nowhere_or_twice_are_refused() {
    let registry = TestRegistry::in_memory();
    filled(&registry);
    registry.register("twin", ADDRESS);
    let own = r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"shop.Address","fields":[]}}]}"#;
    let cases = [
        (CUSTOMER, json!([]), "shop.Address"),
        (CUSTOMER, json!([to("shop.Address", "nowhere", 1)]), "nowhere"),
        (CUSTOMER, json!([to("shop.Address", "address", 9)]), "version 9"),
        (CUSTOMER, json!([to("shop.Address", "customer-not", 1)]), "customer-not"),
        (CUSTOMER, json!([{"name": "shop.Address"}]), "reference"),
        (CUSTOMER, json!([to("shop.Address", "address", 0)]), "version 0"),
        // Only -1 is the latest.
        (CUSTOMER, json!([to("shop.Address", "address", -2)]), "version -2"),
        // A name that is defined twice, here or there.
        (own, json!([to("shop.Address", "address", 1)]), "defined twice"),
    ];
    for (schema, references, says) in cases {
        let (status, refused) = registry.post("/subjects/new/versions", draft(schema, references));
        assert_eq!((status, refused["error_code"].as_u64()), (422, Some(42201)), "{refused}");
        assert!(refused["message"].as_str().unwrap().contains(says), "{says}: {refused}");
    }
    // The same definition by two ways is one.
    let both = json!([to("shop.Address", "address", 1), to("shop.Address", "twin", 1)]);
    assert_eq!(registry.post("/subjects/new/versions", draft(CUSTOMER, both)).0, 200);
}

/// The classes that Avro generates have one text for everything, and ask with that for what was registered in parts.
#[test]
fn a_schema_is_found_by_its_text_with_everything_written_out() {
    let registry = TestRegistry::in_memory();
    let (_, customer) = filled(&registry);
    let whole = CUSTOMER.replace(r#""Address""#, ADDRESS);
    let (status, found) = registry.post("/subjects/customer", draft(&whole, json!([])));
    assert_eq!(
        (status, found["id"].as_u64(), found["version"].as_u64()),
        (200, Some(customer), Some(1)),
        "{found}"
    );
    assert_eq!(found["references"], json!([to("shop.Address", "address", 1)]), "{found}");
    assert_eq!(found["schema"], CUSTOMER, "{found}");
    // It is no new version either, there; elsewhere it is one of its own.
    assert_eq!(
        registry.post("/subjects/customer/versions", draft(&whole, json!([]))),
        (200, json!({"id": customer}))
    );
    assert_eq!(registry.get("/subjects/customer/versions"), (200, json!([1])));
    let other = whole.replace("street", "road");
    assert_eq!(registry.post("/subjects/customer", draft(&other, json!([]))).1["error_code"], 40403);
    assert_ne!(registry.register("elsewhere", &whole), customer);
    // As registered without references it is found as that.
    let (_, own) = registry.post("/subjects/elsewhere", draft(&whole, json!([])));
    assert_eq!(own.get("references"), None, "{own}");
}

/// In the order in which Confluent's registry looks: what refers to it comes before whether it was deleted before.
#[test]
fn what_is_asked_of_versions_is_answered_with_confluents_codes() {
    let registry = TestRegistry::in_memory();
    filled(&registry);
    for (method, path, code) in [
        ("GET", "/subjects/nowhere/versions/1/referencedby", 40401),
        ("GET", "/subjects/address/versions/7/referencedby", 40402),
        ("GET", "/subjects/address/versions/zero/referencedby", 42202),
        ("DELETE", "/subjects/address/versions/1", 42206),
        ("DELETE", "/subjects/address/versions/1?permanent=true", 42206),
        ("DELETE", "/subjects/address?permanent=true", 42206),
        ("DELETE", "/subjects/customer/versions/1?permanent=true", 40407),
        ("DELETE", "/subjects/customer?permanent=true", 40405),
    ] {
        let (status, refused) = if method == "GET" { registry.get(path) } else { registry.delete(path) };
        let said = (u64::from(status), refused["error_code"].as_u64());
        assert_eq!(said, (code / 100, Some(code)), "{method} {path}: {refused}");
    }
}

/// "Deletes the specified subject and its associated compatibility level", as Confluent's documentation has it.
#[test]
fn a_deleted_subject_has_no_level_of_its_own_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let registry = TestRegistry::on_disk(dir.path());
    registry.register("s", ADDRESS);
    registry.put("/config/s", json!({"compatibility": "FULL"}));
    registry.put("/mode/s", json!({"mode": "READWRITE"}));
    assert_eq!(registry.delete("/subjects/s/versions/1").0, 200);
    assert_eq!(registry.get("/config/s").0, 200, "the subject itself was not deleted");
    registry.register("s", ADDRESS);
    assert_eq!(registry.delete("/subjects/s").0, 200);
    registry.shutdown();
    let registry = TestRegistry::on_disk(dir.path());
    assert_eq!(registry.get("/config/s").1["error_code"], 40408);
    assert_eq!(registry.get("/mode/s").1["error_code"], 40409);
}

#[test]
fn a_schema_is_kept_in_one_spelling_on_request() {
    let registry = TestRegistry::in_memory();
    let loose = r#"{ "name": "R", "namespace": "a", "type": "record", "fields": [ {"type": {"type": "int"}, "name": "f"} ] }"#;
    let id = registry.post("/subjects/loose/versions", json!({"schema": loose})).1["id"].clone();
    assert_eq!(registry.get("/subjects/loose/versions/1").1["schema"], loose);
    let other = loose.replace("\"R\"", "\"S\"");
    registry.post("/subjects/tidy/versions?normalize=true", json!({"schema": other}));
    let tidy = r#"{"fields":[{"name":"f","type":"int"}],"name":"a.S","type":"record"}"#;
    assert_eq!(registry.get("/subjects/tidy/versions/1").1["schema"], tidy);
    let found = registry.post("/subjects/loose?normalize=true", json!({"schema": loose.replace(' ', "")}));
    assert_eq!(found.1["id"], id);
}

#[test]
fn what_is_not_done_is_not_passed_over() {
    let registry = TestRegistry::in_memory();
    let rules = json!({"domainRules": [{"name": "r"}]});
    for body in [
        json!({"schema": "\"int\"", "ruleSet": rules}),
        json!({"schema": "\"int\"", "metadata": {"properties": {"owner": "x"}}}),
    ] {
        assert_eq!(registry.post("/subjects/s/versions", body).0, 422);
    }
    let quiet = json!({"schema": "\"int\"", "ruleSet": null, "metadata": {}, "references": []});
    assert_eq!(registry.post("/subjects/s/versions", quiet).0, 200);
    let (status, refused) = registry.put("/config", json!({"compatibility": "FULL", "normalize": true}));
    assert_eq!(status, 422);
    assert!(refused["message"].as_str().unwrap().contains("normalize"), "{refused}");
    assert_eq!(
        registry.put("/config", json!({"compatibility": "FULL", "normalize": false, "alias": null})).0,
        200
    );
}
