import { orStopped } from '../base/stop.ts'
import type { Label, OpenRun } from '../trained/classify.ts'
import { comeBack, ofPicture } from './refusal.ts'

/** Pictures that are classified together at most. */
export const BATCH = 32
/** Pictures that are decoded, or being decoded, while others are classified. */
const AHEAD = 2 * BATCH

/** A picture as it was sent, and what messages call it. */
export interface SentPicture {
  readonly name: string
  readonly bytes: Uint8Array
}

interface Job {
  readonly picture: SentPicture
  readonly signal: AbortSignal
  resolve(labels: Label[]): void
  reject(cause: unknown): void
}

interface ReadyJob extends Job {
  readonly pixels: Float32Array
}

/** Puts pictures of different requests together. */
export interface Batcher {
  /** Pictures that were accepted and have no answer yet. */
  waiting(): number
  /**
   * All classes of each picture, most probable first.
   * @throws Refusal for a picture that cannot be read (422, 413) and where the queue is full (429), the signal's reason
   */
  classify(pictures: readonly SentPicture[], signal: AbortSignal): Promise<Label[][]>
}

export interface BatcherOptions {
  /** Pictures that may wait. */
  readonly queue: number
  readonly maxPixels: number
  /** Told of the size of each batch. */
  readonly onBatch?: (size: number) => void
}

/**
 * The queue before a run: pictures are decoded in the order of their coming, and whenever the run is free it gets all that
 * are ready, up to BATCH. So one picture alone does not wait for others, and a damaged one is known before it meets any.
 */
export function batcher(
  run: Pick<OpenRun, 'pixels' | 'classifyPixels'>,
  { queue, maxPixels, onBatch }: BatcherOptions,
): Batcher {
  const sent: Job[] = []
  const ready: ReadyJob[] = []
  let [waiting, decoding, busy] = [0, 0, false]

  function decodeNext(): void {
    while (decoding + ready.length < AHEAD) {
      const job = sent.shift()
      if (job === undefined) return
      if (job.signal.aborted) job.reject(job.signal.reason)
      else void decode(job)
    }
  }

  async function decode(job: Job): Promise<void> {
    decoding++
    try {
      ready.push({ ...job, pixels: await run.pixels(job.picture.bytes, job.picture.name, { maxPixels }) })
    } catch (cause) {
      job.reject(ofPicture(cause))
    }
    decoding--
    void classifyNext()
    decodeNext()
  }

  async function classifyNext(): Promise<void> {
    if (busy) return
    const batch = takeBatch()
    if (batch.length === 0) return
    busy = true
    onBatch?.(batch.length)
    try {
      const labels = await run.classifyPixels(batch.map(({ pixels }) => pixels))
      for (const [i, job] of batch.entries()) job.resolve(labels[i] ?? [])
    } catch (cause) {
      for (const job of batch) job.reject(cause)
    }
    busy = false
    void classifyNext()
    decodeNext()
  }

  function takeBatch(): ReadyJob[] {
    const batch: ReadyJob[] = []
    while (batch.length < BATCH) {
      const job = ready.shift()
      if (job === undefined) break
      if (job.signal.aborted) job.reject(job.signal.reason)
      else batch.push(job)
    }
    return batch
  }

  function add(picture: SentPicture, signal: AbortSignal): Promise<Label[]> {
    waiting++
    return new Promise<Label[]>((resolve, reject) => sent.push({ picture, signal, resolve, reject })).finally(
      () => waiting--,
    )
  }

  return {
    waiting: () => waiting,
    async classify(pictures, signal) {
      if (waiting + pictures.length > queue)
        throw comeBack(429, `${waiting} pictures are waiting, which is all it takes`)
      const jobs = pictures.map((picture) => add(picture, signal))
      decodeNext()
      return orStopped(Promise.all(jobs), signal)
    },
  }
}
