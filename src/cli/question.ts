import { createInterface } from 'node:readline'
import { orStopped } from '../base/stop.ts'
import { visibleText } from '../base/visible.ts'
import type { Output } from './progress.ts'

const ANSWERS = new Map([
  ['y', true],
  ['yes', true],
  ['n', false],
  ['no', false],
  ['', false],
])
/** Who answers something else as often as that has said no. */
const MOST_TRIES = 3

/**
 * Asks a person at a terminal for a yes or no; only a yes is one. The terminal stays as it is, so that it edits the line, and
 * its Ctrl-C goes to the process. Rejects with the signal's reason.
 */
export async function askAt(
  stdin: NonNullable<Output['stdin']>,
  stderr: Output['stderr'],
  question: string,
  signal: AbortSignal,
): Promise<boolean> {
  const lines = createInterface({ input: stdin, terminal: false })
  const answers = lines[Symbol.asyncIterator]()
  try {
    stderr.write(`${visibleText(question)} [y/N] `)
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const { done, value = '' } = await orStopped(answers.next(), signal)
      if (done) stderr.write('\n')
      const answer = done ? false : ANSWERS.get(value.trim().toLowerCase())
      if (answer !== undefined) return answer
      if (tries < MOST_TRIES) stderr.write('Please answer y or n: ')
    }
    return false
  } finally {
    lines.close()
  }
}
