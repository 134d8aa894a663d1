import { aClip, aList, aRuntime, checkArguments, someHooks } from '../base/arguments.ts'
import type { Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import type { Exif } from '../pictures/picture.ts'
import type { Runtime } from '../runtime/types.ts'
import { type EncodeOptions, encodeSets, imageRows } from '../trained/pictures.ts'
import { DEFAULT_EXIF } from './data.ts'
import { webReader } from './reader.ts'

/** What imageFeatures is told of the pictures. */
export interface FeaturesOptions extends Pick<EncodeOptions, 'exif' | 'transforms'> {
  /** `trunk`: features before the image tower's last projection, `(trunk)` each. Default: features. */
  readonly takes?: 'features' | 'trunk'
}

/**
 * Image features of pictures, `(embed)` each, not normalised; undefined for one that cannot be read, which a warning names. The
 * page remembers them: training on the same pictures finds them.
 */
export async function imageFeatures(
  clip: Clip,
  runtime: Runtime,
  pictures: readonly Blob[],
  { exif = DEFAULT_EXIF, transforms, takes }: FeaturesOptions = {},
  hooks: Hooks = {},
): Promise<(Float32Array | undefined)[]> {
  checkArguments(
    'imageFeatures',
    { clip, runtime, pictures, hooks },
    { clip: aClip, runtime: aRuntime, pictures: aList, hooks: someHooks },
  )
  const names = pictures.map((picture, i) => `${picture instanceof File ? picture.name : 'picture'} (${i + 1})`)
  const files = new Map(pictures.map((picture, i) => [names[i] ?? '', picture]))
  const items = names.map((path) => ({ path, label: 0, turned: turned(exif) }))
  const [encoded] = await encodeSets(
    webReader(files),
    clip,
    runtime,
    [{ items }],
    { transforms, skipBadImages: true },
    hooks,
  )
  const { shape, data } = imageRows(encoded, takes)
  const [, width = 0] = shape
  const rows = new Map(encoded.items.map(({ path }, i) => [path, data.slice(i * width, (i + 1) * width)]))
  return names.map((name) => rows.get(name))
}

const turned = (exif: Exif): true | undefined => (exif === 'turn' ? true : undefined)
