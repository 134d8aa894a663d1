import { CoopError, UsageError } from '../../base/errors.ts'
import { nodeRuntime } from '../../node/runtime.ts'
import { checkGolden } from './check.ts'

/** `npm run golden -- DIR`: exit status 0 when every check passes, 1 when one fails, 2 when there is nothing to check. */
async function main(words: readonly string[]): Promise<number> {
  const [folder, ...more] = words
  if (folder === undefined || more.length > 0) throw new UsageError('usage: npm run golden -- DIR')
  const runtime = await nodeRuntime()
  try {
    const { passed, failed } = await checkGolden(folder, runtime, (line) => console.log(line))
    console.log(`${passed} passed, ${failed} failed`)
    return failed > 0 ? 1 : 0
  } finally {
    await runtime.close()
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CoopError)) throw error
  console.error(`golden: ${error.message}${error.remedy ? `\n${error.remedy}` : ''}`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
