# The millrace binary in a small image: every role is a subcommand of it.
# The versions come from .env: build with `docker-compose build`.
ARG RUST_VERSION
ARG DEBIAN_RELEASE

FROM rust:${RUST_VERSION}-${DEBIAN_RELEASE} AS build
WORKDIR /source
COPY . .
# --locked: the versions that were tested, or none.
RUN cargo build --profile dist --locked -p millrace-cli --bin millrace

FROM debian:${DEBIAN_RELEASE}-slim
# OpenSSL and its certificates for Kafka, CQL and a registry behind TLS; zlib for compressed records.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/millrace millrace \
 && install -d -o millrace /var/lib/millrace/state
# The declarations that `topics`, `schemas` and `tables` apply lie where the binary runs.
WORKDIR /var/lib/millrace
COPY --from=build /source/target/dist/millrace /usr/local/bin/millrace
COPY --chown=millrace schemas schemas
COPY --chown=millrace topics topics
USER millrace
# Liveness and readiness of every role: GET /ready.
ENV MILLRACE_HEALTH_PORT=9600
EXPOSE 9600
# In this form the binary is process 1 and gets SIGTERM itself; it handles it and starts no children, so there is
# nothing for an init process to do.
STOPSIGNAL SIGTERM
ENTRYPOINT ["millrace"]
CMD ["--help"]
