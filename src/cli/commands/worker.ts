import { MAX_MINUTES } from '../../base/bounds.ts'
import { countOf } from '../../base/count.ts'
import { UsageError } from '../../base/errors.ts'
import type { Hooks } from '../../base/progress.ts'
import { columns, took } from '../../report/text.ts'
import { FROM_ENVIRONMENT } from '../../runs/sweep/redis/address.ts'
import type { ServeOptions } from '../../runs/sweep/redis/serve.ts'
import type { WorkResult } from '../../runs/sweep/work.ts'
import { defineCommand, type Outcome } from '../command.ts'
import { flags, positive, toggle } from '../options.ts'
import { COMPUTING, cache, parallel, queueOfWorker, root } from '../shared-options.ts'

/** Runs that the text names of one kind. */
const SHOWN = 20

function resultText({ out, runs, finished, failed, elsewhere, left, waiting, seconds }: WorkResult): string {
  const counts = [
    ['runs of the list', runs],
    ['done here', finished],
    ['set aside here', failed.length],
    ['ended elsewhere', elsewhere],
    ['left to others', left.length],
    ['not done yet', waiting],
  ] as const
  const lines = [
    ...failed.map((run) => ({ ...run, what: 'set aside' })),
    ...left.map((run) => ({ ...run, what: 'left' })),
  ]
  return [
    `${columns(counts.filter(([, count], i) => i < 2 || count > 0).map(([what, count]) => [what, String(count)]))}\n`,
    ...lines.slice(0, SHOWN).map(({ what, id, error }) => `${what}: ${id}: ${error}`),
    ...(lines.length > SHOWN ? [`and ${countOf(lines.length - SHOWN, 'run')} more: coop-ts sweep status ${out}`] : []),
    `${took(seconds)}, saved in ${out}`,
  ].join('\n')
}

/** Throws UsageError where a folder is given, and a queue too. */
function checkNoQueue(out: string, queue: string | undefined, drain: boolean): void {
  if (queue === undefined && !drain) return
  const what = queue === undefined ? '--drain is for a queue' : `a folder (${out}) and a queue were given`
  throw new UsageError(what, 'give the folder of a sweep, or --queue and no folder')
}

async function serve(options: ServeOptions, hooks: Hooks): Promise<Outcome> {
  const { serveQueue } = await import('../../runs/sweep/redis/serve.ts')
  const result = await serveQueue(options, hooks)
  const { queue, finished, failed, lacking, seconds } = result
  const counts = [
    ['done here', finished],
    ['tries that failed', failed],
  ] as const
  const text = [
    `${columns(counts.map(([what, count]) => [what, String(count)]))}\n`,
    ...lacking.map((error) => `left to others: ${error}`),
    `${took(seconds)}, for the queue at ${queue}`,
  ].join('\n')
  return { json: result, text }
}

export const worker = defineCommand({
  name: 'worker',
  summary: 'do runs of a sweep together with other workers',
  details:
    'Takes runs from the list in the folder of a sweep (coop-ts sweep PLAN --emit slurm writes it, and so does any sweep) until none is left. Any number of workers may do so, on all machines that share the folder, while the sweep itself is at work or not. A run whose worker is lost is taken over and goes on from its checkpoint. SIGTERM and Ctrl-C stop a worker: its runs keep a checkpoint.\n\n' +
    'With --queue, or without a folder: does the runs of all sweeps that were started with coop-ts sweep PLAN --queue, the oldest first, until it is stopped.\n\n' +
    'Exit status: 0 when all runs have ended, 75 when there are more to do and the time was up (--minutes), 1 when runs were left to other workers, because their data sets or models are not here.',
  operands: [{ name: 'sweep', help: 'folder of the sweep; left out: the runs of a queue are done', optional: true }],
  examples: [
    'coop-ts worker runs/plan',
    'coop-ts worker /shared/runs/plan --minutes 230 --threads 4',
    'coop-ts worker --queue redis://server:6379',
  ],
  options: {
    minutes: positive(MAX_MINUTES).optional().register(flags, {
      flag: '--minutes',
      argument: 'N',
      help: 'begin no run after N minutes, and stop those under way with a checkpoint',
      otherwise: 'until no run is left',
    }),
    queue: queueOfWorker,
    drain: toggle().register(flags, {
      flag: '--drain',
      help: 'of a queue: end when no run waits in it, instead of waiting for more',
    }),
    root,
    parallel,
    cache,
    ...COMPUTING,
  },
  async run(settings, [out], hooks) {
    const { queue = FROM_ENVIRONMENT, drain } = settings
    if (out === undefined) return serve({ ...settings, queue }, hooks)
    checkNoQueue(out, settings.queue, drain)
    const { work } = await import('../../runs/sweep/work.ts')
    const result = await work(out, settings, hooks)
    const { waiting, left } = result
    return { json: result, text: resultText(result), unfinished: waiting > 0, failed: waiting === 0 && left.length > 0 }
  },
})
