import { addClass, addPictures, addToClass, type ClassCard } from './state/classes.ts'
import { tell } from './state/notices.ts'

const PICTURE = /\.(jpe?g|jpe|jfif|png|webp|gif|bmp|avif)$/i
const isPicture = (file: File) => file.type.startsWith('image/') || PICTURE.test(file.name)

/** A file and the folder it is in: '' where it was given by itself. */
export interface Found {
  readonly folder: string
  readonly file: File
}

/** What was dropped: files, and all files of folders. */
export async function readDrop(data: DataTransfer): Promise<Found[]> {
  // entries must be asked for before the first wait: afterwards the drop is over
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry())
  const found = await Promise.all(entries.map((entry) => (entry ? filesOf(entry, '') : [])))
  return found.flat()
}

async function filesOf(entry: FileSystemEntry, folder: string): Promise<Found[]> {
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((done, fail) => entry.file(done, fail))
    return [{ folder, file }]
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return []
  const reader = entry.createReader()
  const found: Found[] = []
  for (;;) {
    // gives a hundred at a time
    const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail))
    if (some.length === 0) return found
    for (const one of some) found.push(...(await filesOf(one, entry.name)))
  }
}

/** Files of a folder that was chosen in a dialogue. */
export const chosenFolder = (files: FileList | null): Found[] =>
  Array.from(files ?? [], (file) => ({ folder: file.webkitRelativePath.split('/').at(-2) ?? '', file }))

/** Each folder of pictures is a class; files without one go to the class they were dropped on, or a new one. */
export function takeFound(found: readonly Found[], onto?: ClassCard): void {
  const pictures = found.filter(({ file }) => isPicture(file))
  if (pictures.length === 0 && found.length > 0) {
    tell(
      `No pictures among ${found.length === 1 ? found[0]?.file.name : `${found.length} files`}.`,
      'error',
      'JPEG, PNG, WebP and others that a browser shows can be used.',
    )
  }
  const sorted = pictures.sort((a, b) => (a.file.name < b.file.name ? -1 : 1))
  const folders = new Map<string, File[]>()
  for (const { folder, file } of sorted) folders.set(folder, [...(folders.get(folder) ?? []), file])
  for (const [folder, files] of [...folders].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (onto && folders.size === 1) addPictures(onto, files)
    else if (folder === '') addClass('', files)
    else addToClass(folder, files)
  }
}
