const encoder = new TextEncoder();

/** The 32-bit murmur2 of Kafka's Java client, as a number from 0. */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const whole = data.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let k = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  for (let at = whole; at < data.length; at++) h ^= data[at]! << (8 * (at - whole));
  if (whole < data.length) h = Math.imul(h, m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return (h ^ (h >>> 15)) >>> 0;
}

/** The partition of a routing key among so many: the one in which its commands are decided. */
export function partitionOf(key: string, partitions: number): number {
  if (!(partitions > 0)) throw new RangeError(`a topic has at least one partition, not ${partitions}`);
  return (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions;
}
