import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { CoopError, FileError } from '../../../base/errors.ts'
import type { Hooks } from '../../../base/progress.ts'
import { parseJson } from '../../../formats/json.ts'
import { readSchema } from '../../../formats/schema.ts'
import { withClaim } from '../../../node/claim.ts'
import { ifThere, writeFileAtomic } from '../../../node/files.ts'
import { recordSchema } from '../../../trained/record.ts'
import { checkResults, RUN_FILES, type RunFile } from '../../../trained/run-files.ts'
import { clearRun, runFile } from '../../run-folder.ts'

/** Files of a finished run that travel, in the order in which they are written. */
const TRAVELLERS = ['settings', 'metrics', 'judged', 'learned', 'results'] as const satisfies readonly RunFile[]
/** Bytes of all of them together. */
const MOST_BYTES = 64e6
/** The same as text. */
const MOST_TEXT = (MOST_BYTES / 3) * 4 + 16 * TRAVELLERS.length

/** Too much to travel: it would be so again. */
export class TooLargeError extends CoopError {}

/** What a worker returns: the files of a run, base64; nothing where it has written them into the sweep's own folder. */
const deliverySchema = z.strictObject({
  files: z
    .partialRecord(z.enum(TRAVELLERS), z.string())
    .refine((files) => Object.values(files).reduce((sum, text) => sum + (text?.length ?? 0), 0) <= MOST_TEXT)
    .optional(),
})
export type Delivery = z.output<typeof deliverySchema>

/** The files of a finished run. Throws TooLargeError. */
export async function pack(folder: string): Promise<Delivery> {
  const files: Partial<Record<(typeof TRAVELLERS)[number], string>> = {}
  let bytes = 0
  for (const name of TRAVELLERS) {
    const path = runFile(folder, name)
    const content = await ifThere(path, readFile(path))
    if (content === undefined) continue
    bytes += content.byteLength
    if (bytes > MOST_BYTES) {
      throw new TooLargeError(
        `the files of the run in ${folder} are larger than the ${MOST_BYTES / 1e6} MB that travel through a queue`,
        'let the workers see the folder of the sweep (a shared folder with the same path): then no files travel',
      )
    }
    files[name] = content.toString('base64')
  }
  return { files }
}

/** What a worker has delivered of a run. Throws FileError where that is damaged, or another run's. */
export async function readDelivery(value: unknown, id: string): Promise<Delivery> {
  const found = deliverySchema.safeParse(value)
  if (!found.success) throw new FileError(`what a worker has delivered of ${id} is damaged`, REMEDY)
  const { files } = found.data
  if (files && (files.results === undefined || files.settings === undefined)) {
    throw new FileError(`a worker has delivered ${id} without its ${RUN_FILES.results}`, REMEDY)
  }
  if (files?.results !== undefined) await checkDelivered(Buffer.from(files.results, 'base64').toString(), id)
  return found.data
}

/** Writes a delivered run into its folder, its result last. */
export function writeDelivery({ files = {} }: Delivery, folder: string, hooks: Hooks): Promise<void> {
  return withClaim(folder, hooks, async () => {
    await clearRun(folder)
    for (const name of TRAVELLERS) {
      const text = files[name]
      if (text !== undefined) await writeFileAtomic(runFile(folder, name), Buffer.from(text, 'base64'))
    }
  })
}

/** Throws FileError where a result is not what was written, or another run's. */
async function checkDelivered(text: string, id: string): Promise<void> {
  const what = `${RUN_FILES.results} of ${id}, as a worker has delivered it,`
  const value = readSchema(z.looseObject({ id: z.literal(id) }), parseJson(text, what), what, REMEDY)
  await checkResults(value, what, REMEDY)
  readSchema(recordSchema, value, what, REMEDY)
}

const REMEDY = 'use the same version of coop-ts for the sweep and its workers'
