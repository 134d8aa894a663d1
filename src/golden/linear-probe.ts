import type { Golden } from './folder.ts'
import type { Report } from './report.ts'

/** linearprobe.json: logistic regressions. */
export async function checkLinearProbe(golden: Golden, report: Report): Promise<void> {
  if (await golden.has('linearprobe.json')) report.skip('linear probe', 'not yet')
}
