import { z } from 'zod'
import { CoopError } from '../../base/errors.ts'
import type { Golden } from './folder.ts'
import type { Report } from './report.ts'
import { checkRates } from './training.ts'

const schema = z.record(z.string(), z.unknown())
const ratesSchema = z.array(z.number())

/** lr.json: the learning rate of each epoch, by the number of epochs. */
export async function checkSchedules(golden: Golden, report: Report): Promise<void> {
  const file = await golden.json('lr.json', schema)
  if (file === undefined) return
  for (const [epochs, value] of Object.entries(file)) {
    if (typeof value === 'string') continue // an explanation
    const what = `schedule of ${epochs} epochs`
    await report.attempt(what, () => {
      const rates = ratesSchema.safeParse(value).data
      if (rates === undefined || !/^\d+$/.test(epochs)) throw new CoopError('not a list of learning rates by epochs')
      checkRates(report, what, Number(epochs), rates)
    })
  }
}
