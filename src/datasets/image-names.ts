import { basename, extname, join } from 'node:path'
import { countOf } from '../base/count.ts'
import { type FolderListing, listBelow } from '../node/list-folder.ts'

const words = (text: string) => new Set(text.split(' '))

/** Extensions of the pictures that `decodeImage` reads. */
export const IMAGE_EXTENSIONS = words(
  '.jpg .jpeg .jpe .jfif .png .webp .gif .bmp .tif .tiff .avif .heic .heif .hif .ppm .pgm .pbm .pnm',
)

/** Pictures of other kinds, which people have beside these. */
const OTHER_PICTURES = words(
  '.svg .jp2 .jxl .psd .ico .tga .exr .hdr .eps .pdf .cr2 .cr3 .nef .arw .dng .raf .orf .rw2 .raw',
)

/** Empty class folders that are named. */
const SHOWN = 8

const BAD_LINK = 'broken or circular link'

/** What operating systems leave in folders. */
const LEFTOVERS = words('thumbs.db ehthumbs.db desktop.ini')

/** Whether the file's extension is that of a picture that can be read. */
export function isImageName(file: string): boolean {
  return IMAGE_EXTENSIONS.has(extensionOf(file))
}

const extensionOf = (file: string) => extname(file).toLowerCase()

/** Counts what a reader of folders leaves out. */
export class LeftOut {
  readonly #counts = new Map<string, number>()
  readonly #empty: string[] = []

  add(what: string, count: number): void {
    if (count > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + count)
  }

  /** What a listing of a folder has besides the pictures among its files. */
  async addBeside(folder: string, { files, folders, hidden, badLinks }: FolderListing): Promise<void> {
    const others = files.filter((file) => !isImageName(file) && !LEFTOVERS.has(basename(file).toLowerCase()))
    for (const file of others) this.add(extensionOf(file) || 'without an extension', 1)
    // ._NAME are what macOS keeps beside a picture
    this.add('hidden', hidden.filter((file) => isImageName(file) && !basename(file).startsWith('._')).length)
    this.addLinks(badLinks)
    for (const name of folders) this.add('in sub-folders', await countImages(join(folder, name)))
  }

  addLinks(badLinks: readonly string[]): void {
    this.add(BAD_LINK, badLinks.length)
  }

  /** A class folder without pictures. */
  addEmpty(name: string): void {
    this.#empty.push(name)
  }

  /** `3 .dng (not read: convert them to JPEG or PNG), 2 in sub-folders`; empty when nothing was. */
  toString(): string {
    const counts = [...this.#counts].map(([what, count]) => {
      const remedy = OTHER_PICTURES.has(what) ? ' (not read: convert to JPEG or PNG)' : ''
      return what === BAD_LINK ? countOf(count, what) : `${count} ${what}${remedy}`
    })
    const shown = this.#empty.slice(0, SHOWN).join(', ') + (this.#empty.length > SHOWN ? '...' : '')
    const empty =
      this.#empty.length > 0 ? [`${countOf(this.#empty.length, 'class folder')} without pictures (${shown})`] : []
    return [...empty, ...counts].join(', ')
  }
}

/** Pictures in a folder and all below it, of whatever kind. */
export async function countImages(folder: string): Promise<number> {
  const { files } = await listBelow(folder)
  return files.filter((file) => isImageName(file) || OTHER_PICTURES.has(extensionOf(file))).length
}
