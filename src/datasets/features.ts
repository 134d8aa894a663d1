import { join } from 'node:path'
import { CoopError, FileError } from '../base/errors.ts'
import type { RgbImage } from '../clip/types.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { contentHash, hashOf } from '../node/content-hash.ts'
import { type FeatureCache, openFeatureCache } from '../node/feature-cache.ts'
import type { View } from '../pictures/views.ts'
import { mapLimited, pipeline } from './overlap.ts'

export interface FeatureOptions {
  /** Decodes a picture. What it throws makes the picture a bad one. */
  readonly load: (path: string) => Promise<RgbImage>
  /** Pixels `(3, size, size)` for the encoder; without `view` as for testing (resize, centre crop). */
  readonly prepare: (image: RgbImage, view: View | undefined) => Float32Array
  /** Features `(n, dim)` of n pictures, 1 <= n <= batchSize. */
  readonly encode: (images: readonly Float32Array[]) => Promise<Float32Array>
  /** Says which model and preprocessing `encode` and `prepare` are: same key, same features. */
  readonly encoderKey: string
  readonly dim: number
  /** Augmented views of each picture; without it one view as for testing. */
  readonly views?: { readonly count: number; readonly seed: number }
  /** Where features are kept between runs; without it they are not. */
  readonly cacheDir?: string
  /** Leave out pictures that cannot be read, and name them in `bad`, instead of throwing. */
  readonly skipBadImages?: boolean
  /** Pictures done so far, of all; `done` only grows. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
  /** Told when features cannot be kept (full disk, read-only folder); the run goes on. */
  readonly onWarning?: (warning: string) => void
  readonly batchSize?: number
}

export interface BadImage {
  readonly path: string
  readonly reason: string
}

export interface Features {
  /** `(kept, views, dim)`, not normalised. */
  readonly features: FloatTensor
  /** Index into the items for each row of `features`. */
  readonly kept: readonly number[]
  readonly bad: readonly BadImage[]
}

/** Part of the cache key: raise it when the same key and file would give other features. */
const CACHE_VERSION = 1

/** Vectors (or time) after which what was computed goes to disk. */
const FLUSH_ROWS = 256
const FLUSH_MS = 5000

type ViewChoice = Pick<View, 'seed' | 'index'> | undefined

/** A picture, by content, of which features are to be computed. */
interface Job {
  readonly content: string
  readonly path: string
  /** The views not found in the cache. */
  readonly missing: readonly ViewChoice[]
}

/** A job's pixels, one for each missing view; or why the picture cannot be read. */
type Prepared =
  | { readonly job: Job; readonly pixels: readonly Float32Array[] }
  | { readonly job: Job; readonly bad: FileError }

/**
 * Features of the pictures at `items`, computed once for each content and kept on disk; pictures are decoded while the
 * ones before them are encoded, two batches in memory at a time.
 *
 * Throws FileError naming the first picture that cannot be read (unless `skipBadImages`), or when none can; CoopError
 * when the encoder gives something other than finite features.
 */
export async function featuresOf(
  items: readonly { readonly path: string }[],
  options: FeatureOptions,
): Promise<Features> {
  const choices = viewChoices(options)
  const files = await mapLimited(items, 16, ({ path }) => identify(path))
  const itemsByContent = new Map<string, number[]>()
  const reasons = new Map<number, string>()
  const progress = progressOf(items.length, options)

  const reject = (error: FileError, indices: readonly number[]) => {
    if (!options.skipBadImages) throw error
    for (const i of indices) reasons.set(i, error.message)
    progress(indices.length)
  }
  files.forEach((file, i) => {
    if (file instanceof FileError) reject(file, [i])
    else itemsByContent.set(file, [...(itemsByContent.get(file) ?? []), i])
  })

  const ids = new Set([...itemsByContent.keys()].flatMap((content) => choices.map((choice) => rowId(content, choice))))
  const store = await openStore(ids, options)
  const jobs: Job[] = []
  for (const [content, indices] of itemsByContent) {
    const missing = choices.filter((choice) => !store.rows.has(rowId(content, choice)))
    if (missing.length === 0) progress(indices.length)
    else jobs.push({ content, path: items[indices[0]!]!.path, missing })
  }

  const finish = async (prepared: readonly Prepared[]) => {
    const bad = prepared.filter((result) => 'bad' in result)
    const good = prepared.filter((result) => 'pixels' in result)
    for (const { job, bad: error } of bad) reject(error, itemsByContent.get(job.content) ?? [])
    for (const [id, row] of await encodeAll(good, options)) store.add(id, row)
    await store.flush({ all: false })
    for (const { job } of good) progress(itemsByContent.get(job.content)?.length ?? 0)
  }
  try {
    await pipeline(batchesOf(jobs, batchSizeOf(options)), (batch) => prepareAll(batch, options), finish)
  } finally {
    await store.flush({ all: true })
  }
  return collect(items, files, reasons, store.rows, choices, options.dim)
}

const batchSizeOf = (options: FeatureOptions) => options.batchSize ?? 32

function viewChoices({ views }: FeatureOptions): ViewChoice[] {
  if (!views) return [undefined]
  return Array.from({ length: views.count }, (_, index) => ({ seed: views.seed, index }))
}

/** The content's hash; a FileError as a value when the file cannot be read. */
async function identify(path: string): Promise<string | FileError> {
  return contentHash(path).catch((cause: unknown) => badImage(path, cause))
}

function badImage(path: string, cause: unknown): FileError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const message = reason.includes(path) ? reason : `cannot read the image ${path}: ${reason}`
  const remedy = (cause instanceof FileError && cause.remedy) || 'replace or remove the file'
  return new FileError(message, `${remedy}; --skip-bad-images leaves such images out`, { cause })
}

function rowId(content: string, choice: ViewChoice): string {
  return choice ? hashOf(`${content} view ${choice.index} of seed ${choice.seed}`) : content
}

function progressOf(total: number, { onProgress }: FeatureOptions): (more: number) => void {
  let done = 0
  onProgress?.({ done, total })
  return (more) => {
    done += more
    onProgress?.({ done, total })
  }
}

/** Rows in memory, those of the cache among them, with those not yet kept. */
async function openStore(ids: ReadonlySet<string>, { cacheDir, encoderKey, dim, onWarning }: FeatureOptions) {
  const folder = hashOf(`version ${CACHE_VERSION}\n${encoderKey}`).slice(0, 32)
  let cache: FeatureCache | undefined =
    cacheDir === undefined ? undefined : openFeatureCache(join(cacheDir, 'features', folder), dim)
  const rows = (await cache?.read(ids)) ?? new Map<string, Float32Array>()
  const pending = new Map<string, Float32Array>()
  let flushed = Date.now()

  return {
    rows,
    add(id: string, row: Float32Array) {
      rows.set(id, row)
      if (cache) pending.set(id, row)
    },
    async flush({ all }: { readonly all: boolean }) {
      if (!cache || (!all && pending.size < FLUSH_ROWS && Date.now() - flushed < FLUSH_MS)) return
      try {
        await cache.append(pending)
      } catch (error) {
        cache = undefined
        onWarning?.(`image features are not kept: ${error instanceof Error ? error.message : error}`)
      }
      pending.clear()
      flushed = Date.now()
    },
  }
}

/** Groups of jobs with about `size` missing views together. */
function batchesOf(jobs: readonly Job[], size: number): Job[][] {
  const batches: Job[][] = []
  let room = 0
  for (const job of jobs) {
    if (room <= 0 || batches.length === 0) {
      batches.push([])
      room = size
    }
    batches.at(-1)?.push(job)
    room -= job.missing.length
  }
  return batches
}

function prepareAll(jobs: readonly Job[], options: FeatureOptions): Promise<Prepared[]> {
  return mapLimited(jobs, 8, async (job) => {
    const image = await options.load(job.path).catch((cause: unknown) => badImage(job.path, cause))
    if (image instanceof FileError) return { job, bad: image }
    const pixels = job.missing.map((choice) => options.prepare(image, choice && { ...choice, content: job.content }))
    return { job, pixels }
  })
}

async function encodeAll(
  prepared: readonly { readonly job: Job; readonly pixels: readonly Float32Array[] }[],
  options: FeatureOptions,
): Promise<[id: string, row: Float32Array][]> {
  const { dim, encode } = options
  const inputs = prepared.flatMap(({ job, pixels }) =>
    pixels.map((image, i) => ({ id: rowId(job.content, job.missing[i]), path: job.path, image })),
  )
  const rows: [string, Float32Array][] = []
  for (let start = 0; start < inputs.length; start += batchSizeOf(options)) {
    const batch = inputs.slice(start, start + batchSizeOf(options))
    const values = await encode(batch.map(({ image }) => image))
    if (values.length !== batch.length * dim) {
      throw new CoopError(`the image encoder gave ${values.length} values for ${batch.length} images of ${dim} each`)
    }
    batch.forEach(({ id, path }, i) => {
      const row = values.slice(i * dim, (i + 1) * dim)
      if (!row.every(Number.isFinite)) {
        throw new CoopError(`the features of ${path} are not finite`, "check the model's weights: some may be damaged")
      }
      rows.push([id, row])
    })
  }
  return rows
}

function collect(
  items: readonly { readonly path: string }[],
  files: readonly (string | FileError)[],
  reasons: ReadonlyMap<number, string>,
  rows: ReadonlyMap<string, Float32Array>,
  choices: readonly ViewChoice[],
  dim: number,
): Features {
  const kept = items.map((_, i) => i).filter((i) => !reasons.has(i))
  const bad = [...reasons].sort(([a], [b]) => a - b).map(([i, reason]) => ({ path: items[i]!.path, reason }))
  if (kept.length === 0 && bad.length > 0) {
    throw new FileError(`none of the ${bad.length} images can be read; the first: ${bad[0]?.reason}`, 'check the files')
  }
  const data = new Float32Array(kept.length * choices.length * dim)
  kept.forEach((item, k) => {
    const content = files[item]
    choices.forEach((choice, v) => {
      const row = typeof content === 'string' ? rows.get(rowId(content, choice)) : undefined
      if (!row) throw new CoopError(`no features for ${items[item]?.path}`)
      data.set(row, (k * choices.length + v) * dim)
    })
  })
  return { features: floatTensor([kept.length, choices.length, dim], data), kept, bad }
}
