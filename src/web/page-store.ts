import { parseJson } from '../formats/json.ts'
import { bytesSource } from '../formats/safetensors.ts'
import { readSchema } from '../formats/schema.ts'
import type { Step } from '../learning/types.ts'
import type { RememberedModel, UsedModel } from '../trained/learned.ts'
import { type RunRecord, recordSchema } from '../trained/record.ts'
import {
  type CheckpointFile,
  type Decisive,
  metricsText,
  RUN_FILES,
  type RunCheckpoint,
  type RunFile,
  resultsText,
  runCheckpoint,
  settingsText,
  unneeded,
} from '../trained/run-files.ts'
import type { JobStore } from '../trained/run-job.ts'
import type { RunStore } from './runs.ts'

/** Milliseconds between writes of metrics. */
const METRICS_MS = 2000

/** Files of a finished run. */
const FINISHED = [RUN_FILES.settings, RUN_FILES.metrics, RUN_FILES.judged, RUN_FILES.learned, RUN_FILES.results]

/** The files of a run of a page: in memory, and in a store that outlives the page, where there is one. */
export class PageStore implements JobStore {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>()
  readonly #store: RunStore | undefined
  readonly #every: number | undefined

  constructor(store: RunStore | undefined, every: number | undefined) {
    this.#store = store
    this.#every = every
  }

  /** The result of a run with exactly these settings that has finished there; its files are then here. */
  async finished(settings: Decisive): Promise<RunRecord | undefined> {
    const store = this.#store
    if (store === undefined || (await this.#kept('settings')) !== settingsText(settings)) return undefined
    const results = await this.#kept('results')
    if (results === undefined) return undefined
    for (const file of FINISHED) {
      const content = await store.read(file)
      if (content !== undefined) this.files.set(file, new Uint8Array(content))
    }
    return readSchema(recordSchema, parseJson(results, RUN_FILES.results), RUN_FILES.results)
  }

  async #kept(file: RunFile): Promise<string | undefined> {
    const bytes = await this.#store?.read(RUN_FILES[file])
    return bytes && new TextDecoder().decode(bytes)
  }

  async #put(file: RunFile, content: Uint8Array<ArrayBuffer> | string): Promise<void> {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    this.files.set(RUN_FILES[file], bytes)
    await this.#store?.write(RUN_FILES[file], bytes)
  }

  async begin(settings: Decisive): Promise<void> {
    const text = settingsText(settings)
    if (this.#store !== undefined && (await this.#kept('settings')) !== text) {
      for (const file of Object.values(RUN_FILES)) await this.#store.remove(file)
    }
    await this.#put('settings', text)
  }

  checkpoint(settings: Decisive): RunCheckpoint {
    return this.#keeping('checkpoint', settings, async (content) => this.#store?.write(RUN_FILES.checkpoint, content))
  }

  judged(settings: Decisive): RunCheckpoint {
    return this.#keeping('judged', settings, (content) => this.#put('judged', content))
  }

  #keeping(file: RunFile, settings: Decisive, write: CheckpointFile['write']): RunCheckpoint {
    const open = async () => {
      const bytes = await this.#store?.read(RUN_FILES[file])
      return bytes && bytesSource(RUN_FILES[file], bytes)
    }
    return runCheckpoint({ open, write }, settings, {
      every: this.#every,
      remedy: 'remove the run, and start it again',
    })
  }

  #written = 0
  readonly metrics = {
    onSteps: async (steps: readonly Step[]) => {
      if (this.#store === undefined || performance.now() - this.#written < METRICS_MS) return
      this.#written = performance.now()
      await this.#put('metrics', metricsText(steps))
    },
    end: (steps: readonly Step[]) => this.#put('metrics', metricsText(steps)),
  }

  remembered({ name }: UsedModel, fingerprint: string): RememberedModel {
    return { name, fingerprint }
  }

  learned(file: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#put('learned', file)
  }

  async finish(record: RunRecord): Promise<void> {
    await this.#put('results', await resultsText(record))
    for (const file of unneeded(record)) this.files.delete(RUN_FILES[file])
    for (const file of ['checkpoint', ...unneeded(record)] as const) await this.#store?.remove(RUN_FILES[file])
  }
}
