import { FileError } from '../base/errors.ts'
import { wordsOfName } from '../prompt/class-words.ts'

/**
 * Throws FileError for a single class, and for two names with the same words but another spelling. Classes of the very
 * same name pass where numbers or ids tell them apart: ImageNet has two "crane".
 *
 * @param where what messages begin with: the folder or file
 */
export function checkDistinctClasses(where: string, names: readonly string[], remedy: string): void {
  if (names.length === 1) {
    throw new FileError(`${where} has only one class, "${names[0]}"`, 'a classifier needs at least two classes')
  }
  const seen = new Map<string, string>()
  for (const name of names) {
    const words = wordsOfName(name)
    const earlier = seen.get(words)
    if (earlier !== undefined && earlier !== name) {
      throw new FileError(`${where}: duplicate class names: "${earlier}" and "${name}" give the same prompt`, remedy)
    }
    seen.set(words, name)
  }
}

/**
 * For each name its place among the known ones, -1 where there is none. The same spelling comes first, then the same
 * words after Unicode normalisation (NFKC): a run of an official checkpoint knows "car side", the data set has "Car_Side".
 * Of equal names the first is paired with the first, the second with the second (ImageNet has two classes "missile"), as
 * far as they go.
 */
export function placesAmong(known: readonly string[], names: readonly string[]): number[] {
  const places = known.map((_, place) => place)
  const spelled = paired(names, places, (name) => name, known)
  const taken = new Set(spelled)
  const left = places.filter((place) => !taken.has(place))
  const normal = (name: string) => wordsOfName(name.normalize('NFKC'))
  const others = names.filter((_, i) => spelled[i] === -1)
  const worded = paired(
    others,
    [...left, ...taken].filter((place) => place >= 0),
    normal,
    known,
  )
  let next = 0
  return spelled.map((place) => (place === -1 ? (worded[next++] ?? -1) : place))
}

/** The n-th name of a key with the n-th place of that key, or the first where there are no more. */
function paired(
  names: readonly string[],
  places: readonly number[],
  keyOf: (name: string) => string,
  known: readonly string[],
): number[] {
  const byKey = new Map<string, number[]>()
  for (const place of places) {
    const key = keyOf(known[place] ?? '')
    const same = byKey.get(key)
    if (same === undefined) byKey.set(key, [place])
    else same.push(place)
  }
  const used = new Map<string, number>()
  return names.map((name) => {
    const key = keyOf(name)
    const nth = used.get(key) ?? 0
    used.set(key, nth + 1)
    const found = byKey.get(key)
    return found?.[nth] ?? found?.[0] ?? -1
  })
}

/** Names as keys of a table: where several classes have one name, the second is `sunglasses (2)`. */
export function distinctNames(names: readonly string[]): string[] {
  const used = new Map<string, number>()
  return names.map((name) => {
    const nth = (used.get(name) ?? 0) + 1
    used.set(name, nth)
    return nth === 1 ? name : `${name} (${nth})`
  })
}
