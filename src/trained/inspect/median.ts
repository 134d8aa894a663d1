/** The middle of values, the lower one of two; 0 of none. */
export const medianOf = (values: readonly number[]): number =>
  Float64Array.from(values).sort()[Math.floor((values.length - 1) / 2)] ?? 0
