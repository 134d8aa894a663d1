import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What results.json of each run of a sweep has that must be the same whoever did it, and however often it was stopped; that each has one. */
export async function numbersOfSweep(out: string): Promise<unknown[]> {
  const ids = (await readdir(join(out, 'runs'))).sort()
  const texts = await Promise.all(ids.map((id) => readFile(join(out, 'runs', id, 'results.json'), 'utf8')))
  return texts.map((text) => {
    const { seconds: _, environment: __, ...numbers } = JSON.parse(text)
    return numbers
  })
}
