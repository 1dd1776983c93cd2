"""Secrets are sealed to the bytes that a gateway makes."""

from __future__ import annotations

import base64
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from millrace_sdk.seal import seal  # noqa: E402


class Sealing(unittest.TestCase):
    """The gateway's own test has the same bytes."""

    def test_the_bytes_are_the_gateways(self) -> None:
        key = base64.b64decode("E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=")
        sealed = seal(key, "c1", "hunter2hunter2hunter2")
        box = "7iTasHHVA7ZuJMd122Ob8CW67YtbYzsJo27wviB2aUpkgpHGtA7x1YvaLnh76FAiqpDrZFKCxW6Ev3UuOuwvsIXU5uj5"
        self.assertEqual(base64.b64encode(sealed.box).decode(), box)
        self.assertEqual(sealed.fingerprint, "J-C9f2D9tgb95b3SiXl63v1MuhcBMzB9nWhg2Zl523o")
        with self.assertRaises(ValueError):
            seal(key, "c1", "too short")


if __name__ == "__main__":
    unittest.main()
