import { parseArgs } from 'node:util'
import { CoopError, UsageError } from '../../base/errors.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import { DEVICES, type Device } from '../../runtime/types.ts'
import { checkGolden } from './check.ts'

const USAGE = `usage: npm run golden -- DIR [--device ${DEVICES.join(' | ')}]`

/**
 * `npm run golden -- DIR [--device NAME]`: exit status 0 when every check passes, 1 when one fails, 2 when there is nothing
 * to check.
 */
async function main(words: readonly string[]): Promise<number> {
  const { folder, device } = read(words)
  const runtime = await nodeRuntime({ device })
  try {
    const { passed, failed } = await checkGolden(folder, runtime, (line) => console.log(line))
    console.log(`${passed} passed, ${failed} failed, on ${runtime.device}`)
    return failed > 0 ? 1 : 0
  } finally {
    await runtime.close()
  }
}

function read(words: readonly string[]): { readonly folder: string; readonly device: Device } {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: { device: { type: 'string', default: 'cpu' } },
      allowPositionals: true,
    })
    const [folder, ...more] = positionals
    const device = DEVICES.find((name) => name === values.device)
    if (folder !== undefined && device !== undefined && more.length === 0) return { folder, device }
  } catch {
    // an unknown flag: said below
  }
  throw new UsageError(USAGE)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CoopError)) throw error
  console.error(`golden: ${error.message}${error.remedy ? `\n${error.remedy}` : ''}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
