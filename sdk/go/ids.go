package millrace

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"
)

// namespace is of every id that is derived.
const namespace = "millrace-events1"

// IsID says whether text is an id: 1 to 64 characters of A-Z a-z 0-9 _ . : -
func IsID(text string) bool {
	for at := range len(text) {
		letter := text[at]
		isOne := 'a' <= letter && letter <= 'z' || 'A' <= letter && letter <= 'Z' || '0' <= letter && letter <= '9' ||
			letter == '_' || letter == '.' || letter == ':' || letter == '-'
		if !isOne {
			return false
		}
	}
	return 1 <= len(text) && len(text) <= 64
}

// NewID is a new UUIDv7: it says when it was made, by which domains that never do a thing twice know how old a command is.
func NewID() string { return newIDAt(time.Now()) }

func newIDAt(now time.Time) string {
	var bytes [16]byte
	binary.BigEndian.PutUint64(bytes[:], uint64(now.UnixMilli())<<16)
	// it never fails
	rand.Read(bytes[6:])
	return uuid(bytes, 7)
}

// EventID is the id of the index-th event that a command or step of this id has caused.
func EventID(messageID string, index int) string {
	return derived(messageID + "/event/" + strconv.Itoa(index))
}

// StepID is the id of a step of a process, which is called like the command that began it.
func StepID(process, step string) string { return derived(process + "/step/" + step) }

func derived(name string) string {
	digest := sha1.Sum([]byte(namespace + name))
	return uuid([16]byte(digest[:16]), 5)
}

func uuid(bytes [16]byte, version byte) string {
	bytes[6] = bytes[6]&0x0f | version<<4
	bytes[8] = bytes[8]&0x3f | 0x80
	digits := hex.EncodeToString(bytes[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
