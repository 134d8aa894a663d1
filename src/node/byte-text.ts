const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** `999 B`, `1.2 MB`, `605.2 MB`, in powers of 1000. */
export function byteText(count: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)))
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`
}
