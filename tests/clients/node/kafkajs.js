// The table's cases with kafkajs.

import kafkajs from 'kafkajs'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { Answers, KAFKA, RUN, belongs, commands, keys, registered, run, text } from './common.js'

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = kafkajs

// kafkajs reads and writes gzip alone; this is what reads chirp.events
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => compressFrameSync(encoder.buffer),
  decompress: async buffer => decompressFrameSync(buffer),
})

const kafka = new Kafka({ brokers: [KAFKA], clientId: 'kafkajs', logLevel: logLevel.NOTHING })
const name = what => `kafkajs-${what}-${RUN}`

async function topic(what, numPartitions = 1, configEntries = []) {
  const admin = kafka.admin()
  await admin.connect()
  // some cases date their records back to 1970, and nothing may go meanwhile
  const all = [{ name: 'retention.ms', value: '-1' }, ...configEntries]
  await admin.createTopics({ topics: [{ topic: name(what), numPartitions, replicationFactor: 1, configEntries: all }] })
  await admin.disconnect()
  return name(what)
}

async function producer(options = {}) {
  const sending = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...options })
  await sending.connect()
  return sending
}

async function put(topic, messages, options = {}) {
  const sending = await producer()
  await sending.send({ topic, messages, ...options })
  await sending.disconnect()
}

/** Gives records to `take` until it has enough; kafkajs reads in groups only. */
async function read(topic, take, { groupId = `${name('reader')}-${Math.random()}`, committed = true } = {}) {
  const reading = kafka.consumer({ groupId, readUncommitted: !committed, maxWaitTimeInMs: 100 })
  await reading.connect()
  await reading.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise((done, failed) => {
    let enough = false
    reading.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (enough) return
        try {
          enough = await take(message, partition, reading)
          if (enough) done()
        } catch (error) {
          failed(error)
        }
      },
    }).catch(failed)
  })
  await reading.disconnect()
}

async function values(topic, count, options) {
  const found = []
  await read(topic, message => found.push(text(message.value)) >= count, options)
  return found
}

async function committed(groupId, topic) {
  const admin = kafka.admin()
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  return Number(found.partitions[0].offset)
}

async function job() {
  const all = await commands('kafkajs')
  const message = ({ user, value }) => ({ key: user, value })
  await put('chirp.commands', all.map(message), { acks: -1 })
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
    const user = await registered('kafkajs', value)
    if (user) users.add(user)
    return users.size === 8
  })
  return { registered: users.size }
}

async function keysCase() {
  const elsewhere = async (what, createPartitioner) => {
    const of = await topic(what, 7)
    const sending = await producer({ createPartitioner })
    await sending.send({ topic: of, messages: keys.map(key => ({ key, value: '' })) })
    await sending.disconnect()
    let seen = 0
    let count = 0
    await read(of, ({ key }, partition) => {
      if (belongs(key, 7) !== partition) count++
      return ++seen === keys.length
    })
    return count
  }
  return {
    elsewhere: await elsewhere('keys', Partitioners.DefaultPartitioner),
    // how many it puts elsewhere depends on how many partitions of a new topic the broker names already
    'its legacy partitioner agrees': (await elsewhere('own-keys', Partitioners.LegacyPartitioner)) === 0,
  }
}

async function records() {
  const of = await topic('records')
  const at = 1_700_000_000_000
  await put(of, [
    { key: 'k', value: 'v', headers: { h: ['1', '2'] }, timestamp: `${at}` },
    { key: 'k', value: null, timestamp: `${at + 1}` },
    { key: null, value: '', timestamp: `${at + 2}` },
  ])
  const found = []
  await read(of, m => {
    const headers = Object.entries(m.headers).flatMap(([key, all]) => [all].flat().map(value => [key, text(value)]))
    return found.push([m.offset, text(m.key), text(m.value), headers, Number(m.timestamp)]) === 3
  })
  return { records: found }
}

async function codecs() {
  const of = await topic('codecs')
  const kinds = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, lz4: CompressionTypes.LZ4 }
  for (const [codec, compression] of Object.entries(kinds)) {
    await put(of, [{ value: codec.repeat(100) }], { compression })
  }
  const found = await values(of, 3)
  return { read: Object.keys(kinds).map((codec, n) => found[n].slice(0, codec.length)) }
}

async function group() {
  const of = await topic('group')
  await put(of, ['0', '1', '2', '3', '4'].map(value => ({ value })))
  const groupId = name('group')
  const member = async count => {
    const found = []
    await read(of, async (message, partition, reading) => {
      found.push(text(message.value))
      await reading.commitOffsets([{ topic: of, partition, offset: `${Number(message.offset) + 1}` }])
      return found.length === count
    }, { groupId })
    return found
  }
  const first = await member(3)
  return { first, committed: await committed(groupId, of), second: await member(2) }
}

async function transaction() {
  const of = await topic('transaction')
  const sending = await producer({ transactionalId: name('transaction'), idempotent: true, maxInFlightRequests: 1 })
  const first = await sending.transaction()
  await first.send({ topic: of, messages: [{ value: 'a' }] })
  const topics = [{ topic: of, partitions: [{ partition: 0, offset: '7' }] }]
  await first.sendOffsets({ consumerGroupId: name('transaction'), topics })
  await first.commit()
  const second = await sending.transaction()
  await second.send({ topic: of, messages: [{ value: 'b' }] })
  await second.abort()
  await sending.disconnect()
  await put(of, [{ value: 'c' }])
  return {
    committed: await values(of, 2),
    all: await values(of, 3, { committed: false }),
    offset: await committed(name('transaction'), of),
  }
}

async function lookups() {
  const of = await topic('lookups')
  for (const times of [[1000, 1001], [2000], [500]]) {
    await put(of, times.map(at => ({ value: 'x', timestamp: `${at}` })))
  }
  const admin = kafka.admin()
  await admin.connect()
  const [{ low, high }] = await admin.fetchTopicOffsets(of)
  const create = { earliest: Number(low), latest: Number(high) }
  for (const at of [1000, 1001, 1500]) {
    create[at] = Number((await admin.fetchTopicOffsetsByTimestamp(of, at))[0].offset)
  }
  await admin.disconnect()
  return { create }
}

async function administration() {
  const of = await topic('admin', 1, [{ name: 'cleanup.policy', value: 'compact,delete' }])
  const admin = kafka.admin()
  await admin.connect()
  const again = await admin.createTopics({ topics: [{ topic: of, numPartitions: 1, replicationFactor: 1 }] })
  await admin.createPartitions({ topicPartitions: [{ topic: of, count: 3 }] })
  // a broker of Kafka takes in what its controller has answered a moment later
  let described
  do described = await admin.fetchTopicMetadata({ topics: [of] })
  while (described.topics[0].partitions.length !== 3)
  const resource = { type: 2, name: of }
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
  const setting = wanted => resources[0].configEntries.find(entry => entry.configName === wanted).configValue
  for (let n = 0; n < 3; n++) await put(of, [{ key: 'k', value: 'x', partition: 0 }])
  await admin.deleteTopicRecords({ topic: of, partitions: [{ partition: 0, offset: '2' }] })
  const low = (await admin.fetchTopicOffsets(of)).find(found => found.partition === 0).low
  await admin.deleteTopics({ topics: [of] })
  while ((await admin.listTopics()).includes(of));
  await admin.disconnect()
  return {
    twice: again ? 'not refused' : 'TOPIC_ALREADY_EXISTS',
    partitions: described.topics[0].partitions.length,
    'cleanup.policy': setting('cleanup.policy'),
    'emptied to': Number(low),
    deleted: 'gone',
  }
}

run({ job, events, keys: keysCase, records, codecs, group, transaction, lookups, admin: administration })
