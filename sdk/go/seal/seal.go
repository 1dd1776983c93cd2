// Package seal seals secrets of commands before they are sent.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"
)

const label = "millrace sealed field 1\x00"

// A secret has so many bytes: a shorter one could be guessed, and tried out by its fingerprint.
const least, most = 16, 4048

// Seal seals a secret of the command of this id for a public key of the deployment: libsodium's sealed box, and by what the secret is
// told from others. The same comes of the same, so a command that is sent again is the same command.
func Seal(publicKey []byte, commandID string, secret []byte) (sealed []byte, fingerprint string, err error) {
	if len(secret) < least || len(secret) > most {
		return nil, "", fmt.Errorf("a secret has %d to %d bytes, not %d", least, most, len(secret))
	}
	if len(publicKey) != 32 {
		return nil, "", fmt.Errorf("a public key has 32 bytes, not %d", len(publicKey))
	}
	// no random number: HMAC, keyed with the secret
	private := mac(secret, []byte(label), []byte(commandID), publicKey, make([]byte, 4))
	public, err := curve25519.X25519(private, curve25519.Basepoint)
	if err != nil {
		return nil, "", err
	}
	hash, err := blake2b.New(24, nil)
	if err != nil {
		return nil, "", err
	}
	hash.Write(public)
	hash.Write(publicKey)
	sealed = box.Seal(public, secret, (*[24]byte)(hash.Sum(nil)), (*[32]byte)(publicKey), (*[32]byte)(private))
	return sealed, base64.RawURLEncoding.EncodeToString(mac(publicKey, secret)), nil
}

func mac(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}
