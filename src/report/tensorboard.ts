import { Message } from '../graph/protobuf.ts'

/** One value of a curve. */
export interface ScalarEvent {
  readonly tag: string
  readonly step: number
  readonly value: number
  /** Seconds since 1970. */
  readonly time: number
}

/**
 * The bytes of an event file as TensorBoard reads them: TFRecords, each an Event message (tensorflow/core/util/event.proto),
 * the first of which tells the version of the format.
 */
export function eventFile(scalars: readonly ScalarEvent[], started: number): Uint8Array<ArrayBuffer> {
  const version = new Message().double(EVENT.wallTime, started).text(EVENT.fileVersion, 'brain.Event:2')
  const events = [version, ...scalars.map(scalarEvent)].map((event) => tfRecord(event.bytes()))
  const bytes = new Uint8Array(events.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const event of events) {
    bytes.set(event, offset)
    offset += event.length
  }
  return bytes
}

/** Field numbers of the messages. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 }
const SUMMARY = { value: 1 }
const VALUE = { tag: 1, simpleValue: 2 }

function scalarEvent({ tag, step, value, time }: ScalarEvent): Message {
  const scalar = new Message().text(VALUE.tag, tag).float(VALUE.simpleValue, value)
  const summary = new Message().message(SUMMARY.value, scalar)
  return new Message().double(EVENT.wallTime, time).int(EVENT.step, step).message(EVENT.summary, summary)
}

/** Length (uint64), its checksum, data, checksum of the data; little-endian. */
function tfRecord(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length + 4)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, data.length, true)
  view.setUint32(8, maskedCrc(bytes.subarray(0, 8)), true)
  bytes.set(data, 12)
  view.setUint32(12 + data.length, maskedCrc(data), true)
  return bytes
}

/** TensorFlow rotates the checksum and adds a constant, so that a checksum of data with checksums inside is none of theirs. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** CRC-32C (Castagnoli, RFC 3720): reflected polynomial 0x82f63b78. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})
