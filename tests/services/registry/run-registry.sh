#!/usr/bin/env bash
# Runs Apicurio Registry in the foreground.
#   LIB=FOLDER [JAVA=java, 21 or newer] run-registry.sh DATA_DIR PORT MANAGEMENT_PORT
# Base URL: http://127.0.0.1:PORT/apis/ccompat/v7, ready when GET /subjects there is 200.
set -euo pipefail
data=$1 port=$2 management=$3
mkdir -p "$data/tmp"
data=$(realpath "$data")
# WRITE_DELAY=0: an acknowledged schema is on disk, so kill -9 loses none.
# max-subjects: GET /subjects is capped otherwise, and every test adds subjects of its own.
exec "${JAVA:-java}" -Xmx192m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$data/tmp" \
  -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" \
  -Dquarkus.management.host=127.0.0.1 -Dquarkus.management.port="$management" \
  -Dquarkus.http.access-log.enabled=false '-Dquarkus.log.category."io.apicurio".level=WARN' \
  -Dapicurio.rules.global.compatibility=BACKWARD -Dapicurio.ccompat.max-subjects=100000 \
  "-Dapicurio.datasource.url=jdbc:h2:file:$data/registry;WRITE_DELAY=0" \
  -Dapicurio.datasource.jdbc.initial-size=2 -Dapicurio.datasource.jdbc.min-size=2 -Dapicurio.datasource.jdbc.max-size=20 \
  -jar "$LIB/apicurio/quarkus-run.jar"
