import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { z } from 'zod'
import { FileError } from '../../../base/errors.ts'
import { writeFileAtomic } from '../../../node/files.ts'
import type { Picture, PictureFacts, PictureSet } from './types.ts'

/** Side of the stored square; larger than the model's 64, so that turning and cropping keep detail. */
export const spriteSide = 80

/** Raise it when rendering changes: caches with another number are made again. */
const cacheVersion = 1

/** A drawing without background. */
export interface Sprite {
  /** `(side, side, 4)` premultiplied RGBA, or `(side, side)` coverage where the facts say `palette: false`. */
  readonly pixels: Uint8Array
  readonly facts: PictureFacts
}

const factsShape = z.object({
  id: z.string(),
  set: z.string(),
  style: z.string(),
  group: z.enum(['emoji', 'icon', 'clipart']),
  concept: z.string(),
  label: z.string(),
  keywords: z.array(z.string()),
  subgroup: z.string(),
  section: z.string(),
  tones: z.array(z.number()),
  palette: z.boolean(),
  flippable: z.boolean(),
})
const indexShape = z.object({
  version: z.number(),
  side: z.number(),
  bytes: z.number(),
  pictures: z.array(factsShape),
  failed: z.array(z.string()),
})
const listShape = z.object({ version: z.number(), sets: z.array(z.string()) })

export interface RenderProgress {
  readonly set: string
  readonly pictures: number
  readonly failed: number
  /** True when the set was in the cache already. */
  readonly kept: boolean
}

/**
 * Renders every set into `folder`, two files a set: `NAME.pixels` and `NAME.json`. A set that is there already is kept,
 * so a killed preparation goes on where it was. Pictures that do not render are left out and named in the index.
 */
export async function renderSets(
  sets: readonly PictureSet[],
  folder: string,
  report: (progress: RenderProgress) => void = () => {},
): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const set of sets) {
    const before = await readIndex(folder, set.name)
    const kept = before !== undefined && hasPictures(before, set.pictures)
    const { failed, bytes } = kept ? before : await renderInto(folder, set)
    const left = new Set(failed)
    // What is known of the pictures is written anew even where the pixels are kept.
    const pictures = set.pictures.filter(({ id }) => !left.has(id)).map(({ source: _, ...facts }) => facts)
    const index = { version: cacheVersion, side: spriteSide, bytes, pictures, failed }
    await writeFileAtomic(join(folder, `${set.name}.json`), JSON.stringify(index))
    report({ set: set.name, pictures: pictures.length, failed: failed.length, kept })
  }
  // The list comes last: a folder with a list is whole.
  const list = { version: cacheVersion, sets: sets.map((set) => set.name) }
  await writeFileAtomic(join(folder, 'sets.json'), JSON.stringify(list))
}

/** Reads a prepared folder. Throws FileError where preparation was not finished or a file is damaged. */
export async function readSprites(folder: string): Promise<Sprite[]> {
  const list = listShape.safeParse(await readJson(join(folder, 'sets.json')))
  if (!list.success || list.data.version !== cacheVersion)
    throw new FileError(`${folder} holds no prepared training pictures`, 'npm run pretrain prepares them')
  const sprites: Sprite[] = []
  for (const set of list.data.sets) {
    const index = await readIndex(folder, set)
    const file = join(folder, `${set}.pixels`)
    const bytes = await readFile(file)
    if (index === undefined || bytes.length !== index.bytes)
      throw new FileError(`${file} does not fit its index`, 'delete the folder and prepare the pictures again')
    let at = 0
    for (const facts of index.pictures) {
      const size = bytesOf(facts)
      sprites.push({ facts, pixels: new Uint8Array(bytes.buffer, bytes.byteOffset + at, size) })
      at += size
    }
  }
  return sprites
}

async function renderInto(folder: string, set: PictureSet): Promise<{ failed: string[]; bytes: number }> {
  const { sprites, failed } = await renderSet(set.pictures)
  const pixels = Buffer.concat(sprites.map((sprite) => sprite.pixels))
  await writeFileAtomic(join(folder, `${set.name}.pixels`), pixels)
  return { failed, bytes: pixels.length }
}

/** Whether the index is of these pictures, in this order, stored in these formats. */
function hasPictures(index: z.infer<typeof indexShape>, pictures: readonly Picture[]): boolean {
  const failed = new Set(index.failed)
  const wanted = pictures.filter(({ id }) => !failed.has(id))
  return (
    wanted.length === index.pictures.length &&
    pictures.length === wanted.length + index.failed.length &&
    wanted.every(({ id, palette }, i) => id === index.pictures[i]?.id && palette === index.pictures[i]?.palette)
  )
}

function bytesOf(facts: PictureFacts): number {
  return spriteSide * spriteSide * (facts.palette ? 4 : 1)
}

async function readIndex(folder: string, set: string): Promise<z.infer<typeof indexShape> | undefined> {
  const index = indexShape.safeParse(await readJson(join(folder, `${set}.json`)))
  return index.success && index.data.version === cacheVersion && index.data.side === spriteSide ? index.data : undefined
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** Pictures that are decoded at the same time. */
const atOnce = 8

async function renderSet(pictures: readonly Picture[]): Promise<{ sprites: Sprite[]; failed: string[] }> {
  const sprites: Sprite[] = []
  const failed: string[] = []
  for (let start = 0; start < pictures.length; start += atOnce) {
    const some = pictures.slice(start, start + atOnce)
    const rendered = await Promise.all(some.map((picture) => renderPicture(picture).catch(() => undefined)))
    rendered.forEach((pixels, i) => {
      const { source: _, ...facts } = some[i]!
      if (pixels === undefined) failed.push(facts.id)
      else sprites.push({ facts, pixels })
    })
  }
  return { sprites, failed }
}

/** The sprite's pixels; undefined for an empty drawing. */
async function renderPicture(picture: Picture): Promise<Uint8Array | undefined> {
  const input = 'svg' in picture.source ? Buffer.from(sized(picture.source.svg)) : picture.source.file
  const raw = await sharp(input, { limitInputPixels: 50_000_000 })
    .resize(spriteSide, spriteSide, { fit: 'contain', background: { r: 0, g: 0, b: 0, alpha: 0 } })
    .ensureAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer()
  if (raw.length !== spriteSide * spriteSide * 4) return undefined
  const covered = raw.reduce((sum, value, i) => sum + (i % 4 === 3 ? value : 0), 0)
  if (covered < 255 * 40) return undefined
  return picture.palette ? premultiplied(raw) : coverage(raw)
}

/** The SVG drawn at the sprite's size from the start, so that nothing is resampled. */
function sized(svg: string): string {
  return svg.replace('<svg ', `<svg width="${spriteSide}" height="${spriteSide}" `)
}

function premultiplied(rgba: Uint8Array): Uint8Array {
  const out = new Uint8Array(rgba.length)
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3]!
    for (let c = 0; c < 3; c++) out[i + c] = Math.round((rgba[i + c]! * alpha) / 255)
    out[i + 3] = alpha
  }
  return out
}

function coverage(rgba: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: rgba.length / 4 }, (_, i) => rgba[i * 4 + 3]!)
}
