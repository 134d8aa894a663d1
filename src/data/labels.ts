import { mapBreathing } from '../base/breathe.ts'
import { FileError } from '../base/errors.ts'

/** What a row says of its class: a name, or a number with perhaps a name beside it. */
export interface RawLabel {
  readonly label: string | number
  readonly name?: string
  /** Where it stands, for messages. */
  readonly where: string
}

export interface ResolvedLabels {
  readonly classNames: readonly string[]
  /** For each row an index into `classNames`. */
  readonly labels: readonly number[]
}

/**
 * Classes of rows. With `names`, label i is `names[i]`. Without, numbers stand in numerical order and other labels in
 * byte order (as in an image folder, whatever the order of the rows), each called by the name beside it or else by itself.
 * Classes without any image are left out.
 *
 * @param namesFrom what messages call the place where `names` came from
 * @throws FileError with the place for a label that is not among `names`, or has two names
 */
export async function resolveLabels(
  rows: readonly RawLabel[],
  names?: readonly string[],
  namesFrom = '',
): Promise<ResolvedLabels> {
  if (names !== undefined) {
    // rows that give a name mean the first class of that name
    const index = new Map(names.map((name, i) => [name, i] as const).reverse())
    const numbered = await mapBreathing(rows, (row) => indexAmong(names, index, row, namesFrom))
    return inOrder(numbered, (label) => names[label] ?? '')
  }
  const beside = await namesBeside(rows)
  const nameOf = (label: string | number) => beside.get(label) ?? String(label)
  return inOrder(await mapBreathing(rows, ({ label }) => label), nameOf)
}

function indexAmong(
  names: readonly string[],
  index: ReadonlyMap<string, number>,
  { label, where }: RawLabel,
  from: string,
): number {
  if (typeof label === 'string') {
    const i = index.get(label)
    if (i === undefined) throw new FileError(`${where}: the class "${label}" is not in ${from}`, `add it to ${from}`)
    return i
  }
  if (label >= 0 && label < names.length) return label
  throw new FileError(
    `${where}: label ${label} is outside 0 to ${names.length - 1}, the labels of ${from}`,
    'labels count from 0; correct the label or add the missing names',
  )
}

async function inOrder<L extends string | number>(
  labels: readonly L[],
  nameOf: (label: L) => string,
): Promise<ResolvedLabels> {
  const used = [...new Set(labels)].sort(compare)
  const place = new Map(used.map((label, i) => [label, i]))
  return { classNames: used.map(nameOf), labels: await mapBreathing(labels, (label) => place.get(label) ?? 0) }
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [x, y] = [a, b].map((label) => new TextEncoder().encode(String(label)))
  const at = x?.findIndex((byte, i) => byte !== y?.[i]) ?? -1
  return at < 0 ? (x?.length ?? 0) - (y?.length ?? 0) : (x?.[at] ?? 0) - (y?.[at] ?? -1)
}

async function namesBeside(rows: readonly RawLabel[]): Promise<Map<string | number, string>> {
  const names = new Map<string | number, string>()
  await mapBreathing(rows, ({ label, name, where }) => {
    if (name === undefined) return
    const earlier = names.get(label)
    if (earlier !== undefined && earlier !== name) {
      throw new FileError(`${where}: label ${label} is "${name}" here but "${earlier}" above`, 'use one name for it')
    }
    names.set(label, name)
  })
  return names
}
