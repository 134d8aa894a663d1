import { aSeed, checkArguments, wholeFrom } from '../base/arguments.ts'
import { MAX_VIEWS } from '../base/bounds.ts'
import { breathing, mapBreathing } from '../base/breathe.ts'
import { countOf } from '../base/count.ts'
import { CoopError, FileError } from '../base/errors.ts'
import { mapLimited, pipeline } from '../base/overlap.ts'
import { sha256 } from '../base/sha256.ts'
import { orStopped } from '../base/stop.ts'
import { type FloatTensor, floatTensor } from '../graph/tensor.ts'
import { type Picture, pictureName } from '../pictures/picture.ts'
import type { View } from '../pictures/views.ts'

/** Feature vectors that are kept between runs, by id (64 hex digits). */
export interface FeatureCache {
  /** The kept vectors among `ids`. */
  read(ids: ReadonlySet<string>): Promise<Map<string, Float32Array>>
  /** Keeps vectors. Throws when they cannot be kept. */
  append(rows: ReadonlyMap<string, Float32Array>): Promise<void>
}

export interface FeatureOptions {
  /** Hex SHA-256 of what a picture is: the same content, the same features. What it throws makes the picture a bad one. */
  readonly content: (picture: Picture) => Promise<string>
  /**
   * Pixels `(3, size, size)` for the encoder, of each view of a picture that messages call `name`; of an undefined one as for
   * testing (resize, centre crop). What it throws makes the picture a bad one.
   */
  readonly pixels: (
    picture: Picture,
    name: string,
    views: readonly (View | undefined)[],
  ) => Promise<readonly Float32Array[]>
  /** Features `(n, dim)` of n pictures, 1 <= n <= batchSize. */
  readonly encode: (images: readonly Float32Array[]) => Promise<Float32Array>
  /** Says which model and preprocessing `encode` and `pixels` are: same key, same features. */
  readonly encoderKey: string
  readonly dim: number
  /** Augmented views of each picture; without it one view as for testing. */
  readonly views?: { readonly count: number; readonly seed: number }
  /** What keeps this encoder's features between runs; without it they are not kept. */
  readonly cache?: FeatureCache
  /** Leave out pictures that cannot be read, and name them in `bad`, instead of throwing. */
  readonly skipBadImages?: boolean
  /** Pictures done so far, of all; `done` only grows. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
  /** Called when features cannot be cached (full disk, read-only folder); the run continues. */
  readonly onWarning?: (warning: string) => void
  /** Stops soon, and keeps what is encoded by then; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal
  readonly batchSize?: number
}

export interface BadPicture {
  readonly name: string
  readonly reason: string
}

export interface Features {
  /** `(kept, views, dim)`, not normalised. */
  readonly features: FloatTensor
  /** Index into the pictures for each row of `features`. */
  readonly kept: readonly number[]
  readonly bad: readonly BadPicture[]
  /** Hash of the kept pictures' contents in their order, the views and the encoder: the same key, the same features. */
  readonly key: string
}

/** Vectors (or time) after which what was computed goes to disk. */
const FLUSH_ROWS = 256
const FLUSH_MS = 5000

type ViewChoice = Pick<View, 'seed' | 'index'> | undefined

/** One content: where it stands among the pictures, and its rows of features. */
interface Content {
  readonly content: string
  readonly at: readonly number[]
  readonly picture: Picture
  readonly name: string
  readonly rows: readonly Row[]
}

interface Row {
  readonly id: string
  readonly choice: ViewChoice
}

/** A source of which features are to be computed: the rows that are not in the cache. */
interface Pending {
  readonly source: Content
  readonly missing: readonly Row[]
}

/** A job's pixels, one for each missing view; or why the picture cannot be read. */
type Prepared =
  | { readonly job: Pending; readonly pixels: readonly Float32Array[] }
  | { readonly job: Pending; readonly bad: FileError }

/**
 * Features of pictures, computed once for each content and kept in the cache; pictures are decoded while the ones before
 * them are encoded, two batches in memory at a time.
 *
 * Throws FileError naming the first picture that cannot be read (unless `skipBadImages`), or when none can; CoopError
 * when the encoder gives something other than finite features.
 */
export async function featuresOf(pictures: readonly Picture[], options: FeatureOptions): Promise<Features> {
  if (options.views) checkArguments('views', options.views, { count: wholeFrom(1, MAX_VIEWS), seed: aSeed })
  const choices = viewChoices(options)
  const names = pictures.map(pictureName)
  const reasons = new Map<number, string>()
  const progress = progressOf(pictures.length, options)
  const reject = (error: FileError, indices: readonly number[]) => {
    if (!options.skipBadImages) throw error
    for (const i of indices) reasons.set(i, error.message)
    progress(indices.length)
  }

  const contents = await mapLimited(pictures, 16, (picture, i) => {
    options.signal?.throwIfAborted()
    return options.content(picture).catch((cause: unknown) => badImage(names[i] ?? '', cause))
  })
  for (const [i, content] of contents.entries()) if (content instanceof FileError) reject(content, [i])
  const sources = await sourcesOf(pictures, names, contents, choices)
  const store = await openStore(new Set(await idsOf(sources)), options)
  const jobs: Pending[] = []
  await mapBreathing(sources, (source) => {
    const missing = source.rows.filter(({ id }) => !store.rows.has(id))
    if (missing.length === 0) progress(source.at.length)
    else jobs.push({ source, missing })
  })
  const finish = async (prepared: readonly Prepared[]) => {
    const bad = prepared.filter((result) => 'bad' in result)
    const good = prepared.filter((result) => 'pixels' in result)
    for (const { job, bad: error } of bad) reject(error, job.source.at)
    for (const [id, row] of await encodeAll(good, options)) store.add(id, row)
    await store.flush({ all: false })
    for (const { job } of good) progress(job.source.at.length)
  }
  try {
    await pipeline(pendingBatches(jobs, batchSizeOf(options)), (batch) => prepareAll(batch, options), finish)
  } finally {
    await store.flush({ all: true })
  }

  const bad = [...reasons].sort(([a], [b]) => a - b).map(([i, reason]) => ({ name: names[i] ?? '', reason }))
  const kept = [...pictures.keys()].filter((i) => !reasons.has(i))
  if (kept.length === 0 && bad.length > 0) {
    throw new FileError(
      `none of the ${countOf(bad.length, 'picture')} can be read; the first: ${bad[0]?.reason}`,
      'check the files',
    )
  }
  const { encoderKey, views, dim } = options
  const key = { encoder: encoderKey, views: views && [views.count, views.seed], contents: kept.map((i) => contents[i]) }
  const features = await collect(kept, sources, store.rows, [kept.length, choices.length, dim])
  return { features, kept, bad, key: await sha256(JSON.stringify(key)) }
}

async function idsOf(sources: readonly Content[]): Promise<string[]> {
  return (await mapBreathing(sources, ({ rows }) => rows.map(({ id }) => id))).flat()
}

const batchSizeOf = (options: FeatureOptions) => options.batchSize ?? 32

function viewChoices({ views }: FeatureOptions): ViewChoice[] {
  if (!views) return [undefined]
  return Array.from({ length: views.count }, (_, index) => ({ seed: views.seed, index }))
}

/** The contents of the pictures that have one, in the order in which they come first. */
function sourcesOf(
  pictures: readonly Picture[],
  names: readonly string[],
  contents: readonly (string | FileError)[],
  choices: readonly ViewChoice[],
): Promise<Content[]> {
  const places = new Map<string, number[]>()
  contents.forEach((content, i) => {
    if (content instanceof FileError) return
    const known = places.get(content)
    if (known) known.push(i)
    else places.set(content, [i])
  })
  return mapLimited([...places], 16, async ([content, at]) => {
    const [first = 0] = at
    const rows = await Promise.all(choices.map(async (choice) => ({ choice, id: await rowId(content, choice) })))
    return { content, at, picture: pictures[first] ?? '', name: names[first] ?? '', rows }
  })
}

function badImage(name: string, cause: unknown): FileError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const message = reason.includes(name) ? reason : `cannot read the picture ${name}: ${reason}`
  const remedy = (cause instanceof FileError && cause.remedy) || 'replace or remove the file'
  return new FileError(message, `${remedy}; skipBadImages (--skip-bad-images) leaves such pictures out`, { cause })
}

async function rowId(content: string, choice: ViewChoice): Promise<string> {
  return choice ? sha256(`${content} view ${choice.index} of seed ${choice.seed}`) : content
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
async function openStore(ids: ReadonlySet<string>, { onWarning, ...options }: FeatureOptions) {
  let { cache } = options
  const rows = (await cache?.read(ids)) ?? new Map<string, Float32Array>()
  const pending = new Map<string, Float32Array>()
  let flushed = performance.now()

  return {
    rows,
    add(id: string, row: Float32Array) {
      rows.set(id, row)
      if (cache) pending.set(id, row)
    },
    async flush({ all }: { readonly all: boolean }) {
      if (!cache || (!all && pending.size < FLUSH_ROWS && performance.now() - flushed < FLUSH_MS)) return
      try {
        await cache.append(pending)
      } catch (error) {
        cache = undefined
        onWarning?.(`image features are not cached: ${error instanceof Error ? error.message : error}`)
      }
      pending.clear()
      flushed = performance.now()
    },
  }
}

/** Groups of jobs with about `size` missing views together. */
function pendingBatches(jobs: readonly Pending[], size: number): Pending[][] {
  const batches: Pending[][] = []
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

function prepareAll(jobs: readonly Pending[], options: FeatureOptions): Promise<Prepared[]> {
  return mapLimited(jobs, 8, async (job) => {
    options.signal?.throwIfAborted()
    const { content, picture, name } = job.source
    const views = job.missing.map(({ choice }) => choice && { ...choice, content })
    const pixels = await options.pixels(picture, name, views).catch((cause: unknown) => badImage(name, cause))
    return pixels instanceof FileError ? { job, bad: pixels } : { job, pixels }
  })
}

async function encodeAll(
  prepared: readonly { readonly job: Pending; readonly pixels: readonly Float32Array[] }[],
  options: FeatureOptions,
): Promise<[id: string, row: Float32Array][]> {
  const { dim, encode, signal } = options
  const inputs = prepared.flatMap(({ job, pixels }) =>
    pixels.map((image, i) => ({ id: job.missing[i]?.id ?? '', name: job.source.name, image })),
  )
  const rows: [string, Float32Array][] = []
  for (let start = 0; start < inputs.length; start += batchSizeOf(options)) {
    const batch = inputs.slice(start, start + batchSizeOf(options))
    const values = await orStopped(encode(batch.map(({ image }) => image)), signal)
    if (values.length !== batch.length * dim) {
      throw new CoopError(`the image encoder gave ${values.length} values for ${batch.length} images of ${dim} each`)
    }
    batch.forEach(({ id, name }, i) => {
      const row = values.slice(i * dim, (i + 1) * dim)
      if (!row.every(Number.isFinite)) {
        throw new CoopError(`the features of ${name} are not finite`, "the model's weights may be damaged: check them")
      }
      rows.push([id, row])
    })
  }
  return rows
}

/** Rows for the kept pictures, `(kept, views, dim)`. */
async function collect(
  kept: readonly number[],
  sources: readonly Content[],
  found: ReadonlyMap<string, Float32Array>,
  [images, views, dim]: readonly [number, number, number],
): Promise<FloatTensor> {
  const features = floatTensor([images, views, dim])
  const sourceAt = new Map<number, Content>()
  await mapBreathing(sources, (source) => {
    for (const i of source.at) sourceAt.set(i, source)
  })
  await breathing(kept.length, (k) => {
    const i = kept[k] ?? 0
    sourceAt.get(i)?.rows.forEach(({ id }, v) => {
      const row = found.get(id)
      if (!row) throw new CoopError(`no features for ${sourceAt.get(i)?.name}`)
      features.data.set(row, (k * views + v) * dim)
    })
  })
  return features
}
