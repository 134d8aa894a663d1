import { computed, type Signal, signal } from '@preact/signals'
import type { Feature } from '../engine.ts'

/** What is known of a picture: nothing yet, that the model has looked at it, or why it cannot be used. */
export type Look = 'waiting' | 'seen' | Error

/** To learn from, or held out. */
export type Part = 'train' | 'test'

export interface Picture {
  readonly id: number
  /** Where a sample says so; otherwise it follows from the name of the file. */
  readonly part?: Part
  readonly file: File
  /** For an <img>; freed with the picture. */
  readonly url: string
  readonly look: Signal<Look>
  feature?: Feature
}

export interface ClassCard {
  readonly id: number
  readonly name: Signal<string>
  readonly pictures: Signal<readonly Picture[]>
}

export const classes = signal<readonly ClassCard[]>([])
let next = 0

export const pictureOf = (file: File, part?: Part): Picture => ({
  id: next++,
  part,
  file,
  url: URL.createObjectURL(file),
  look: signal<Look>('waiting'),
})

export function addClass(name = '', files: readonly File[] = []): ClassCard {
  const card: ClassCard = { id: next++, name: signal(name), pictures: signal(files.map((file) => pictureOf(file))) }
  classes.value = [...classes.value, card]
  return card
}

/** Into the class of that name, or a new one. */
export function addToClass(name: string, files: readonly File[]): void {
  const card = classes.value.find((card) => card.name.value === name)
  if (card) addPictures(card, files)
  else addClass(name, files)
}

export function addPictures(card: ClassCard, files: readonly File[], part?: Part): void {
  card.pictures.value = [...card.pictures.value, ...files.map((file) => pictureOf(file, part))]
}

export function removePicture(card: ClassCard, picture: Picture): void {
  card.pictures.value = card.pictures.value.filter((other) => other !== picture)
  forget([picture])
}

export function removeClass(card: ClassCard): void {
  classes.value = classes.value.filter((other) => other !== card)
  forget(card.pictures.value)
}

export function clearClasses(): void {
  for (const card of classes.value) forget(card.pictures.value)
  classes.value = []
}

export const forget = (pictures: readonly Picture[]): void => {
  for (const { url } of pictures) URL.revokeObjectURL(url)
}

export const allPictures = computed(() => classes.value.flatMap((card) => card.pictures.value))
const isFaulty = (picture: Picture) => picture.look.value instanceof Error

/** A class with a name and pictures that can be used. */
export interface UsableClass {
  readonly name: string
  readonly pictures: readonly Picture[]
}

const byBytes = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** What a folder of pictures of no class is called, which is learned as none. */
const OTHERS = '_other'

/** In the order of their names, as a folder of pictures has them. */
export const usable = computed<readonly UsableClass[]>(() =>
  classes.value
    .map((card) => ({
      name: card.name.value.trim(),
      pictures: card.pictures.value.filter((picture) => !isFaulty(picture)),
    }))
    .filter(({ name, pictures }) => name !== '' && name.toLowerCase() !== OTHERS && pictures.length > 0)
    .sort((a, b) => byBytes(a.name, b.name)),
)

/** Why nothing can be learned yet, for people; empty when it can. */
export const lack = computed(() => {
  const names = usable.value.map(({ name }) => name.toLowerCase().replaceAll('_', ' '))
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) return `Two classes are called “${twice}”: rename or merge them.`
  const unnamed = classes.value.find(({ name, pictures }) => name.value.trim() === '' && pictures.value.length > 0)
  if (unnamed) return 'A class with pictures has no name yet.'
  if (usable.value.length === 0) return 'Add two classes with a few pictures each, or take a sample.'
  if (usable.value.length === 1) return 'One more class: there must be something to tell apart.'
  if (usable.value.every(({ pictures }) => pictures.length < 2))
    return 'Two pictures of a class are the least: one to learn from, one to test on.'
  return ''
})
