/** A share of 1 as the page writes it: `83.3`, without the sign. */
export const percent = (share: number): string => (100 * share).toFixed(1)

export const countOf = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en')} ${n === 1 ? one : many}`

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`

/** At most so many of a list, taken evenly from all of it. */
export const spread = <T>(list: readonly T[], most: number): T[] =>
  list.filter(
    (_, i) =>
      i === 0 ||
      Math.floor((i * most) / list.length) !== Math.floor(((i - 1) * most) / list.length) ||
      list.length <= most,
  )
