import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import type { RgbImage } from '../../clip/types.ts'
import {
  type Emoji,
  loadEmoji,
  loadEmojiNames,
  normaliseCode,
  resolvePackageFile,
  squeeze,
} from '../pretrain/art/emoji.ts'
import { loadIconSet } from '../pretrain/art/iconify.ts'
import type { HeldOutStyle } from './types.ts'

type Source = { readonly svg: string } | { readonly file: string }

/** The styles kept out of training, and the npm package of each. All are development dependencies. */
export const heldOutStyles: Readonly<Record<HeldOutStyle, string>> = {
  'fluent-3d': '@lobehub/fluent-emoji-3d',
  'fluent-flat': '@iconify-json/fluent-emoji-flat',
  'fluent-high-contrast': '@iconify-json/fluent-emoji-high-contrast',
  openmoji: '@iconify-json/openmoji',
  'emojione-v1': '@iconify-json/emojione-v1',
  streamline: '@iconify-json/streamline-emojis',
}

/** Side of a rendered drawing; the model's own preprocessing brings it to its size. */
export const drawingSide = 128

/** The held-out drawings, by style and emoji. */
export interface HeldOut {
  readonly emoji: ReadonlyMap<string, Emoji>
  has(style: HeldOutStyle, code: string): boolean
  render(style: HeldOutStyle, code: string): Promise<RgbImage>
}

/** Finds what is installed. Throws FileError when a package is missing. */
export async function openHeldOut(): Promise<HeldOut> {
  const emoji = await loadEmoji()
  const names = await loadEmojiNames(emoji)
  const sources: Readonly<Record<HeldOutStyle, ReadonlyMap<string, Source>>> = {
    'fluent-3d': await fluent3d(),
    'fluent-flat': await iconify('fluent-emoji-flat', emoji, names),
    'fluent-high-contrast': await iconify('fluent-emoji-high-contrast', emoji, names),
    openmoji: await iconify('openmoji', emoji, names),
    'emojione-v1': await iconify('emojione-v1', emoji, names),
    streamline: await iconify('streamline-emojis', emoji, names),
  }
  return {
    emoji,
    has: (style, code) => sources[style].has(code),
    async render(style, code) {
      const source = sources[style].get(code)
      if (source === undefined) throw new RangeError(`${style} has no drawing of ${code}`)
      return await renderDrawing(source)
    },
  }
}

async function fluent3d(): Promise<Map<string, Source>> {
  // The package exports nothing; its folder is found by its description.
  const folder = join(dirname(resolvePackageFile(`${heldOutStyles['fluent-3d']}/package.json`)), 'assets')
  const files = (await readdir(folder)).filter((file) => file.endsWith('.webp')).sort()
  return new Map(files.map((file) => [normaliseCode(file.replace('.webp', '')), { file: join(folder, file) }]))
}

async function iconify(
  set: string,
  emoji: ReadonlyMap<string, Emoji>,
  names: ReadonlyMap<string, string>,
): Promise<Map<string, Source>> {
  const { icons, codes } = await loadIconSet(set)
  const found = new Map<string, Source>()
  const add = (code: string | undefined, name: string) => {
    const icon = icons.get(name)
    if (code !== undefined && icon !== undefined && emoji.has(code) && !found.has(code)) found.set(code, icon)
  }
  for (const [code, name] of codes) add(code, name)
  for (const name of icons.keys()) add(names.get(squeeze(name)), name)
  return found
}

async function renderDrawing(source: Source): Promise<RgbImage> {
  const size = `width="${drawingSide}" height="${drawingSide}"`
  const input = 'svg' in source ? Buffer.from(source.svg.replace('<svg ', `<svg ${size} `)) : source.file
  const { data, info } = await sharp(input)
    .resize(drawingSide, drawingSide, { fit: 'contain', background: 'white' })
    .flatten({ background: 'white' })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  if (info.channels !== 3) throw new RangeError(`a drawing came out with ${info.channels} channels`)
  return { width: info.width, height: info.height, data: new Uint8Array(data) }
}
