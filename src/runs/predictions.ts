import { relative, sep } from 'node:path'
import type { Item } from '../data/items.ts'
import { dims, type FloatTensor } from '../graph/tensor.ts'
import { type Column, writeTable } from '../node/table.ts'
import { judged } from '../trained/measure.ts'
import { probabilitiesOf } from '../trained/trust.ts'

/** What a classifier says of pictures, and of each what it is called. */
export interface Predictions {
  readonly items: readonly Item[]
  /** Of the data set, if they are of one: pictures are then called as it calls them, else by their paths. */
  readonly root?: string
  /** Their classes, indices into the class names, where they are known. */
  readonly labels?: readonly number[]
  readonly classNames: readonly string[]
  /** `(pictures, classes)`; softmax(logits / temperature) gives probabilities. */
  readonly logits: FloatTensor
  readonly temperature?: number
}

/** How a data set calls a picture: below its folder, where it is there, so that no place of this disk is told. */
export function calledIn(root: string, { path, name }: Item): string {
  const below = relative(root, path)
  return name ?? (below.startsWith('..') ? path : below.replaceAll(sep, '/'))
}

/**
 * Writes a row a picture: its class, the one it was given, the probability of that, and logits and probabilities of all. The
 * ending of the file says the format (see writeTable).
 *
 * @returns the files that were written; undefined where none is asked for
 */
export async function writePredictions(file: string | undefined, told: Predictions) {
  if (file === undefined) return undefined
  const { items, root, labels, classNames, logits, temperature } = told
  const [rows, classes] = dims(logits, 2)
  const probabilities = await probabilitiesOf(logits, temperature)
  const { answers: predicted } = await judged(logits, labels ?? [])
  const best = predicted.map((c, i) => Number((probabilities.data[i * classes + c] ?? 0).toPrecision(9)))
  const files = items.map((item) => (root === undefined ? item.path : calledIn(root, item)))
  const columns: Column[] = [
    { kind: 'text', name: 'file', many: 'files', values: files },
    ...(labels ? [{ kind: 'class', name: 'label', many: 'labels', values: labels, classNames } as const] : []),
    { kind: 'class', name: 'predicted', values: predicted, classNames },
    { kind: 'number', name: 'probability', values: best },
    { kind: 'matrix', name: 'logit', many: 'logits', values: logits, classNames },
    { kind: 'matrix', name: 'probability', many: 'probabilities', values: probabilities, classNames },
  ]
  return writeTable(file, { rows, columns, about: { format: 'coop-predictions-1' } })
}
