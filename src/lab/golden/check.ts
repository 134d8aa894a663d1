import { UsageError } from '../../base/errors.ts'
import type { Runtime } from '../../runtime/types.ts'
import { checkCoop } from './coop.ts'
import { type Golden, openGolden } from './folder.ts'
import { checkImages } from './images.ts'
import { checkLinearProbe } from './linear-probe.ts'
import { createReport, type Report } from './report.ts'
import { checkSchedules } from './schedules.ts'
import { checkSubsets } from './subsets.ts'
import { checkTexts } from './texts.ts'
import { checkTokens } from './tokens.ts'
import { checkTraining } from './training.ts'
import { checkZeroShot } from './zero-shot.ts'

const FAMILIES: Readonly<Record<string, (golden: Golden, report: Report) => Promise<void>>> = {
  tokens: checkTokens,
  images: checkImages,
  'text features': checkTexts,
  coop: checkCoop,
  training: checkTraining,
  schedules: checkSchedules,
  'few-shot subsets': checkSubsets,
  'zero-shot': checkZeroShot,
  'linear probe': checkLinearProbe,
}

/**
 * Compares this code with a folder of reference figures; prints a line a check. Parts that the folder does not have are
 * passed over; what is damaged in it fails and the other checks go on.
 *
 * @throws UsageError when the folder does not exist or has nothing in it to check
 */
export async function checkGolden(
  folder: string,
  runtime: Runtime,
  print: (line: string) => void,
): Promise<{ passed: number; failed: number }> {
  const golden = await openGolden(folder, runtime)
  let lines = 0
  const report = createReport((line) => {
    lines++
    print(line)
  })
  for (const model of golden.models) {
    await golden.clip(model).catch((error: unknown) => report.attempt(`model ${model}`, () => Promise.reject(error)))
  }
  for (const [family, check] of Object.entries(FAMILIES)) await report.attempt(family, () => check(golden, report))
  if (lines === 0) {
    throw new UsageError(`${folder} has nothing in it to check`, 'give a folder laid out like the reference figures')
  }
  return report.counts()
}
