// What coop-ts promises on every platform: the same work, told as plain JSON, in Node and in a page.
import type { RgbImage } from '../../clip/types.ts'
import { type AnyMethod, type Clip, CoopError, encodeTexts, METHODS, type Runtime } from '../../public/index.ts'
import { lora } from '../lora.ts'

/** A finished run: what its files say. */
export interface Trained {
  readonly accuracy: number | null
  readonly zeroShot: number | null
  readonly trained?: number
  readonly tested?: number
  readonly steps: number
  /** By name. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** An opened run, as far as it is asked. */
export interface Asked {
  readonly classNames: readonly string[]
  classify(pictures: readonly Uint8Array[]): Promise<{ readonly label: string; readonly probability: number }[][]>
  dispose(): Promise<void>
}

/** What a platform brings: coop-ts/node or coop-ts/web, and the same pictures. */
export interface Platform {
  readonly clip: Clip
  readonly runtime: Runtime
  /** Files to decode, by name. */
  readonly pictures: ReadonlyMap<string, Uint8Array>
  decodeImage(picture: never, name: string, options?: { readonly exif?: 'turn' | 'ignore' }): Promise<RgbImage>
  train(options: {
    readonly method: string | AnyMethod
    readonly settings: object
    readonly views?: number | 'online'
  }): Promise<Trained>
  openRun(files: ReadonlyMap<string, Uint8Array>): Promise<Asked>
  evaluateRun(files: ReadonlyMap<string, Uint8Array>): Promise<{ readonly accuracy: number }>
  /** Calls that must be refused, by what is wrong with them. */
  readonly wrong: Readonly<Record<string, () => Promise<unknown>>>
}

/** Few steps of each method. */
const SHORT: Readonly<Record<string, object>> = {
  coop: { epochs: 3, M: 2 },
  cocoop: { epochs: 1, M: 2 },
  kgcoop: { epochs: 3, M: 2 },
  'clip-adapter': { epochs: 3 },
  clap: { epochs: 3 },
  'tip-adapter-f': { epochs: 3 },
  prolip: { epochs: 3 },
  'lp-plus-plus': { iterations: 10 },
}

/** A run of each method, and one that learns from pixels. */
export const LEARNED: readonly {
  readonly method: string | AnyMethod
  readonly name: string
  readonly settings: object
}[] = [
  ...METHODS.map(({ name }) => ({ method: name, name, settings: SHORT[name] ?? {} })),
  { method: lora, name: 'lora', settings: { epochs: 1 } },
]

/** What the page is served with. */
export interface Served {
  readonly model: string
  readonly classNames: readonly string[]
  readonly train: readonly { readonly path: string; readonly label: number }[]
  readonly test: readonly { readonly path: string; readonly label: number }[]
  readonly pictures: readonly string[]
}

/** What a platform says, as plain JSON. */
export interface Said {
  readonly pixels: Readonly<Record<string, { readonly width: number; readonly height: number; readonly data: string }>>
  readonly fingerprint: string
  readonly texts: readonly number[]
  readonly runs: Readonly<Record<string, SaidRun>>
  readonly refused: Readonly<Record<string, string>>
}

/** What a run came to. */
export interface SaidRun {
  readonly accuracy: number | null
  readonly zeroShot: number | null
  readonly trained?: number
  readonly tested?: number
  readonly losses: readonly number[]
  /** settings.json without what differs by platform. */
  readonly settings: unknown
  readonly again: number
  readonly probabilities: readonly (readonly number[])[]
  readonly learned: string
}

const hexOf = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
export const bytesOfHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))

/** Does all that is promised. @param methods names of those to learn by; default: all */
export async function say(platform: Platform, methods?: readonly string[]): Promise<Said> {
  const { clip, runtime, pictures } = platform
  const pixels: Record<string, Said['pixels'][string]> = {}
  for (const [name, bytes] of pictures) {
    const { data, ...size } = await Reflect.apply(platform.decodeImage, undefined, [bytes, name, { exif: 'turn' }])
    pixels[name] = { ...size, data: hexOf(data) }
  }
  const texts = await encodeTexts(clip, runtime, ['a photo of a dog.', 'a drawing of a house.'])
  const runs: Record<string, SaidRun> = {}
  for (const { method, name, settings } of LEARNED) {
    if (methods !== undefined && !methods.includes(name)) continue
    runs[name] = await sayRun(platform, await platform.train({ method, settings }))
  }
  const refused: Record<string, string> = {}
  for (const [name, call] of Object.entries(platform.wrong)) refused[name] = await refusalOf(call)
  return { pixels, fingerprint: clip.fingerprint, texts: Array.from(texts.data), runs, refused }
}

async function sayRun(platform: Platform, run: Trained): Promise<SaidRun> {
  const { accuracy, zeroShot, trained, tested, files } = run
  const text = (file: string) => new TextDecoder().decode(files.get(file))
  const lines = text('metrics.jsonl')
    .split('\n')
    .filter((line) => line !== '')
  const opened = await platform.openRun(files)
  const asked = await opened.classify([...platform.pictures.values()].slice(0, 3))
  await opened.dispose()
  const probabilities = asked.map((labels) =>
    opened.classNames.map((name) => labels.find(({ label }) => label === name)?.probability ?? Number.NaN),
  )
  return {
    accuracy,
    zeroShot,
    trained,
    tested,
    losses: lines.map((line) => JSON.parse(line).loss),
    settings: JSON.parse(text('settings.json')),
    again: (await platform.evaluateRun(files)).accuracy,
    probabilities,
    learned: hexOf(files.get('learned.safetensors') ?? new Uint8Array()),
  }
}

/** The message of an error of ours; anything else says what it is instead. */
async function refusalOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
    return 'it was not refused'
  } catch (error) {
    return error instanceof CoopError ? error.message : `not an error of ours: ${error}`
  }
}
