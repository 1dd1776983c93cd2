//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_configs_request::AlterConfigsRequest;
use kafka_protocol::messages::alter_configs_response as altered;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::incremental_alter_configs_response as incremented;
use kafka_protocol::protocol::StrBytes;

use crate::broker::config::{Kind, SETTINGS, setting};
use crate::broker::core::{Core, NODE_ID};
use crate::broker::topics::{Refused, unknown_topic};
use crate::broker::util::text;

/// The value was set on the topic.
pub(crate) const SOURCE_TOPIC: i8 = 1;
/// The value was set when the broker was started.
const SOURCE_BROKER: i8 = 4;
/// Nobody set the value.
pub(crate) const SOURCE_DEFAULT: i8 = 5;

const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;

const TYPE_BOOLEAN: i8 = 1;
const TYPE_STRING: i8 = 2;
const TYPE_LONG: i8 = 5;
const TYPE_DOUBLE: i8 = 6;
const TYPE_LIST: i8 = 7;

fn config_type(kind: Kind) -> i8 {
    match kind {
        Kind::Long { .. } => TYPE_LONG,
        Kind::Choice(_) | Kind::Only(_) => TYPE_STRING,
        Kind::List(_) => TYPE_LIST,
        Kind::Ratio => TYPE_DOUBLE,
        Kind::Flag => TYPE_BOOLEAN,
    }
}

/// Describes topics and the broker.
pub(crate) fn describe(core: &Arc<Core>, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let mut response = DescribeConfigsResponse::default();
    for resource in request.resources {
        let mut result = DescribeConfigsResult::default();
        result.resource_type = resource.resource_type;
        let keys = resource.configuration_keys.as_deref();
        match describe_one(core, resource.resource_type, &resource.resource_name) {
            Ok(mut configs) => {
                if let Some(keys) = keys {
                    configs.retain(|config| keys.contains(&config.name));
                }
                result.configs = configs;
            }
            Err(refused) => {
                result.error_code = refused.error.code();
                result.error_message = Some(text(refused.message));
            }
        }
        result.resource_name = resource.resource_name;
        response.results.push(result);
    }
    response
}

fn describe_one(
    core: &Core,
    resource_type: i8,
    name: &str,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    match resource_type {
        RESOURCE_TOPIC => {
            let topic = core.topics.get(name).ok_or_else(|| unknown_topic(name))?;
            let described = SETTINGS.iter().map(|setting| {
                let own = topic.overrides.get(setting.name);
                let mut config = DescribeConfigsResourceResult::default();
                config.name = text(setting.name);
                config.value = Some(text(own.map_or(setting.default, String::as_str)));
                config.config_source = if own.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT };
                config.config_type = config_type(setting.kind);
                config
            });
            Ok(described.collect())
        }
        RESOURCE_BROKER if name.is_empty() || name == NODE_ID.to_string() => Ok(broker_configs(core)),
        RESOURCE_BROKER => {
            let message = format!("there is only broker {NODE_ID}");
            Err(Refused::new(ResponseError::InvalidRequest, message))
        }
        _ => {
            let message = "only topics and brokers have settings here";
            Err(Refused::new(ResponseError::InvalidRequest, message))
        }
    }
}

fn broker_configs(core: &Core) -> Vec<DescribeConfigsResourceResult> {
    let config = &core.config;
    let millis = |duration: std::time::Duration| duration.as_millis().to_string();
    let values = [
        ("broker.id", NODE_ID.to_string()),
        ("auto.create.topics.enable", config.auto_create_topics.to_string()),
        ("num.partitions", config.default_partitions.to_string()),
        ("default.replication.factor", "1".to_owned()),
        ("socket.request.max.bytes", config.max_request_bytes.to_string()),
        ("max.connections", config.limits.connections.to_string()),
        ("connections.max.idle.ms", millis(config.limits.idle)),
        ("queued.max.request.bytes", config.limits.bytes_in_flight.to_string()),
        ("group.initial.rebalance.delay.ms", millis(config.initial_rebalance_delay)),
        ("group.min.session.timeout.ms", millis(config.min_session_timeout)),
        ("group.max.session.timeout.ms", millis(config.max_session_timeout)),
        ("offsets.retention.minutes", (config.offsets_retention.as_secs() / 60).to_string()),
        ("offsets.retention.check.interval.ms", millis(config.offsets_check_interval)),
        ("transaction.max.timeout.ms", millis(config.max_transaction_timeout)),
    ];
    let described = values.into_iter().map(|(name, value)| {
        let mut config = DescribeConfigsResourceResult::default();
        config.name = text(name);
        config.value = Some(text(value));
        config.read_only = true;
        config.config_source = SOURCE_BROKER;
        config.config_type = TYPE_STRING;
        config
    });
    described.collect()
}

fn only_topics(resource_type: i8) -> Result<(), Refused> {
    if resource_type == RESOURCE_TOPIC {
        return Ok(());
    }
    let message = "only the settings of topics can be changed while the broker runs";
    Err(Refused::new(ResponseError::InvalidRequest, message))
}

fn parts(result: Result<(), Refused>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(()) => (0, None),
        Err(refused) => (refused.error.code(), Some(text(refused.message))),
    }
}

/// Replaces all settings of topics.
pub(crate) async fn alter(core: &Arc<Core>, request: AlterConfigsRequest) -> altered::AlterConfigsResponse {
    let mut response = altered::AlterConfigsResponse::default();
    for resource in request.resources {
        let new: BTreeMap<String, String> = resource
            .configs
            .iter()
            .filter_map(|c| Some((c.name.to_string(), c.value.as_ref()?.to_string())))
            .collect();
        let change = |overrides: &mut BTreeMap<String, String>| {
            *overrides = new;
            Ok(())
        };
        let result = only_topics(resource.resource_type)
            .and_then(|()| core.topics.configure(&resource.resource_name, change, request.validate_only));
        let mut answer = altered::AlterConfigsResourceResponse::default();
        (answer.error_code, answer.error_message) = parts(result);
        answer.resource_type = resource.resource_type;
        answer.resource_name = resource.resource_name;
        response.responses.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        for answer in &mut response.responses {
            answer.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

/// Changes single settings of topics.
pub(crate) async fn incremental_alter(
    core: &Arc<Core>,
    request: incremental::IncrementalAlterConfigsRequest,
) -> incremented::IncrementalAlterConfigsResponse {
    let mut response = incremented::IncrementalAlterConfigsResponse::default();
    for resource in request.resources {
        let change = |overrides: &mut BTreeMap<String, String>| {
            resource.configs.iter().try_for_each(|config| apply(overrides, config))
        };
        let result = only_topics(resource.resource_type)
            .and_then(|()| core.topics.configure(&resource.resource_name, change, request.validate_only));
        let mut answer = incremented::AlterConfigsResourceResponse::default();
        (answer.error_code, answer.error_message) = parts(result);
        answer.resource_type = resource.resource_type;
        answer.resource_name = resource.resource_name;
        response.responses.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        for answer in &mut response.responses {
            answer.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

fn apply(
    overrides: &mut BTreeMap<String, String>,
    config: &incremental::AlterableConfig,
) -> Result<(), Refused> {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    const APPEND: i8 = 2;
    const SUBTRACT: i8 = 3;
    let name = config.name.to_string();
    let value = config.value.as_ref().map(|value| value.to_string());
    match (config.config_operation, value) {
        (DELETE, _) => {
            overrides.remove(&name);
        }
        (SET, Some(value)) => {
            overrides.insert(name, value);
        }
        (operation @ (APPEND | SUBTRACT), Some(value)) => {
            let known = setting(&name).filter(|s| matches!(s.kind, Kind::List(_)));
            let Some(known) = known else {
                let message = format!("'{name}' is not a list");
                return Err(Refused::new(ResponseError::InvalidConfig, message));
            };
            let current = overrides.get(&name).map_or(known.default, String::as_str);
            let mut items: Vec<&str> = current.split(',').filter(|item| !item.is_empty()).collect();
            for item in value.split(',') {
                items.retain(|known| *known != item);
                if operation == APPEND {
                    items.push(item);
                }
            }
            let joined = items.join(",");
            overrides.insert(name, joined);
        }
        (_, None) => {
            let message = format!("'{name}' has no value");
            return Err(Refused::new(ResponseError::InvalidConfig, message));
        }
        (other, _) => {
            let message = format!("{other} is not an operation");
            return Err(Refused::new(ResponseError::InvalidRequest, message));
        }
    }
    Ok(())
}
