import { readFileSync } from 'node:fs'

/** Milliseconds that this thread has computed; where the system does not tell (it is Linux that does), the clock's. */
function threadTime(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6
  } catch {
    return performance.now()
  }
}

/**
 * The longest that work keeps this thread from a timer, in milliseconds of its own computing, so that a busy machine
 * makes no difference.
 */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let last = threadTime()
  let longest = 0
  const look = () => {
    const now = threadTime()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(look, 1)
  try {
    await work()
    look()
  } finally {
    clearInterval(timer)
  }
  return longest
}

/** What nobody notices: with a Ctrl-C it is this long until something happens, at most. */
export const UNNOTICED = 100
