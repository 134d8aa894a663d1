import { readFileSync } from 'node:fs'

/** The library example of the README. */
export function readmeExample(): string {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, example] = /## In your own program\s+```ts\n([\s\S]*?)```/.exec(readme) ?? []
  if (example === undefined) throw new Error('README.md has no example under "In your own program"')
  return example
}
