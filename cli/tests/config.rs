//! Configuration: layers, origins, refusals, and the manual.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::fs;
use std::path::Path;

use common::Place;
use millrace::config::ranges::RANGES;
use serde_json::Value;

/// `key → (value, origin)` of `millrace config --json`.
fn config(place: &Place, flags: &[&str], environment: &[(&str, &str)], key: &str) -> (Value, String) {
    let ran = place.run_with(&[&["config", "--json"], flags].concat(), environment).is(0, &[]);
    let line = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["key"] == key)
        .unwrap_or_else(|| panic!("{key} is missing in {}", ran.stdout));
    (line["value"].clone(), line["origin"].as_str().unwrap().to_owned())
}

#[test]
fn a_later_layer_wins_and_says_so() {
    let place =
        Place::with("kafka = \"file:1\"\n[processor]\nbatch_max_records = 7\n[chirp]\ntimeline_cap = 9\n");
    let empty = Place::new();
    let value = |text: &str| Value::from(text);
    assert_eq!(config(&empty, &[], &[], "kafka"), (value("localhost:9092"), "default".to_owned()));
    assert_eq!(config(&place, &[], &[], "kafka"), (value("file:1"), "millrace.toml".to_owned()));
    let environment = [("MILLRACE_KAFKA", "env:1"), ("MILLRACE_PROCESSOR_BATCH_MAX_RECORDS", "8")];
    let origin = "environment MILLRACE_KAFKA".to_owned();
    assert_eq!(config(&place, &[], &environment, "kafka"), (value("env:1"), origin));
    let flag = config(&place, &["--kafka", "flag:1"], &environment, "kafka");
    assert_eq!(flag, (value("flag:1"), "--kafka".to_owned()));
    let origin = "environment MILLRACE_PROCESSOR_BATCH_MAX_RECORDS".to_owned();
    let records = config(&place, &[], &environment, "processor.batch_max_records");
    assert_eq!(records, (Value::from(8), origin), "a number is told from its default like a text");
    assert_eq!(config(&place, &[], &[], "chirp.timeline_cap"), (Value::from(9), "millrace.toml".to_owned()));
}

#[test]
fn properties_of_the_kafka_client_come_from_everywhere_and_secrets_are_not_shown() {
    let place =
        Place::with("[kafka_client]\n\"security.protocol\" = \"SASL_SSL\"\n\"sasl.password\" = \"s3cret\"\n");
    let key = "kafka_client.\"security.protocol\"";
    assert_eq!(config(&place, &[], &[], key).0, Value::from("SASL_SSL"));
    let flags = ["--set-kafka", "security.protocol=SSL"];
    assert_eq!(config(&place, &flags, &[], key), (Value::from("SSL"), "--set-kafka".to_owned()));
    let environment = [("MILLRACE_KAFKA_CLIENT_SECURITY_PROTOCOL", "PLAINTEXT")];
    assert_eq!(config(&place, &[], &environment, key).0, Value::from("PLAINTEXT"));
    let shown = place.run(&["config"]).is(0, &["sasl.password"]);
    assert!(!shown.stdout.contains("s3cret"));
    place.run(&["config", "--set-kafka", "sasl.password=x"]).is(2, &["MILLRACE_KAFKA_CLIENT_SASL_PASSWORD"]);
    place.run(&["config", "--set-kafka", "nonsense"]).is(2, &["KEY=VALUE"]);
}

/// Everywhere a value may be repeated: where it is shown, and where something is wrong with it or near it.
#[test]
fn no_secret_is_repeated_whatever_is_wrong_with_it() {
    const SECRET: &str = "73195500";
    let in_file = [
        "[kafka_client]\n\"sasl.oauthbearer.config\" = \"73195500\"",
        "[kafka_client]\n\"sasl.oauthbearer.assertion.private.key.passphrase\" = \"73195500\"",
        "[kafka_client]\n\"sasl.pasword\" = \"73195500\"",
        "[kafka_client]\nsasl.password = \"73195500\"",
        "[kafka_client]\n\"sasl.password\" = 73195500",
        "[security]\nregistry_user = \"u\"\nregistry_password = \"73195500\"",
        "[security]\nregistry_password = 73195500",
        "[security]\nregistry_password = \"73195500",
        "[security]\nregistry_password = 73195500x",
        "registry = \"http://ann:73195500@h:8081\"",
        "registry = \"http://ann:73195500@h:8081/a?b\"",
        "registry = \"http://ann:7/73195500@h:8081\"",
        "registry = \"ann:73195500@h:8081\"",
        "registry = \"http://ann:73195500@h:8081\"\n[security]\nregistry_password = \"x\"",
        "registry = \"http://ann:73195500@\"",
        "[telemetry]\notlp_endpoint = \"http://ann:73195500@h:x\"",
        "kafka = \"SASL_SSL://ann:73195500@h:1\"",
    ];
    for settings in in_file {
        let place = Place::with(&format!("{settings}\n"));
        for call in [&["config"][..], &["config", "--json"], &["schemas", "check"], &["status"]] {
            let ran = place.run(call);
            assert!(
                !format!("{}{}", ran.stdout, ran.stderr).contains(SECRET),
                "{settings}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
    }
    let place = Place::new();
    for (name, value) in [
        ("MILLRACE_REGISTRY", "http://ann:73195500@h:8081"),
        ("MILLRACE_SECURITY_REGISTRY_PASSWORD", SECRET),
        ("MILLRACE_KAFKA_CLIENT_SSL_KEY_PASSWORD", SECRET),
        ("MILLRACE_HEALTH_PORT", "http://ann:73195500@h"),
    ] {
        for call in [&["config"][..], &["config", "--json"], &["schemas", "check"]] {
            let ran = place.run_with(call, &[(name, value)]);
            assert!(
                !format!("{}{}", ran.stdout, ran.stderr).contains(SECRET),
                "{name}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
    }
    place.run(&["config", "--set-kafka", "sasl.oauthbearer.config=x"]).is(2, &["seen by every user"]);
    let ran = place
        .run(&["config", "--registry", "http://ann:73195500@h"])
        .is(2, &["--registry", "MILLRACE_REGISTRY"]);
    assert!(!ran.stderr.contains(SECRET));
}

#[test]
fn a_login_in_the_url_of_the_registry_is_one_and_not_two() {
    let url = "registry = \"http://ann:x@h:8081/p\"\n";
    let place = Place::with(url);
    assert_eq!(config(&place, &[], &[], "registry").0, Value::from("http://ann:********@h:8081/p"));
    for key in ["registry_user", "registry_password", "registry_password_file"] {
        let twice = Place::with(&format!("{url}[security]\n{key} = \"y\"\n"));
        twice.run(&["config"]).is(2, &["the URL of the registry", &format!("security.{key}"), "Keep one"]);
    }
    // the user there, the password elsewhere
    Place::with("registry = \"http://ann@h:1\"\n[security]\nregistry_password = \"y\"\n")
        .run(&["config"])
        .is(0, &[]);
}

#[test]
fn a_file_that_is_only_there_loads_no_code() {
    for (property, variable) in [
        ("plugin.library.paths", "MILLRACE_KAFKA_CLIENT_PLUGIN_LIBRARY_PATHS"),
        ("ssl.engine.location", "MILLRACE_KAFKA_CLIENT_SSL_ENGINE_LOCATION"),
        ("ssl.providers", "MILLRACE_KAFKA_CLIENT_SSL_PROVIDERS"),
        ("sasl.kerberos.kinit.cmd", "MILLRACE_KAFKA_CLIENT_SASL_KERBEROS_KINIT_CMD"),
    ] {
        for written in [format!("\"{property}\""), property.to_owned()] {
            let place = Place::with(&format!("[kafka_client]\n{written} = \"./evil\"\n"));
            place.run(&["config"]).is(2, &[property, "current folder", "--config millrace.toml", variable]);
        }
        let place = Place::with(&format!("[kafka_client]\n\"{property}\" = \"./meant\"\n"));
        place.run(&["config", "--config", "millrace.toml"]).is(0, &[property]);
        let place = Place::new();
        place.run_with(&["config"], &[(variable, "./meant")]).is(0, &[property]);
    }
    Place::new().run(&["config", "--set-kafka", "plugin.library.paths=./meant"]).is(0, &["./meant"]);
}

/// What is set and would have no effect, while somebody relies on it.
#[test]
fn half_a_login_and_certificates_without_encryption_are_refused() {
    let rows: [(&str, &[&str], &[&str]); 7] = [
        (
            "[security]\nregistry_password = \"x\"",
            &["schemas", "check"],
            &["security.registry_user is not set"],
        ),
        (
            "[security]\nregistry_user = \"u\"\nregistry_password = \"x\"\nregistry_password_file = \"f\"",
            &["schemas", "check"],
            &["security.registry_password", "security.registry_password_file", "both set", "millrace.toml"],
        ),
        (
            "[security]\nregistry_user = \"u\"\nregistry_password_file = \"none\"",
            &["schemas", "check"],
            &["security.registry_password_file, from millrace.toml: none: No such file"],
        ),
        ("[registry_client]\ntls_ca_file = \"f\"", &["schemas", "check"], &["registry_client.tls_", "https"]),
        (
            "[cql_client]\ntls_ca_file = \"f\"",
            &["tables", "plan"],
            &["cql_client.tls_", "cql_client.tls is false"],
        ),
        ("[security]\ncql_password = \"x\"", &["tables", "plan"], &["security.cql_user is not set"]),
        (
            "[security]\nkafka_password_file = \"f\"\n[kafka_client]\n\"sasl.password\" = \"x\"",
            &["topics", "plan"],
            &["security.kafka_password_file", "sasl.password", "twice"],
        ),
    ];
    // whoever listens, so that it comes to the settings
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    for (settings, call, words) in rows {
        let place = Place::with(&format!("{settings}\n"));
        fs::write(place.path().join("f"), "x\n").unwrap();
        let registry = format!("http://{address}");
        let servers = ["--kafka", &address, "--registry", &registry, "--cql", &address];
        let ran = place.run(&[call, &servers].concat());
        assert_ne!(ran.code, Some(0));
        for word in words {
            assert!(ran.stderr.contains(word), "{word} is missing in {}", ran.stderr);
        }
    }
}

#[test]
fn what_is_no_setting_is_refused_with_the_nearest() {
    let rows = [
        ("kafak = \"x\"", "kafak is not a setting; did you mean kafka?"),
        ("[procesor]\nbatch_max_records = 1", "procesor is not a setting; did you mean processor?"),
        ("[processor]\nbatch_max_record = 1", "did you mean batch_max_records?"),
        ("[chirp]\ncelebrity_over = 1", "chirp.celebrity_over is not a setting"),
        ("processor = 1", "write [processor]"),
        ("[kafka]\nhosts = 1", "kafka is a value"),
    ];
    for (settings, message) in rows {
        Place::with(settings).run(&["config"]).is(2, &[message, "millrace.toml"]);
    }
    let place = Place::new();
    place.run_with(&["config"], &[("MILLRACE_KAKFA", "x")]).is(2, &["did you mean MILLRACE_KAFKA?"]);
    let others =
        [("MILLRACE_TEST_KAFKA", "x"), ("MILLRACE_SERVICE_HOST", "10.0.0.1"), ("MILLRACE_PORT_80_TCP", "x")];
    place.run_with(&["config"], &others).is(0, &[]);
}

#[test]
fn durations_that_no_clock_can_count_are_refused() {
    let place = Place::new();
    let shown = place.run(&["config", "--json"]).is(0, &[]).stdout;
    let keys: Vec<String> = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned())
        .filter(|key| key.ends_with("_ms") || key.ends_with("_seconds"))
        .collect();
    assert!(keys.len() >= 10, "{keys:?}");
    for key in &keys {
        let name = format!("MILLRACE_{}", key.to_uppercase().replace('.', "_"));
        let huge = u64::MAX.to_string();
        place.run_with(&["config"], &[(&name, &huge)]).is(2, &[key]);
        let (section, name) = key.split_once('.').unwrap();
        // the greatest that TOML has
        let set = Place::with(&format!("[{section}]\n{name} = 9223372036854775807\n"));
        set.run(&["config"]).is(2, &[key, "millrace.toml"]);
    }
    let huge = u64::MAX.to_string();
    let flags: [&[&str]; 3] =
        [&["send", "PostChirp", "--timeout"], &["load", "x", "--timeout"], &["status", "--watch", "--every"]];
    for call in flags {
        place.run(&[call, &[&huge]].concat()).is(2, &[call[call.len() - 1], "3155760000"]);
    }
}

#[test]
fn every_number_has_its_range_and_says_where_it_came_from() {
    let place = Place::new();
    let shown = place.run(&["config", "--json"]).is(0, &[]).stdout;
    let domains = ["chirp.", "accounting."];
    let numbers: Vec<String> = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|it| it["value"].is_u64())
        .map(|it| it["key"].as_str().unwrap().to_owned())
        .filter(|key| !domains.iter().any(|domain| key.starts_with(domain)))
        .collect();
    let ranges: Vec<&str> = RANGES.iter().map(|(key, ..)| *key).collect();
    let mut sorted = numbers.clone();
    sorted.sort();
    assert_eq!(sorted, ranges, "what is the least and the most of a new one?");
    for (key, least, most, _) in RANGES {
        let name = format!("MILLRACE_{}", key.to_uppercase().replace('.', "_"));
        let origin = format!("environment {name}");
        let mut refused = Vec::new();
        refused.extend(least.checked_sub(1));
        // what its type takes is its type's to say
        refused.extend(most.checked_add(1).filter(|_| ![255, 65_535, u64::from(u32::MAX)].contains(&most)));
        for value in refused {
            place
                .run_with(&["config"], &[(&name, &value.to_string())])
                .is(2, &[key, &origin, &value.to_string()]);
        }
        if least > 0 {
            let (section, name) = key.split_once('.').unwrap();
            let file = Place::with(&format!("[{section}]\n{name} = 0\n"));
            file.run(&["config"]).is(2, &[key, "millrace.toml"]);
        }
        place.run_with(&["config"], &[(&name, &least.to_string())]).is(0, &[]);
    }
}

#[test]
fn a_gap_that_is_none_is_refused() {
    let name = "MILLRACE_PROCESSOR_ACCEPTED_GAPS";
    let place = Place::new();
    for wrong in ["foo", "accounting.commands[2]", "accounting.commands[2]:17-40, 3"] {
        let ran = place.run_with(&["config"], &[(name, wrong)]);
        ran.is(2, &["processor.accepted_gaps", name, "accounting.commands[2]:17-40"]);
    }
    for right in ["", "accounting.commands[2]:17-40", "a.b[0]:1-2, a.b[1]:41-0,"] {
        place.run_with(&["config"], &[(name, right)]).is(0, &[]);
    }
}

#[test]
fn values_of_the_wrong_kind_are_refused_with_their_place() {
    let rows = [
        ("[processor]\nbatch_max_records = \"many\"", vec!["processor.batch_max_records", "millrace.toml"]),
        ("kafka = ", vec!["millrace.toml"]),
        ("log_format = \"xml\"", vec!["log_format", "xml"]),
        ("cql = \"a\"\nsqlite = \"b\"", vec!["cql is set by", "sqlite by"]),
        ("[chirp]\ncelebrity_above = 10\ncelebrity_below = 20", vec!["celebrity_below", "celebrity_above"]),
    ];
    for (settings, words) in rows {
        Place::with(settings).run(&["config"]).is(2, &words);
    }
    let place = Place::new();
    place.run_with(&["config"], &[("MILLRACE_HEALTH_PORT", "x")]).is(2, &["MILLRACE_HEALTH_PORT", "\"x\""]);
    place.run(&["config", "--health-port", "x"]).is(2, &["--health-port"]);
    place.run(&["config", "--config", "none.toml"]).is(2, &["none.toml"]);
    Place::with("log = \"=\"").run(&["status"]).is(2, &["log"]);
}

#[test]
fn a_running_up_is_found_and_anything_said_by_hand_is_stronger() {
    let place = Place::new();
    let data = place.path().join("millrace-data");
    fs::create_dir(&data).unwrap();
    let text = format!(
        "kafka = \"127.0.0.1:1\"\nregistry = \"http://127.0.0.1:2\"\nsqlite = \"{0}\"\ndata = \"{0}\"\npid = 1\n",
        data.display()
    );
    fs::write(data.join("up.toml"), text).unwrap();
    let (value, origin) = config(&place, &[], &[], "kafka");
    assert_eq!(value, Value::from("127.0.0.1:1"));
    assert!(origin.starts_with("millrace up ("), "{origin}");
    assert_eq!(config(&place, &["--kafka", "h:1"], &[], "registry").1, "default");
    place.run(&["status"]).is(1, &["127.0.0.1:1", "is it running?", "--kafka"]);
}

#[test]
fn the_manual_is_the_file_in_docs() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md"));
    let rendered = Place::new().run(&["config", "--explain"]).is(0, &[]).stdout;
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(rendered == there, "docs/configuration.md is not what the settings say; run `make docs`");
    for key in
        ["`kafka`", "`processor.batch_max_records`", "`chirp.timeline_cap`", "`up.data`", "`--health-port`"]
    {
        assert!(rendered.contains(key), "{key} is missing");
    }
}
