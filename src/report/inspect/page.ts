import { countOf } from '../../base/count.ts'
import type { AlikeRow, Inspection, PictureRow } from '../../trained/inspect/types.ts'
import { plainTable } from '../document.ts'
import { answerSentence, htmlPage, htmlTable, paragraph } from '../html.ts'
import { type Copies, leftOut, pictureCard, pictureList, pictureSheet } from '../pictures.ts'
import { element, escapeMarkup } from '../svg.ts'
import { percent } from '../text.ts'
import { mapFigure, reliabilityFigure, scoreFigure } from './figures.ts'
import { confusionSection } from './matrix.ts'
import { picturesOfGroup, type Shown, shownOf } from './shown.ts'

/** Below the heading of a section: its markup. */
interface Section {
  readonly id: string
  readonly title: string
  readonly body: string
}

/** One page with all about a run in it: no script, nothing loaded from elsewhere. */
export function inspectionPage(inspection: Inspection, copies: Copies): string {
  const shown = shownOf(inspection)
  const { run, data, judged, reliability } = inspection
  const sections: Section[] = [
    { id: 'confusion', title: 'What is taken for what', body: confusionSection(inspection, shown, copies) },
    { id: 'mistakes', title: 'Worst mistakes', body: mistakesOf(inspection, shown, copies) },
    { id: 'labels', title: 'Labels that may be wrong', body: labelsOf(inspection, shown, copies) },
    { id: 'duplicates', title: 'The same picture more than once', body: duplicatesOf(inspection, shown, copies) },
    { id: 'outliers', title: 'Unlike all others', body: outliersOf(inspection, shown, copies) },
    { id: 'classes', title: 'Classes that need pictures most', body: classesOf(inspection) },
    { id: 'map', title: 'Map of the pictures', body: mapOf(inspection, shown, copies) },
    {
      id: 'reliability',
      title: 'Can its probabilities be believed?',
      body: paragraph(reliabilityText(inspection)) + reliabilityFigure(reliability),
    },
  ]
  const links = sections.map(({ id, title }) =>
    element('li', {}, element('a', { href: `#${id}` }, escapeMarkup(title))),
  )
  const title = `${run} on ${data}`
  return htmlPage(
    title,
    [
      element('h1', {}, escapeMarkup(title)),
      answerSentence(answerOf(inspection)),
      seenText(inspection),
      scoreFigure(judged),
      element('nav', { 'aria-label': 'Sections' }, element('ul', {}, ...links)),
      ...sections.map(({ id, title, body }) =>
        element(
          'section',
          { id, 'aria-labelledby': `${id}-title` },
          element('h2', { id: `${id}-title` }, escapeMarkup(title)),
          body,
        ),
      ),
      foot(inspection, copies),
    ],
    pictureSheet(copies),
  )
}

/** What the run is worth, in a sentence. */
export function answerOf({ judged }: Pick<Inspection, 'judged'>): string {
  const {
    tested,
    accuracy,
    interval: [low, high],
    zeroShot,
    chance,
    seen,
  } = judged
  const what = seen ? countOf(tested, 'picture it has seen', 'pictures it has seen') : countOf(tested, 'test picture')
  const others = `hand-written prompts on ${percent(zeroShot)}`
  if (seen) return `The run is right on ${percent(accuracy)} of ${what}, ${others}: there are no test pictures.`
  const range = `95 % interval ${(100 * low).toFixed(1)} to ${percent(high)}`
  return `The run is right on ${percent(accuracy)} of ${what} (${range}), ${others}, guessing on ${percent(chance)}.`
}

function seenText({ judged, learnedFrom, notCompared }: Inspection): string {
  const notes = [
    ...(judged.seen
      ? [
          'It has learned from these very pictures: its own accuracy says nothing of others. What they say of each other is fairer (nearest class mean, each left out). Keep some pictures in test/ to measure it.',
        ]
      : []),
    ...(learnedFrom === 'changed'
      ? [
          'The pictures have changed since the run learned: some of those called train may be new to it, others may be gone.',
        ]
      : []),
    ...(learnedFrom === 'none' ? ['None of these pictures is known to be one that the run learned from.'] : []),
    ...(notCompared > 0 ? [`${notCompared} pictures were not compared with each other: there are too many.`] : []),
  ]
  return notes.map((note) => paragraph(note, judged.seen ? 'warn' : 'note')).join('')
}

const section = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('\n')

function mistakesOf({ mistakes, judged }: Inspection, shown: Shown, copies: Copies): string {
  if (mistakes.length === 0) return paragraph('None: every answer is right.')
  return section(
    paragraph(`${mistakes.length} of ${judged.tested} answers are wrong; those come first of which the run is surest.`),
    pictureList(shown.mistakes.map((row) => pictureCard(copies, row))),
    note(leftOut(mistakes.length, shown.mistakes.length, 'mistakes')),
  )
}

const note = (words: string): string => (words === '' ? '' : paragraph(words, 'note'))

function labelsOf({ labels }: Inspection, shown: Shown, copies: Copies): string {
  const how =
    'Confident learning: another class is seen with more confidence than is usual among its own pictures. Of test pictures by the run and by all other pictures, of training pictures by the others alone, as the run has seen their labels. Most of the nearest neighbours must bear the other label.'
  if (labels.length === 0) return paragraph(`None is found. ${how}`)
  const cards = shown.labels.map((row) => {
    const { label, suggested, doubt } = row
    const words = `labelled ${element('span', { class: 'is' }, escapeMarkup(label))}, looks like ${element('span', { class: 'wrong' }, escapeMarkup(suggested))} (doubt ${percent(doubt)})`
    return pictureCard(copies, row, words)
  })
  return section(
    paragraph(`${countOf(labels.length, 'label')} to look at, the most doubtful first. ${how}`),
    pictureList(cards),
    note(leftOut(labels.length, shown.labels.length, 'labels')),
  )
}

function duplicatesOf({ duplicates }: Inspection, shown: Shown, copies: Copies): string {
  if (duplicates.length === 0) return paragraph('No two pictures are the same or nearly the same.')
  const across = duplicates.filter(({ acrossParts }) => acrossParts).length
  const words = [
    `${countOf(duplicates.length, 'group')} of pictures that are the same to the last bit, or nearly so by their features.`,
    ...(across > 0
      ? [`${countOf(across, 'group')} with pictures both learned from and tested on: they make the accuracy too good.`]
      : ['None of them is both learned from and tested on.']),
  ]
  return section(
    paragraph(words.join(' ')),
    ...shown.duplicates.map((group) => groupOf(group, copies)),
    note(leftOut(duplicates.length, shown.duplicates.length, 'groups')),
  )
}

function groupOf(group: AlikeRow, copies: Copies): string {
  const { same, cosine, acrossParts, differentLabels, pictures } = group
  const shown = picturesOfGroup(group)
  const badges = [
    ...(acrossParts ? ['<span class="badge">learned from and tested on</span>'] : []),
    ...(differentLabels ? ['<span class="badge">different labels</span>'] : []),
    `<span class="badge plain">${same ? 'same content' : `alike ${percent(cosine)}`}</span>`,
  ]
  const more = pictures.length > shown.length ? ` ${shown.length} of ${pictures.length}` : ''
  return element(
    'div',
    { class: 'group' },
    element('p', {}, badges.join(' ') + more),
    pictureList(shown.map((row) => pictureCard(copies, row, nameOf(row)))),
  )
}

const nameOf = ({ label }: PictureRow): string => element('span', { class: 'is' }, escapeMarkup(label))

function outliersOf({ outliers }: Inspection, shown: Shown, copies: Copies): string {
  if (outliers.length === 0) return paragraph('No picture stands far apart from all others.')
  return section(
    paragraph(
      `${countOf(outliers.length, 'picture')} far from all others in the eyes of the model, the strangest first: something else in the folder, a damaged file, or a kind that has too few pictures.`,
    ),
    pictureList(shown.outliers.map((row) => pictureCard(copies, row))),
    note(leftOut(outliers.length, shown.outliers.length, 'outliers')),
  )
}

/** Lines of the table of classes. */
const MOST_CLASSES = 40

function classesOf({ classes, judged }: Inspection): string {
  const lines = classes
    .slice(0, MOST_CLASSES)
    .map(({ label, trained, tested, accuracy, interval, wronglyGiven, takenFor }) => [
      label,
      takenFor ?? '',
      String(trained),
      String(tested),
      accuracy === null ? '' : percent(accuracy),
      interval === null ? '' : `${(100 * interval[0]).toFixed(0)} to ${percent(interval[1])}`,
      String(wronglyGiven),
    ])
  const head = [
    'class',
    'mostly taken for',
    'learned from',
    judged.seen ? 'seen' : 'tested',
    'right',
    '95 % interval',
    'wrongly given',
  ]
  return section(
    paragraph(
      'Those first where one more training picture may take most errors away: that err often, and have few pictures.',
    ),
    htmlTable(plainTable(head, 2, lines)),
    note(leftOut(classes.length, lines.length, 'classes')),
  )
}

function mapOf(inspection: Inspection, shown: Shown, copies: Copies): string {
  const { map, pictures } = inspection
  const all = map.length < pictures.length ? ` ${map.length} of ${pictures.length} pictures, chosen by a seed.` : ''
  return section(
    paragraph(
      `What lies together looks alike to the model (UMAP of the image features); directions and distances between far groups mean little. Green: right, orange: wrong.${all}`,
    ),
    mapFigure(inspection, shown, copies),
  )
}

function reliabilityText({ reliability: { error, bins } }: Inspection): string {
  const of = (what: 'accuracy' | 'confidence') => bins.reduce((sum, bin) => sum + bin.count * bin[what], 0)
  const verdict =
    error < BELIEVABLE
      ? 'They can be taken as they are'
      : of('confidence') > of('accuracy')
        ? 'The run is surer than it should be'
        : 'The run is less sure than it could be'
  return `${verdict}: in the mean its probability is ${percent(error)} off the share of right answers (expected calibration error, 15 bins). A bar on the dashed line is as often right as the run says; the orange line is what it says; paler bars have fewer pictures.`
}

const BELIEVABLE = 0.05

function foot({ run, data, method, model, version, pictures }: Inspection, copies: Copies): string {
  const facts = [
    `${method}, on the model ${model}. ${countOf(pictures.length, 'picture')} of ${data}; small copies of ${copies.size} of them are in this page.`,
    `coop-ts ${version}: coop-ts inspect ${run}`,
  ]
  return element('footer', {}, ...facts.map((fact) => paragraph(fact)))
}
