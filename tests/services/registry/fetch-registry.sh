#!/usr/bin/env bash
# Downloads Apicurio Registry from Maven Central with the ordinary Maven client, checks it and unpacks it.
#   fetch-registry.sh FOLDER
# It comes as one archive with its own class loader, so a list of dependencies would not do.
set -euo pipefail
dir=$1 version=3.3.3
sha256=8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63
mkdir -p "$dir/download" "$dir/apicurio"
mvn -B -q -C org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  -Dartifact=io.apicurio:apicurio-registry-app:$version:tar.gz:all \
  -DoutputDirectory="$dir/download" -Dmdep.useBaseVersion=true
archive="$dir/download/apicurio-registry-app-$version-all.tar.gz"
echo "$sha256  $archive" | sha256sum -c - >/dev/null
tar -xzf "$archive" -C "$dir/apicurio"
test -f "$dir/apicurio/quarkus-run.jar"
rm -rf "$dir/download"
