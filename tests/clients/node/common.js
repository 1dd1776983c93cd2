// What the two Node clients of the table share: Avro as docs/producers.md says it, and how results are told.

import avro from 'avsc'

export const { KAFKA, REGISTRY, RUN } = process.env
const SECONDS = 60

/** Runs the cases named in the arguments and tells each result on a line. */
export async function run(cases) {
  for (const name of process.argv.slice(2)) {
    const line = { case: name }
    try {
      line.result = await within(cases[name]())
    } catch (error) {
      console.error(error)
      line.error = `${error.name}: ${error.message}`.slice(0, 300)
    }
    console.log(JSON.stringify(line, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
  }
  process.exit(0)
}

function within(promise) {
  const late = new Promise((_, no) => setTimeout(() => no(new Error(`nothing for ${SECONDS} s`)), SECONDS * 1000).unref())
  return Promise.race([promise, late])
}

const schemas = new Map()

async function fetched(path) {
  const found = await (await fetch(REGISTRY + path)).json()
  // Each branch of a union says which it is.
  return { id: found.id, type: avro.Type.forSchema(JSON.parse(found.schema), { wrapUnions: true }) }
}

/** A zero byte, the schema's id in four, and the Avro body. */
function encode(id, type, value) {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, type.toBuffer(value)])
}

/** What a value says, by the schema it was written with. */
export async function decode(value) {
  const id = value.readUInt32BE(1)
  if (!schemas.has(id)) schemas.set(id, await fetched(`/schemas/ids/${id}`))
  return schemas.get(id).type.fromBuffer(value.subarray(5))
}

/** The eight commands of the case `job`. */
export async function commands(client) {
  const { id, type } = await fetched('/subjects/chirp.commands-value/versions/1')
  return Array.from({ length: 8 }, (_, n) => {
    const user = `${client}-${RUN}-${n}`
    const metadata = {
      trace_id: null, user_id: null, correlation_id: null, causation_id: null, expected_version: null,
      issued_at: { long: Date.now() * 1000 },
    }
    const fields = { user_id: user, username: `${client.slice(0, 6)}_${RUN}_${n}` }
    const value = { id: `job-${user}`, metadata, data: { 'millrace.chirp.commands.RegisterUser': fields } }
    return { user, id: value.id, value: encode(id, type, value) }
  })
}

/** Collects the outcomes of the case `job`. */
export class Answers {
  constructor(commands) {
    this.first = commands[0].id
    this.of = new Map(commands.map(command => [command.id, []]))
  }

  async take(value) {
    const outcome = await decode(value)
    this.of.get(outcome.command_id)?.push(outcome)
  }

  get all() {
    return [...this.of.values()].every(answers => answers.length > 0)
  }

  get repeated() {
    return this.of.get(this.first).length > 1
  }

  told() {
    const accepted = [...this.of.values()].filter(([outcome]) => outcome.status === 'accepted').length
    const again = this.of.get(this.first)[1]
    return {
      outcomes: accepted === 8 ? '8 accepted' : JSON.stringify([...this.of]),
      again: again.status + (again.duplicate ? ', duplicate' : ''),
    }
  }
}

/** The user that an event registers, if it is one of the client's. */
export async function registered(client, value) {
  const [[kind, fields]] = Object.entries((await decode(value)).data)
  const mine = kind.endsWith('.UserRegistered') && fields.user_id.startsWith(`${client}-${RUN}-`)
  return mine ? fields.user_id : undefined
}

export const keys = Array.from({ length: 500 }, (_, n) => (n < 480 ? `key-${n}` : `schlüssel-${n - 480}`))

/** The hash of Kafka's Java client. */
function murmur2(data) {
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ data.length
  const whole = data.length & ~3
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(data.readInt32LE(at), m)
    k = Math.imul(k ^ (k >>> 24), m)
    h = Math.imul(h, m) ^ k
  }
  if (whole < data.length) {
    for (let at = data.length - 1; at >= whole; at--) h ^= data[at] << (8 * (at - whole))
    h = Math.imul(h, m)
  }
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}

/** The partition of a key: murmur2, masked to 31 bits, modulo the number of partitions. */
export const belongs = (key, partitions) => (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions

export const text = bytes => (bytes === null || bytes === undefined ? null : bytes.toString())
