import type { PictureRow } from '../trained/inspect/types.ts'
import { element, escapeMarkup } from './svg.ts'
import { percent } from './text.ts'

/** Small copies of pictures as data URLs, by their place. */
export type Copies = ReadonlyMap<number, string>

/** Each copy stands once in the page, however often it is seen. */
export const pictureSheet = (copies: Copies): string =>
  [...copies].map(([place, url]) => `.p${place} { background-image: url(${url}); }`).join('\n')

/** A picture, what it is and what the run says; `words` (markup) in place of the answer. */
export function pictureCard(copies: Copies, row: PictureRow, words = answerWords(row)): string {
  const { picture, label, file, part } = row
  const where = file.startsWith(`${part}/`) ? file : `${part}: ${file}`
  const caption = words + element('small', {}, escapeMarkup(where))
  return photoCard(copies.has(picture) ? picture : undefined, `${label}: ${file}`, caption)
}

/** The copy of a place, if there is one, with a caption (markup). */
export function photoCard(place: number | undefined, about: string, caption: string): string {
  const photo =
    place === undefined
      ? element('span', { class: 'photo none' }, 'not in this page')
      : element('span', { class: `photo p${place}`, role: 'img', 'aria-label': about }, '')
  return element('li', {}, element('figure', { class: 'picture' }, photo, element('figcaption', {}, caption)))
}

export const pictureList = (cards: readonly string[]): string => element('ul', { class: 'pictures' }, ...cards)

/** `dog, taken for cat (93.1 %)` */
function answerWords({ label, answer, probability }: PictureRow): string {
  const is = element('span', { class: 'is' }, escapeMarkup(label))
  if (label === answer) return `${is}, ${element('span', { class: 'right' }, `right (${percent(probability)})`)}`
  return `${is}, taken for ${element('span', { class: 'wrong' }, escapeMarkup(answer))} (${percent(probability)})`
}

/** What is not shown of a list. */
export const leftOut = (all: number, shown: number, what: string): string =>
  all > shown ? `The first ${shown} of ${all} ${what}; all of them are in --json.` : ''
