package seal

import (
	"encoding/base64"
	"testing"
)

// The gateway's own test has the same bytes.
func TestTheBytesAreTheGateways(t *testing.T) {
	key, err := base64.StdEncoding.DecodeString("E75P6uryBMf9M1j8nAByGIHRdCeBKCJ+xnTzf3/pe20=")
	if err != nil {
		t.Fatal(err)
	}
	sealed, fingerprint, err := Seal(key, "c1", []byte("hunter2hunter2hunter2"))
	want := "7iTasHHVA7ZuJMd122Ob8CW67YtbYzsJo27wviB2aUpkgpHGtA7x1YvaLnh76FAiqpDrZFKCxW6Ev3UuOuwvsIXU5uj5"
	if found := base64.StdEncoding.EncodeToString(sealed); err != nil || found != want {
		t.Error(err, found)
	}
	if fingerprint != "J-C9f2D9tgb95b3SiXl63v1MuhcBMzB9nWhg2Zl523o" {
		t.Error(fingerprint)
	}
	if _, _, err := Seal(key, "c1", []byte("too short")); err == nil {
		t.Error("a short secret is sealed")
	}
}
