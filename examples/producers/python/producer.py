"""The smallest producer in Python: python producer.py http://127.0.0.1:8080."""

import sys

from millrace_sdk import HttpClient
from millrace_sdk.domains.chirp import RegisterUser

client = HttpClient(sys.argv[1])
outcome = client.send(RegisterUser(user_id="pia", username="Pia")).outcome
print(outcome.status.value)
