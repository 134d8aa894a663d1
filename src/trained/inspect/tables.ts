import { breathing, filterBreathing, mapBreathing } from '../../base/breathe.ts'
import type { Hooks } from '../../base/progress.ts'
import { randomFor } from '../../base/random.ts'
import { distinctNames } from '../../data/class-names.ts'
import { dims, type FloatTensor, floatTensor } from '../../graph/tensor.ts'
import { calibrationError, reliabilityBins } from '../../learning/calibration.ts'
import type { Runtime } from '../../runtime/types.ts'
import { sharesOf } from '../measure.ts'
import { probabilitiesOf } from '../trust.ts'
import { centredRows } from './centred.ts'
import { classRows } from './classes.ts'
import { alikePictures } from './duplicates.ts'
import { confirmed, type OthersSay, othersSay, type Suspect, suspectLabels } from './labels.ts'
import { mapOf } from './map.ts'
import { nearestOthers } from './neighbours.ts'
import { outliersOf } from './outliers.ts'
import type { AlikeRow, ConfusionCell, Inspected, InspectionTables, PictureRow } from './types.ts'

const NEIGHBOURS = 15
/** Above these, a seed chooses the pictures that are compared with each other, and those on the map. */
const [MOST_COMPARED, MOST_ON_MAP] = [30_000, 2_000]

/**
 * All tables about a run and at least one picture.
 * @throws CoopError where features are no finite numbers
 */
export async function inspectionTables(
  inspected: Inspected,
  runtime: Runtime,
  hooks: Hooks = {},
): Promise<InspectionTables> {
  const { classNames, pictures, features } = inspected
  const names = distinctNames(classNames)
  const labels = pictures.map(({ label }) => label)
  const probabilities = await probabilitiesOf(inspected.logits)
  const [answers, byHand] = [await answersOf(inspected.logits), await answersOf(inspected.zeroShot)]
  const rows = await pictureRows(inspected, names, { probabilities, answers, byHand })

  const part = PARTS.find((part) => pictures.some((picture) => picture.part === part)) ?? 'test'
  const judged = await filterBreathing(rows, (row) => row.part === part)
  const places = judged.map(({ picture }) => picture)
  const among = (values: readonly number[]) => places.map((i) => values[i] ?? 0)
  const share = (values: readonly number[], of: readonly number[]) =>
    of.filter((i) => values[i] === labels[i]).length / of.length
  const { accuracy, interval, chance, tested } = sharesOf(classNames, among(answers), among(labels))

  const x = await centredRows(features)
  const others = await othersSay(runtime, x, labels, names.length, hooks)
  const heard = places.filter((i) => others.heard[i])
  const leftOut = heard.length === 0 ? null : share(await answersOf(others.probabilities), heard)
  const compared = await chosen(pictures.length, MOST_COMPARED)
  const near = await nearestOthers(runtime, await rowsOf(x, compared), NEIGHBOURS, hooks)
  const ranks = new Map(compared.map((i, k) => [i, k]))
  const suspects = (await suspectsOf(inspected, probabilities, others)).flatMap((suspect) => {
    const picture = ranks.get(suspect.picture)
    return picture === undefined ? [] : [{ ...suspect, picture }]
  })
  const doubtful = confirmed(
    suspects,
    compared.map((i) => labels[i]!),
    near,
  )
  const rowOf = (k: number): PictureRow => rows[compared[k]!]!
  const alike = await alikePictures(
    compared.map((i) => pictures[i]!.content),
    near,
  )
  const outliers = await outliersOf(compared.length, near)
  const onMap = await chosen(pictures.length, MOST_ON_MAP)
  const xOnMap = await rowsOf(x, onMap)
  const whole = onMap.length === compared.length
  const map = await mapOf(xOnMap, whole ? near : await nearestOthers(runtime, xOnMap, NEIGHBOURS, hooks), hooks)

  const judgedProbabilities = await rowsOf(probabilities, places)
  const bins = reliabilityBins(judgedProbabilities, among(labels))
  return {
    classNames: names,
    judged: {
      part,
      seen: part !== 'test',
      tested,
      accuracy,
      interval,
      chance,
      zeroShot: share(byHand, places),
      leftOut,
    },
    pictures: rows,
    confusion: cellsOf(judged),
    mistakes: judged
      .filter(({ answer, label }) => answer !== label)
      .sort((a, b) => b.probability - b.ofLabel - (a.probability - a.ofLabel)),
    labels: doubtful.map(({ picture, suggested, doubt }) => ({
      ...rowOf(picture),
      suggested: names[suggested] ?? '',
      doubt,
    })),
    duplicates: alike.map((group) => alikeRow(group.pictures.map(rowOf), group)).sort(byConcern),
    outliers: outliers.map(({ picture, likeness }) => ({ ...rowOf(picture), likeness })),
    map: onMap.map((picture, i) => ({ picture, x: map[2 * i]!, y: map[2 * i + 1]! })),
    reliability: {
      error: calibrationError(judgedProbabilities, among(labels)),
      bins: bins.filter(({ count }) => count > 0),
    },
    classes: classRows(names, rows, judged),
    notCompared: pictures.length - compared.length,
  }
}

/** Judged are the pictures of the first of these that there are. */
const PARTS = ['test', 'train', 'val'] as const

/** The most probable class of each row `(n, classes)`. */
async function answersOf({ shape, data }: FloatTensor): Promise<number[]> {
  const [n, classes] = dims({ shape }, 2, 'logits')
  return mapBreathing(Array(n).keys(), (i) => {
    let best = 0
    for (let c = 1; c < classes; c++) if (data[i * classes + c]! > data[i * classes + best]!) best = c
    return best
  })
}

interface Seen {
  readonly probabilities: FloatTensor
  readonly answers: readonly number[]
  readonly byHand: readonly number[]
}

function pictureRows(
  { pictures }: Inspected,
  names: readonly string[],
  { probabilities, answers, byHand }: Seen,
): Promise<PictureRow[]> {
  return mapBreathing(pictures.entries(), ([picture, { file, part, label }]) => {
    const answer = answers[picture]!
    const probability = (c: number) => probabilities.data[picture * names.length + c]!
    return {
      picture,
      file,
      part,
      label: names[label]!,
      answer: names[answer]!,
      probability: probability(answer),
      ofLabel: probability(label),
      zeroShot: names[byHand[picture]!]!,
    }
  })
}

/**
 * Suspect labels of the pictures that the run has not seen, by the mean of what the run and what the other pictures say; and
 * of those it has seen, by the others alone. How sure is usual differs between the two.
 */
async function suspectsOf({ pictures }: Inspected, own: FloatTensor, others: OthersSay): Promise<Suspect[]> {
  const labels = pictures.map(({ label }) => label)
  const unseen = pictures.map(({ part }) => part === 'test')
  const [n, classes] = dims(own, 2)
  const mixed = floatTensor([n, classes])
  await breathing(n, (i) => {
    const share = others.heard[i] ? 0.5 : 1
    for (let k = i * classes; k < (i + 1) * classes; k++) {
      mixed.data[k] = share * own.data[k]! + (1 - share) * others.probabilities.data[k]!
    }
  })
  const seen = unseen.map((is, i) => !is && others.heard[i] === true)
  const found = [
    ...(await suspectLabels(mixed, labels, unseen)),
    ...(await suspectLabels(others.probabilities, labels, seen)),
  ]
  return found.sort((a, b) => b.doubt - a.doubt)
}

/** `most` of the numbers up to n, in order, by a seed; all where there are no more. */
async function chosen(n: number, most: number): Promise<number[]> {
  const all = Array.from({ length: n }, (_, i) => i)
  if (n <= most) return all
  return [...randomFor('inspect', n).permutation(n).subarray(0, most)].sort((a, b) => a - b)
}

async function rowsOf({ shape, data }: FloatTensor, places: readonly number[]): Promise<FloatTensor> {
  const [n, d] = dims({ shape }, 2)
  if (places.length === n) return floatTensor([n, d], data)
  const some = floatTensor([places.length, d])
  await breathing(places.length, (k) => {
    some.data.set(data.subarray(places[k]! * d, (places[k]! + 1) * d), k * d)
  })
  return some
}

function cellsOf(judged: readonly PictureRow[]): ConfusionCell[] {
  const cells = new Map<string, { label: string; answer: string; pictures: number[] }>()
  for (const { label, answer, picture } of judged) {
    const key = JSON.stringify([label, answer])
    const cell = cells.get(key) ?? { label, answer, pictures: [] }
    cells.set(key, cell)
    cell.pictures.push(picture)
  }
  return [...cells.values()].sort((a, b) => b.pictures.length - a.pictures.length)
}

function alikeRow(pictures: readonly PictureRow[], { same, cosine }: Pick<AlikeRow, 'same' | 'cosine'>): AlikeRow {
  return {
    pictures,
    same,
    cosine,
    acrossParts: new Set(pictures.map(({ part }) => part === 'test')).size > 1,
    differentLabels: new Set(pictures.map(({ label }) => label)).size > 1,
  }
}

/** Those that make an accuracy too good come first, then labels that contradict each other, then the most alike. */
const byConcern = (a: AlikeRow, b: AlikeRow): number =>
  Number(b.acrossParts) - Number(a.acrossParts) ||
  Number(b.differentLabels) - Number(a.differentLabels) ||
  b.cosine - a.cosine
