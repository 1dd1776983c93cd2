"""Gives a Cassandra that asks for certificates and passwords a superuser whose password is not everybody's."""

from __future__ import annotations

import argparse
import ssl
import time

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable

# The user that such a server begins with is made some time after it serves.
PATIENCE_SECONDS = 60


def main() -> None:
    """Makes the user, once the server lets its first one in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="host:port")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    options = parser.parse_args()
    context = ssl.create_default_context(cafile=options.ca)
    # this driver compares a name with the address, too; who the server is does not matter here
    context.check_hostname = False
    context.load_cert_chain(options.certificate, options.key)
    host, port = options.address.rsplit(":", 1)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        cluster = Cluster(
            [host],
            port=int(port),
            ssl_context=context,
            auth_provider=PlainTextAuthProvider("cassandra", "cassandra"),
            connect_timeout=30,
        )
        try:
            session = cluster.connect()
            break
        except NoHostAvailable:
            cluster.shutdown()
            if time.monotonic() > deadline:
                raise
    session.execute(
        f"CREATE ROLE {options.user} WITH PASSWORD = '{options.password}' AND SUPERUSER = true AND LOGIN = true"
    )
    cluster.shutdown()


if __name__ == "__main__":
    main()
