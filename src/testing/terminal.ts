import { spawn, spawnSync } from 'node:child_process'
import { NODE } from './coop-process.ts'

/** Whether there is util-linux's `script`, which gives a command a terminal. */
export const hasTerminal = (): boolean => /util-linux/.test(spawnSync('script', ['--version']).stdout?.toString() ?? '')

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`

/**
 * `coop WORDS` on a terminal of its own, at which somebody types: each answer when the text before it was shown.
 * `shown` is all that the terminal showed, results and questions alike.
 */
export async function coopAtTerminal(
  words: readonly string[],
  typed: readonly (readonly [after: RegExp, answer: string])[],
): Promise<{ readonly status: number | null; readonly shown: string }> {
  const command = [process.execPath, ...NODE, ...words].map(quoted).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'])
  let shown = ''
  let from = 0
  const left = [...typed]
  child.stdout.on('data', (text) => {
    shown += text
    const [next] = left
    if (next === undefined || !next[0].test(shown.slice(from))) return
    left.shift()
    from = shown.length
    child.stdin.write(next[1])
  })
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { status, shown }
}
