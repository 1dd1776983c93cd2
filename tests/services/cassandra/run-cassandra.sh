#!/bin/sh
# Runs one Apache Cassandra node, the CQL server of the tests, in the foreground.
#   LIB=JAR_FOLDER [JAVA=java, 17] [CASS_CONF=FILE] run-cassandra.sh DATA_DIR NATIVE_PORT STORAGE_PORT
# Ready when the native port answers OPTIONS. Cassandra stands in for ScyllaDB, which is not to be had as a
# plain download: the tables keep to what both know.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
data=$1; native=$2; storage=$3
mkdir -p "$data/log" "$data/tmp"
# a sorted, explicit class path: the order of a wildcard is the file system's
cp=$(ls "$LIB"/*.jar | LC_ALL=C sort | tr '\n' ':'); cp=${cp%:}
exec "${JAVA:-java}" \
  -Xms${CASS_XMS:-128m} -Xmx${CASS_HEAP:-768m} -Xss256k \
  ${CASS_JVM:--XX:+UseSerialGC -XX:TieredStopAtLevel=1} \
  -XX:+PerfDisableSharedMem -XX:+ExitOnOutOfMemoryError \
  -XX:MaxDirectMemorySize=${CASS_DIRECT:-256m} \
  -javaagent:"$LIB/jamm-0.4.0.jar" \
  -Djdk.attach.allowAttachSelf=true \
  --add-exports java.base/jdk.internal.misc=ALL-UNNAMED \
  --add-exports java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED \
  --add-exports java.rmi/sun.rmi.registry=ALL-UNNAMED \
  --add-exports java.rmi/sun.rmi.server=ALL-UNNAMED \
  --add-exports java.sql/java.sql=ALL-UNNAMED \
  --add-exports java.base/java.lang.ref=ALL-UNNAMED \
  --add-exports jdk.unsupported/sun.misc=ALL-UNNAMED \
  --add-exports jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED \
  --add-exports jdk.attach/sun.tools.attach=ALL-UNNAMED \
  --add-opens java.base/java.lang.module=ALL-UNNAMED \
  --add-opens java.base/jdk.internal.loader=ALL-UNNAMED \
  --add-opens java.base/jdk.internal.ref=ALL-UNNAMED \
  --add-opens java.base/jdk.internal.reflect=ALL-UNNAMED \
  --add-opens java.base/jdk.internal.math=ALL-UNNAMED \
  --add-opens java.base/jdk.internal.module=ALL-UNNAMED \
  --add-opens java.base/jdk.internal.util.jar=ALL-UNNAMED \
  --add-opens jdk.management/com.sun.management.internal=ALL-UNNAMED \
  --add-opens java.base/sun.nio.ch=ALL-UNNAMED \
  --add-opens java.base/java.io=ALL-UNNAMED \
  --add-opens java.base/java.lang=ALL-UNNAMED \
  --add-opens java.base/java.lang.reflect=ALL-UNNAMED \
  --add-opens java.base/java.nio=ALL-UNNAMED \
  --add-opens java.base/java.util=ALL-UNNAMED \
  --add-opens java.base/java.util.concurrent=ALL-UNNAMED \
  --add-opens java.base/java.util.concurrent.atomic=ALL-UNNAMED \
  --add-opens jdk.compiler/com.sun.tools.javac=ALL-UNNAMED \
  -Djava.net.preferIPv4Stack=true \
  -Djava.io.tmpdir="$data/tmp" -Djna.tmpdir="$data/tmp" \
  -Dio.netty.tryReflectionSetAccessible=true \
  -Dio.netty.allocator.useCacheForAllThreads=true \
  -Dio.netty.allocator.maxOrder=11 \
  -Dlogback.configurationFile="file://$here/conf/logback.xml" \
  -Dcassandra.logdir="$data/log" \
  -Dcassandra.config="file://${CASS_CONF:-$here/conf/cassandra.yaml}" \
  -Dcassandra.storagedir="$data" \
  -Dcassandra.native_transport_port="$native" \
  -Dcassandra.storage_port="$storage" \
  -Dcassandra-foreground=yes \
  -Dcassandra.initial_token=0 \
  -Dcassandra.skip_wait_for_gossip_to_settle=0 \
  -Dcassandra.ring_delay_ms=0 \
  -Dcassandra.superuser_setup_delay_ms=0 \
  -Dcassandra.shutdown_announce_in_ms=0 \
  -Dcassandra.test.messagingService.nonGracefulShutdown=true \
  -Dcassandra.consistent.rangemovement=false \
  -Dcassandra.available_processors=2 \
  -Dcassandra.config.allow_system_properties=true ${CASS_SETTINGS:-} \
  ${CASS_EXTRA:-} \
  -cp "$cp" \
  org.apache.cassandra.service.CassandraDaemon
