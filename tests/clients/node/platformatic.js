// The table's cases with @platformatic/kafka.

import { inspect } from 'node:util'
import { Admin, Consumer, Producer, compatibilityPartitioner } from '@platformatic/kafka'
import { Answers, KAFKA, RUN, belongs, commands, keys, registered, run, text } from './common.js'

const COMMITTED = 1
const ALL = 0
const base = { clientId: 'platformatic', bootstrapBrokers: [KAFKA] }
const name = what => `platformatic-${what}-${RUN}`

async function topic(what, partitions = 1, configs = []) {
  const admin = new Admin(base)
  // some cases date their records back to 1970, and nothing may go meanwhile
  const all = [{ name: 'retention.ms', value: '-1' }, ...configs]
  await admin.createTopics({ topics: [name(what)], partitions, replicas: 1, configs: all })
  await admin.close()
  return name(what)
}

// its default takes the hash without a sign, which is another number than Kafka's where the hash is negative
const producer = (options = {}) => new Producer({ ...base, partitioner: compatibilityPartitioner, ...options })

async function put(topic, messages, options = {}) {
  const sending = producer()
  await sending.send({ messages: messages.map(message => ({ topic, ...bytes(message) })), acks: -1, ...options })
  await sending.close()
}

function bytes(message) {
  const one = value => (typeof value === 'string' ? Buffer.from(value) : value)
  return { ...message, key: one(message.key), value: one(message.value) }
}

/** Gives records to `take` until it has enough. */
async function read(topic, take, { groupId = `${name('reader')}-${Math.random()}`, level = COMMITTED } = {}) {
  const reading = new Consumer({ ...base, groupId, autocommit: false, maxWaitTime: 100, isolationLevel: level })
  const stream = await reading.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest', isolationLevel: level })
  for await (const message of stream) {
    if (await take(message)) break
  }
  await reading.close(true)
}

async function values(topic, count, options) {
  const found = []
  await read(topic, message => found.push(text(message.value)) >= count, options)
  return found
}

async function committed(groupId, topic) {
  const admin = new Admin(base)
  const [found] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  await admin.close()
  return found.topics.find(of => of.name === topic).partitions[0].committedOffset
}

async function job() {
  const all = await commands('platformatic')
  const message = ({ user, value }) => ({ key: user, value })
  await put('chirp.commands', all.map(message))
  const answers = new Answers(all)
  let repeated = false
  await read('chirp.outcomes', async ({ value }) => {
    await answers.take(value)
    if (answers.all && !repeated) {
      repeated = true
      await put('chirp.commands', [message(all[0])])
    }
    return answers.repeated
  })
  return answers.told()
}

async function events() {
  const users = new Set()
  await read('chirp.events', async ({ value }) => {
    const user = await registered('platformatic', value)
    if (user) users.add(user)
    return users.size === 8
  })
  return { registered: users.size }
}

async function keysCase() {
  const elsewhere = async (what, options) => {
    const of = await topic(what, 7)
    const sending = producer(options)
    await sending.send({ messages: keys.map(key => ({ topic: of, ...bytes({ key, value: '' }) })), acks: -1 })
    await sending.close()
    let seen = 0
    let count = 0
    await read(of, ({ key, partition }) => {
      if (belongs(key, 7) !== partition) count++
      return ++seen === keys.length
    })
    return count
  }
  return {
    elsewhere: await elsewhere('keys', {}),
    // how many is another number each time on Kafka
    'all by its own partitioner': (await elsewhere('own-keys', { partitioner: undefined })) === 0,
  }
}

async function records() {
  const of = await topic('records')
  const at = 1_700_000_000_000n
  // headers are a map: a name comes once
  const headers = new Map([[Buffer.from('h'), Buffer.from('1')]])
  await put(of, [
    { key: 'k', value: 'v', headers, timestamp: at },
    { key: 'k', value: undefined, timestamp: at + 1n },
    { key: undefined, value: '', timestamp: at + 2n },
  ])
  const found = []
  await read(of, m => {
    const all = [...m.headers].map(([key, value]) => [text(key), text(value)])
    return found.push([`${m.offset}`, text(m.key), text(m.value), all, m.timestamp]) === 3
  })
  return { 'records, a header once': found }
}

async function codecs() {
  const of = await topic('codecs')
  const kinds = ['none', 'gzip', 'snappy', 'lz4', 'zstd'].filter(codec => codec !== 'zstd' || 'zstd' in process.versions)
  for (const codec of kinds) await put(of, [{ value: codec.repeat(100) }], { compression: codec })
  const found = await values(of, kinds.length)
  return { read: kinds.map((codec, n) => found[n].slice(0, codec.length)) }
}

async function group() {
  const of = await topic('group')
  await put(of, ['0', '1', '2', '3', '4'].map(value => ({ value })))
  const groupId = name('group')
  const member = async count => {
    const found = []
    await read(of, async message => {
      found.push(text(message.value))
      await message.commit()
      return found.length === count
    }, { groupId })
    return found
  }
  const first = await member(3)
  return { first, committed: await committed(groupId, of), second: await member(2) }
}

async function transaction() {
  const of = await topic('transaction')
  const sending = producer({ transactionalId: name('transaction'), idempotent: true })
  const first = await sending.beginTransaction()
  await first.send({ messages: [{ topic: of, value: Buffer.from('a') }] })
  await first.commit()
  const second = await sending.beginTransaction()
  await second.send({ messages: [{ topic: of, value: Buffer.from('b') }] })
  await second.abort()
  await sending.close()
  await put(of, [{ value: 'c' }])
  return { committed: await values(of, 2), all: await values(of, 3, { level: ALL }) }
}

async function lookups() {
  const of = await topic('lookups')
  for (const times of [[1000n, 1001n], [2000n], [500n]]) {
    await put(of, times.map(timestamp => ({ value: 'x', timestamp })))
  }
  const admin = new Admin(base)
  const create = {}
  const asked = { earliest: -2n, latest: -1n, max: -3n, 1000: 1000n, 1001: 1001n, 1500: 1500n, 2001: 2001n }
  for (const [what, timestamp] of Object.entries(asked)) {
    const topics = [{ name: of, partitions: [{ partitionIndex: 0, timestamp }] }]
    create[what] = (await admin.listOffsets({ topics, isolationLevel: ALL }))[0].partitions[0].offset
  }
  await admin.close()
  return { create }
}

async function administration() {
  const of = await topic('admin', 1, [{ name: 'cleanup.policy', value: 'compact,delete' }])
  const admin = new Admin(base)
  let twice = 'not refused'
  try {
    await admin.createTopics({ topics: [of], partitions: 1, replicas: 1 })
  } catch (error) {
    twice = inspect(error, { depth: 8 }).match(/TOPIC_ALREADY_EXISTS/)?.[0] ?? `${error}`
  }
  await admin.createPartitions({ topics: [{ name: of, count: 3, assignments: null }] })
  const resources = [{ resourceType: 2, resourceName: of, configurationKeys: null }]
  const [{ configs }] = await admin.describeConfigs({ resources })
  for (let n = 0; n < 3; n++) await put(of, [{ key: 'k', value: 'x', partition: 0 }])
  const emptied = await admin.deleteRecords({ topics: [{ name: of, partitions: [{ partition: 0, offset: 2n }] }] })
  await admin.deleteTopics({ topics: [of] })
  while ((await admin.listTopics()).includes(of));
  await admin.close()
  return {
    twice,
    'cleanup.policy': configs.find(entry => entry.name === 'cleanup.policy').value,
    'emptied to': emptied[0].partitions[0].lowWatermark,
    deleted: 'gone',
  }
}

run({ job, events, keys: keysCase, records, codecs, group, transaction, lookups, admin: administration })
