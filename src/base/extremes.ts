// Math.max(...values) overflows the stack where there are some 125,000 values.

/** The largest of values, however many; -Infinity of none. */
export const largest = (values: Iterable<number>): number => {
  let most = Number.NEGATIVE_INFINITY
  for (const value of values) most = Math.max(most, value)
  return most
}

/** The smallest of values, however many; Infinity of none. */
export const smallest = (values: Iterable<number>): number => {
  let least = Number.POSITIVE_INFINITY
  for (const value of values) least = Math.min(least, value)
  return least
}
