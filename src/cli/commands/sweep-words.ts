import { countOf } from '../../base/count.ts'
import { UsageError } from '../../base/errors.ts'
import { shellWord } from '../../base/shell.ts'
import { columns, duration, took } from '../../report/text.ts'
import type { SweepState } from '../../runs/sweep/control.ts'
import type { SweepStatus } from '../../runs/sweep/status.ts'
import type { Outcome } from '../command.ts'

// What stands after `coop-ts sweep` in place of a plan: a look at a sweep that was started, and what is wanted of it.

type Work = (out: string) => Promise<Outcome>

const status: Work = async (out) => {
  const { sweepStatus } = await import('../../runs/sweep/status.ts')
  const found = await sweepStatus(out)
  return { json: found, text: statusText(found) }
}

/** Writes what is wanted of a sweep, and says what comes of it for those who are at it. */
function wanting(state: SweepState, say: (found: SweepStatus) => string): Work {
  return async (out) => {
    const [{ writeState }, { sweepStatus }] = await Promise.all([
      import('../../runs/sweep/control.ts'),
      import('../../runs/sweep/status.ts'),
    ])
    await sweepStatus(out) // throws where there is no sweep
    await writeState(out, state)
    const found = await sweepStatus(out)
    return { json: found, text: say(found) }
  }
}

const under = ({ running }: SweepStatus) => countOf(running.length, 'run')
const again = ({ out }: SweepStatus) => `coop-ts sweep PLAN, or coop-ts worker ${shellWord(out)}`
const unlessAtWork = (found: SweepStatus) => `If nobody is at work on it any more: ${again(found)}`

const pause = wanting(
  'paused',
  (found) =>
    `paused: no more runs begin; under way: ${under(found)}\nGo on: coop-ts sweep resume ${shellWord(found.out)}`,
)

const resume = wanting(
  'going',
  (found) => `resumed: ${countOf(found.waiting, 'run')} to begin, under way: ${under(found)}\n${unlessAtWork(found)}`,
)

const cancel = wanting(
  'cancelled',
  (found) =>
    `cancelled: what is under way (${under(found)}) stops within seconds and keeps checkpoints\nGo on with it: coop-ts sweep PLAN`,
)

const retry: Work = async (out) => {
  const [{ forgetFailures }, { readList }, { sweepStatus }] = await Promise.all([
    import('../../runs/sweep/failure.ts'),
    import('../../runs/sweep/list.ts'),
    import('../../runs/sweep/status.ts'),
  ])
  const { jobs } = await readList(out)
  const retried = await forgetFailures(
    out,
    jobs.map(({ id }) => id),
  )
  const found = await sweepStatus(out)
  if (retried.length === 0) return { json: { ...found, retried }, text: 'no run is set aside' }
  const text = `to be tried again, after the others: ${countOf(retried.length, 'run')}\n${unlessAtWork(found)}`
  return { json: { ...found, retried }, text }
}

/** Runs that the text names of one kind. */
const SHOWN = 20

function statusText(found: SweepStatus): string {
  const { out, state, runs, done, running, waiting, aside, secondsLeft, process } = found
  const isIdle = state === 'going' && process === undefined && running.length === 0 && waiting > 0
  const counts = [
    ['runs', runs],
    ['done', done],
    ['running', running.length],
    ['waiting', waiting],
    ['set aside', aside.length],
  ] as const
  const now = Date.now()
  const more = (all: readonly unknown[]) => (all.length > SHOWN ? [`and ${all.length - SHOWN} more (--json)`] : [])
  const lines = running.slice(0, SHOWN).map(({ id, host, pid, since, doing }) => {
    const who = pid === undefined ? host : `${host}, process ${pid}`
    return [id, who, `for ${duration(now - Date.parse(since))}`, doing ?? '']
  })
  const time =
    secondsLeft === undefined
      ? 'time left: not known before a run has finished'
      : `time left: about ${took(secondsLeft)}`
  return [
    `${out}${state === 'going' ? '' : ` (${state})`}\n`,
    columns(counts.map(([what, count]) => [what, String(count)])),
    ...(lines.length > 0 ? ['', columns(lines, 4), ...more(running)] : []),
    ...(aside.length > 0
      ? ['', ...aside.slice(0, SHOWN).map(({ id, error }) => `set aside: ${id}: ${error}`), ...more(aside)]
      : []),
    ...(running.length + waiting > 0 ? ['', time] : []),
    ...(isIdle ? [`Nobody is at work on it: ${again(found)}`] : []),
    ...(aside.length > 0 ? [`Try those set aside again: coop-ts sweep retry ${shellWord(out)}`] : []),
  ].join('\n')
}

const WORKS = new Map(Object.entries({ status, pause, resume, cancel, retry }))
export const SWEEP_WORDS = [...WORKS.keys()]

/** Flags that mean the same wherever they stand. */
const ANYWHERE = ['--json', '--quiet', '--verbose']

/** What a word after `coop-ts sweep` does; undefined where it is a plan. `flags`: those that were typed. */
export async function sweepWord(
  word: string,
  folder: string | undefined,
  flags: readonly string[],
): Promise<Outcome | undefined> {
  const work = WORKS.get(word)
  if (work === undefined) {
    if (folder === undefined) return undefined
    throw new UsageError(
      `coop-ts sweep ${word}: there is a second word, ${folder}`,
      `give one plan, or one of ${SWEEP_WORDS.join(', ')} and a folder`,
    )
  }
  const strange = flags.filter((flag) => !ANYWHERE.includes(flag))
  if (strange.length > 0) {
    throw new UsageError(
      `coop-ts sweep ${word} takes no ${strange.join(', ')}`,
      `give a folder alone: coop-ts sweep ${word} FOLDER; a plan of this name is ./${word}`,
    )
  }
  const { onlySweep } = await import('../../runs/sweep/status.ts')
  return work(folder ?? (await onlySweep()))
}
