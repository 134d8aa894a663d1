import { signal } from '@preact/signals'
import { forget, type Picture, pictureOf } from './classes.ts'

/** Pictures to try, the newest first. */
export const tried = signal<readonly Picture[]>([])
/** The one whose bars are shown: one of these, or a held-out picture. */
export const shown = signal<Picture | undefined>(undefined)

const MOST = 24

export function tryPictures(files: readonly File[]): void {
  const pictures = files.map((file) => pictureOf(file))
  const all = [...pictures, ...tried.value]
  tried.value = all.slice(0, MOST)
  forget(all.slice(MOST))
  shown.value = pictures[0] ?? shown.value
}
