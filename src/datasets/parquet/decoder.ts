import { Worker } from 'node:worker_threads'
import type { FileMetaData, SchemaTree } from 'hyparquet'
import type { ByteSource } from '../../formats/safetensors.ts'

/** What can be asked of the worker thread that decodes. */
export type Order =
  | { readonly kind: 'open'; readonly size: number }
  | {
      readonly kind: 'rows'
      readonly size: number
      /** Of a file with one row group. */
      readonly metadata: FileMetaData
      readonly columns: readonly string[]
      readonly rows: number
      /** Bytes that it may unpack to. */
      readonly limit: number
    }

export type ParquetRow = Readonly<Record<string, unknown>>

/** What comes back, by the kind of what was asked. */
export interface Asked {
  readonly open: {
    readonly metadata: FileMetaData
    readonly columns: readonly { readonly element: SchemaTree['element']; readonly parts: readonly string[] }[]
  }
  readonly rows: ParquetRow[]
}

/** What the worker says: it loads more of itself; it is there; it needs bytes of the file; the outcome. */
export type Answer =
  | { readonly kind: 'loading' | 'ready' }
  | { readonly kind: 'read'; readonly id: number; readonly start: number; readonly end: number }
  | { readonly kind: 'done'; readonly value: Asked[keyof Asked] }
  | { readonly kind: 'failed'; readonly why: string }

/** The bytes that the worker needed. */
export type Bytes =
  | { readonly kind: 'bytes'; readonly id: number; readonly bytes: ArrayBuffer }
  | { readonly kind: 'bytes'; readonly id: number; readonly bytes?: undefined; readonly error: string }

/** How often it is looked whether a worker goes on, in milliseconds. */
const LOOK_MS = 100
/** How long a worker may be silent, besides what the size of its work explains. */
const SILENCE_MS = 1000
/** What decoding does at least, even on a busy machine, in a millisecond. */
const [BYTES_A_MS, ROWS_A_MS] = [100_000, 200]
const MAX_HEAP_MB = 4096

let last: Promise<unknown> = Promise.resolve()
let idle: Decoder | undefined

/**
 * Decodes in a worker thread, one thing after the other, and ends the thread where it neither reads nor gets any further.
 * @throws Error that says why a file cannot be decoded
 */
export function decode<K extends Order['kind']>(
  source: ByteSource,
  order: Extract<Order, { kind: K }>,
): Promise<Asked[K]> {
  const asked = last.then(async () => {
    const decoder = idle ?? new Decoder()
    idle = undefined
    try {
      return (await decoder.ask(source, order)) as Asked[K]
    } finally {
      if (!decoder.ended) idle = decoder
    }
  })
  last = asked.catch(() => undefined)
  return asked
}

/** What is being asked of a worker. */
interface Work {
  readonly source: ByteSource
  readonly kind: Order['kind']
  resolve(value: Asked[keyof Asked]): void
  reject(cause: Error): void
  /** Reads that it waits for. */
  reading: number
  /** Milliseconds without any sign of it. */
  silent: number
}

class Decoder {
  readonly #progress = new Int32Array(new SharedArrayBuffer(4))
  readonly #worker = new Worker(new URL('parquet-worker.js', import.meta.url), {
    execArgv: [],
    workerData: { progress: this.#progress },
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  })
  #ready = false
  #work: Work | undefined
  /** Not used again: what was damaged may still keep it busy. */
  ended = false

  constructor() {
    this.#worker.on('message', (answer: Answer) => this.#hear(answer))
    this.#worker.on('error', ({ message }) => this.#fail(message))
    this.#worker.on('exit', () => this.#fail('the thread that decodes it ended'))
  }

  async ask(source: ByteSource, order: Order): Promise<Asked[keyof Asked]> {
    const patience = SILENCE_MS + (order.kind === 'rows' ? order.limit / BYTES_A_MS + order.rows / ROWS_A_MS : 0)
    this.#worker.ref()
    const asked = new Promise<Asked[keyof Asked]>((resolve, reject) => {
      this.#work = { source, kind: order.kind, resolve, reject, reading: 0, silent: 0 }
    })
    this.#worker.postMessage(order)
    const look = setInterval(() => this.#look(patience), LOOK_MS)
    try {
      return await asked
    } finally {
      clearInterval(look)
      this.#worker.unref()
      this.#work = undefined
    }
  }

  #look(patience: number): void {
    const went = Atomics.exchange(this.#progress, 0, 0) > 0
    const work = this.#work
    if (work === undefined) return
    work.silent = went || work.reading > 0 || !this.#ready ? 0 : work.silent + LOOK_MS
    if (work.silent > patience) this.#fail('decoding it comes to no end, so it is damaged')
  }

  #hear(answer: Answer): void {
    const work = this.#work
    if (answer.kind === 'loading' || answer.kind === 'ready') this.#ready = answer.kind === 'ready'
    if (work === undefined) return
    work.silent = 0
    if (answer.kind === 'read') this.#read(work, answer.id, answer.start, answer.end - answer.start)
    if (answer.kind === 'done') work.resolve(answer.value)
    // opening reads one thing after the other: nothing is left of it
    if (answer.kind === 'failed' && work.kind === 'open') work.reject(new Error(answer.why))
    else if (answer.kind === 'failed') this.#fail(answer.why)
  }

  async #read(work: Work, id: number, start: number, length: number): Promise<void> {
    work.reading++
    const answer = await bytesOf(work.source, id, start, length)
    work.reading--
    this.#worker.postMessage(answer, answer.bytes ? [answer.bytes] : [])
  }

  #fail(why: string): void {
    this.ended = true
    this.#work?.reject(new Error(why))
    this.#worker.terminate()
  }
}

async function bytesOf(source: ByteSource, id: number, start: number, length: number): Promise<Bytes> {
  try {
    const bytes = await source.read(start, length)
    if (bytes.length < length) return { kind: 'bytes', id, error: 'the file ends too early' }
    const whole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
    return { kind: 'bytes', id, bytes: whole ? bytes.buffer : bytes.slice().buffer }
  } catch (error) {
    return { kind: 'bytes', id, error: error instanceof Error ? error.message : String(error) }
  }
}
