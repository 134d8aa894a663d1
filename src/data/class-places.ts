/**
 * For each name its place among the known ones, -1 where there is none. ImageNet has two classes "missile" and two
 * "sunglasses": of equal names the first is paired with the first, the second with the second, as far as they go.
 */
export function placesAmong(known: readonly string[], names: readonly string[]): number[] {
  const places = new Map<string, number[]>()
  for (const [place, name] of known.entries()) places.set(name, [...(places.get(name) ?? []), place])
  const used = new Map<string, number>()
  return names.map((name) => {
    const found = places.get(name)
    const nth = used.get(name) ?? 0
    used.set(name, nth + 1)
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
