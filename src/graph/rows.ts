import { checkArguments, lengths as listOfLengths, wholes } from '../base/arguments.ts'
import { apply, expectShapes, expectValues, type Value } from './graph.ts'
import { sum } from './reduction.ts'
import { concat, expand, reshape } from './shaping.ts'
import { type Shape, sizeOf } from './tensor.ts'

/**
 * Rows of a table: `(rows, ...)` by indices `(n)` int64 gives `(n, ...)`. The gradient adds up rows taken twice: where
 * the indices are known by `sumOfCopies`, else by `scatterAdd`.
 */
export function gather(table: Value, indices: Value): Value {
  expectValues('gather', [table, indices])
  expectShapes(
    table.shape.length >= 1 && indices.dtype === 'int64',
    'gather',
    [table, indices],
    'a table and int64 rows',
  )
  const shape = [...indices.shape, ...table.shape.slice(1)]
  const gradient = (dy: Value) => {
    const known = listOf(indices)
    if (known === undefined) return scatterAdd(table.shape, indices, dy)
    return sumOfCopies(table.shape[0] ?? 0, known, reshape(dy, [known.length, ...table.shape.slice(1)]))
  }
  return apply('Gather', [table, indices], shape, (dy) => [gradient(dy), null], { axis: 0 })
}

/** The same rows are often taken again, layer by layer. */
const lists = new WeakMap<Value, readonly number[]>()

/** Indices that are known when the graph is built. */
function listOf(indices: Value): readonly number[] | undefined {
  const { tensor } = indices.node
  if (tensor?.dtype !== 'int64') return undefined
  const list = lists.get(indices) ?? Object.freeze(Array.from(tensor.data, Number))
  lists.set(indices, list)
  return list
}

/**
 * Row i of the result, of so many, is the sum of those rows of copies `(n, ...)` whose entry in `of` is i; entries of -1
 * belong to none. Rows with as many copies as each other are summed side by side: ONNX Runtime is faster at that than at
 * scattering.
 */
export function sumOfCopies(rows: number, of: readonly number[], copies: Value): Value {
  expectValues('sumOfCopies', [copies])
  const [n, ...row] = copies.shape
  const { isSound, groups, order } = sumsOf(rows, of)
  expectShapes(n === of.length && isSound, 'sumOfCopies', [copies], `${of.length} of ${rows} rows`)
  const sums = groups.map(({ count, alike, places }) => {
    if (count === 0) return expand(copies.graph.scalar(0), [1, ...row])
    if (count === 1) return copies
    return reshape(sum(reshape(rowsAt(copies, places), [alike, count, ...row]), [1]), [alike, ...row])
  })
  return rowsAt(concat(sums, 0), order)
}

/** How copies are summed: those of rows with as many of them together, then the sums in the order of the rows. */
interface Sums {
  readonly rows: number
  /** Whether all entries are below the number of rows. */
  readonly isSound: boolean
  /** Of those with none: one row of zeros; of those with one: all copies as they are. */
  readonly groups: readonly { readonly count: number; readonly alike: number; readonly places: readonly number[] }[]
  readonly order: readonly number[]
}

/** Of frozen lists. */
const known = new WeakMap<readonly number[], Sums>()

function sumsOf(rows: number, of: readonly number[]): Sums {
  const before = known.get(of)
  if (before !== undefined && before.rows === rows) return before
  checkArguments('sumOfCopies', { of }, { of: wholes })
  const placesOf = Array.from({ length: rows }, (): number[] => [])
  for (const [place, i] of of.entries()) placesOf[i]?.push(place)
  const order = Array.from({ length: rows }, () => 0)
  let next = 0
  const groups = [...new Set(placesOf.map(({ length }) => length))].map((count) => {
    const places: number[] = []
    const first = next
    let alike = 0
    for (const [i, found] of placesOf.entries()) {
      if (found.length !== count) continue
      order[i] = first + (count === 0 ? 0 : count === 1 ? (found[0] ?? 0) : alike)
      alike++
      for (const place of found) places.push(place)
    }
    next += count === 0 ? 1 : count === 1 ? of.length : alike
    return { count, alike, places: Object.freeze(places) }
  })
  const sums = { rows, isSound: of.every((i) => i < rows), groups, order: Object.freeze(order) }
  if (Object.isFrozen(of)) known.set(of, sums)
  return sums
}

/** Rows by known places; x itself where that is all of them in their order. */
function rowsAt(x: Value, places: readonly number[]): Value {
  const asTheyAre = places.length === x.shape[0] && places.every((place, i) => place === i)
  return asTheyAre ? x : gather(x, x.graph.ints(places))
}

/** Zeros of the given shape with `updates (n, ...)` added to the rows `indices (n)`. */
export function scatterAdd(shape: Shape, indices: Value, updates: Value): Value {
  expectValues('scatterAdd', [indices, updates])
  checkArguments('scatterAdd', { shape }, { shape: listOfLengths })
  const { graph } = updates
  const [rows, ...row] = shape
  const fits =
    rows !== undefined && indices.dtype === 'int64' && updates.shape.join() === [...indices.shape, ...row].join()
  expectShapes(fits, 'scatterAdd', [indices, updates], `int64 indices and rows of (${shape.join(', ')})`)
  // ScatterElements, although it wants an index a number: on several threads ONNX Runtime's ScatterND loses additions
  // to the same row (https://github.com/microsoft/onnxruntime/issues/18048).
  const n = sizeOf(indices.shape)
  const where = expand(reshape(indices, [n, ...row.map(() => 1)]), [n, ...row])
  const zeros = expand(graph.scalar(0), [rows, ...row])
  return apply(
    'ScatterElements',
    [zeros, where, reshape(updates, [n, ...row])],
    shape,
    (dy) => [dy, null, gather(dy, reshape(indices, [n]))],
    { axis: 0, reduction: 'add' },
  )
}
