package millrace

import "encoding/binary"

// Murmur2 is the 32-bit hash of Kafka's Java client.
func Murmur2(data []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		h = h*m ^ (k^k>>24)*m
	}
	for n := len(data) - 1; n >= 0; n-- {
		h ^= uint32(data[n]) << (8 * n)
	}
	if len(data) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// PartitionOf is the partition of a routing key among so many, which are one at least: the one in which its commands are decided.
func PartitionOf(key string, partitions int32) int32 {
	return int32(Murmur2([]byte(key)) & 0x7fffffff % uint32(partitions))
}
