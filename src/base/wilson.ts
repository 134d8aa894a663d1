/** The standard normal's 97.5 % point. */
const Z = 1.959963984540054

/**
 * Wilson's 95 % interval of a share of which `right` of n were seen (JASA 22, 1927), p = right / n:
 *
 *     (p + z^2 / 2n  +-  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
 *
 * @throws RangeError where n is 0
 */
export function wilsonInterval(right: number, n: number): [number, number] {
  if (n === 0) throw new RangeError('a share needs at least one value')
  const p = right / n
  const middle = p + Z ** 2 / (2 * n)
  const half = Z * Math.sqrt((p * (1 - p)) / n + Z ** 2 / (4 * n ** 2))
  const scale = 1 + Z ** 2 / n
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)]
}
