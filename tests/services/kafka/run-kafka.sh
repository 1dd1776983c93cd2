#!/usr/bin/env bash
# Runs one Apache Kafka broker (KRaft, broker and controller in one) in the foreground.
#   LIB=JAR_FOLDER [JAVA=java] run-kafka.sh DATA_DIR PORT CONTROLLER_PORT
# Ready when the port answers ApiVersions. KAFKA_PROPERTIES holds further lines for server.properties.
# With KAFKA_SECURED_PORT it serves there as well, with SASL_SSL; KAFKA_SCRAM is a user in the words of kafka-storage.
set -euo pipefail
data=$1 port=$2 controller=$3 java=${JAVA:-java} cp="$LIB/*"
secured=${KAFKA_SECURED_PORT:-}
mkdir -p "$data"
cat >"$data/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller${secured:+,SECURED://127.0.0.1:$secured}
advertised.listeners=PLAINTEXT://127.0.0.1:$port${secured:+,SECURED://localhost:$secured}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
log.dirs=$data/log
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
# one broker: internal topics can have one copy only
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
${KAFKA_PROPERTIES:-}
EOF
cat >"$data/log4j2.properties" <<'EOF'
rootLogger.level=WARN
appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1} %m%n
rootLogger.appenderRef.c.ref=C
EOF
if [ ! -f "$data/log/meta.properties" ]; then
  # 16 random bytes in URL-safe base64, as Kafka's own tool makes them: asking the tool costs a JVM start.
  # The fixed first letter keeps a leading dash from being read as an option.
  id=M$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)
  "$java" -cp "$cp" kafka.tools.StorageTool format -t "$id" -c "$data/server.properties" \
    ${KAFKA_SCRAM:+--add-scram "$KAFKA_SCRAM"} >/dev/null
fi
exec "$java" -Xmx"${KAFKA_HEAP:-768m}" -Dlog4j2.configurationFile="$data/log4j2.properties" \
  -cp "$cp" kafka.Kafka "$data/server.properties"
