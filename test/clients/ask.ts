import { exportRun, type OpenRun, openRun } from '../../src/public/node.ts'
import { clipOf } from '../../src/runs/open-run.ts'
import { pictureReader } from '../../src/runs/pictures.ts'
import { readSavedRun } from '../../src/runs/saved-run.ts'
import { pixelSource } from '../../src/trained/pixels.ts'
import type { Asked, Client } from './clients.ts'

/** A run, its export, and what openRun says of some pictures. */
export interface Question extends Asked {
  readonly expected: readonly (readonly number[])[]
}

/** Exports a run into a folder and asks the run itself. */
export async function question(run: string, folder: string, pictures: readonly string[]): Promise<Question> {
  await exportRun(run, { format: 'transformers', out: folder, force: true })
  const saved = await readSavedRun(run)
  const clip = await clipOf(saved, undefined, {})
  const items = pictures.map((path) => ({ path, label: 0, turned: saved.exif === 'turn' }))
  const { transforms } = saved
  const pixels = await pixelSource(pictureReader(), clip, items, 0, 0, { transforms }).pixels([...items.keys()], 0)
  const open: OpenRun = await openRun(run)
  const answers = await open.classify(pictures).finally(() => open.dispose())
  const expected = answers.map((labels) =>
    open.classNames.map((name) => labels.find(({ label }) => label === name)?.probability ?? Number.NaN),
  )
  return { folder, pixels, pictures, expected }
}

/** The largest difference of a probability to the run's: from our pixels, and through the client's own preprocessing. */
export async function differences(client: Client, { expected, ...asked }: Question) {
  const { ours, own } = await client.ask(asked)
  const largest = (rows: readonly (readonly number[])[]) =>
    Math.max(...expected.flatMap((row, i) => row.map((p, c) => Math.abs(p - (rows[i]?.[c] ?? Number.NaN)))))
  const best = (row: readonly number[] = []) => row.indexOf(Math.max(...row))
  const same = own?.filter((row, i) => best(row) === best(expected[i])).length
  return { ours: largest(ours), own: own && largest(own), same }
}
