import { MAX_PARALLEL } from '../../base/bounds.ts'
import { countOf } from '../../base/count.ts'
import { shellWord } from '../../base/shell.ts'
import { columns, took } from '../../report/text.ts'
import { withoutAddress } from '../../runs/sweep/redis/address.ts'
import type { SweepResult } from '../../runs/sweep/sweep.ts'
import { defineCommand } from '../command.ts'
import { flags, oneOf, text, toggle, whole } from '../options.ts'
import { COMPUTING, PICTURES, parallel, queueOfSweep, root } from '../shared-options.ts'
import { SWEEP_WORDS, sweepWord } from './sweep-words.ts'

/** A plan that was only looked at. */
function dryText(name: string, { out, runs, before, plan, missing = [] }: SweepResult): string {
  const { models = [], datasets = [], elsewhere = [], methods = [] } = plan ?? {}
  const lacking = new Set(missing.map(({ what }) => what))
  const mark = (what: string) => (lacking.has(what) ? 'missing' : '')
  const remedies = new Set(missing.flatMap(({ remedy }) => remedy ?? []))
  return [
    `${name} is valid: ${countOf(runs, 'run')}, ${before} of them finished in ${out}\n`,
    columns([['data set', 'runs'], ...datasets.map(({ dataset, runs }) => [dataset, String(runs), mark(dataset)])]),
    ...elsewhere.map((dataset) => `also measured on ${dataset} ${mark(dataset)}`.trimEnd()),
    ...models.map((model) => `with the model ${model} ${mark(model)}`.trimEnd()),
    '',
    columns(
      [
        ['method', 'shots', 'seeds', 'runs'],
        ...methods.map(({ title, shots, seeds, runs }) => [
          title,
          shots.map((each) => (each === 0 ? 'none' : each)).join(', '),
          seeds.join(', '),
          String(runs),
        ]),
      ],
      3,
    ),
    ...(missing.length > 0 ? ['', 'missing:', ...missing.map(({ what, error }) => `  ${what}: ${error}`)] : []),
    ...remedies,
  ].join('\n')
}

function scriptText({ out, runs, before, script }: SweepResult): string {
  if (script === undefined) return `all ${countOf(runs, 'run')} of the plan are finished in ${out}`
  return [
    `${countOf(runs - before, 'run')} to do, ${before} finished before`,
    `Have a cluster do them: sbatch ${shellWord(script)}`,
    `See how far it is: coop-ts sweep status ${shellWord(out)}`,
  ].join('\n')
}

const WORDS = `In place of a plan, with the folder of a sweep that was started:

  coop-ts sweep status   what is done, what runs where, what is set aside and why, the time left
  coop-ts sweep pause    no more runs begin
  coop-ts sweep resume   they do again
  coop-ts sweep cancel   its processes stop, and keep checkpoints
  coop-ts sweep retry    tries runs again that were set aside`

const PLAN = `A plan is a YAML file. A key that is left out has the value shown here; a list of values means one run for each:

  datasets: [caltech101, photos]   # what coop-ts train takes; required
  root: data                       # folder that contains the official data sets
  models: [bundled]                # folders, files, hub ids
  methods:                         # required: a name, or a name with settings
    - zero-shot
    - linear-probe
    - method: coop
      position: [end, middle]
      classSpecific: [false, true]
    - { method: tip-adapter, search: false, perDataset: { photos: { alpha: 2 } } }
  shots: [1, 2, 4, 8, 16]          # or all
  seeds: [1, 2, 3]
  views: 4                         # or online
  transforms: 2021-10              # or 2021-09
  split: all                       # base: learn half of the classes
  calibrate: false                 # true: of coop, cocoop, kgcoop too, learned four times then
  elsewhere: []                    # other data sets to measure each run on

Paths are relative to the plan. A method may have its own shots, seeds and views.`

export const sweep = defineCommand({
  name: 'sweep',
  summary: 'run a whole plan: data sets, models, methods, shots, seeds',
  details: `A sweep can be stopped at any time; started again, it continues where it stopped. Finished runs are not repeated, failed ones are tried again. If the pictures of finished runs have changed, the sweep stops and says what changed; --force repeats them.\n\n${WORDS}\n\n${PLAN}`,
  operands: [
    {
      name: 'plan',
      help: `YAML file, or a plan that comes with coop-ts (docs/sweeps.md), such as paper; or one of ${SWEEP_WORDS.join(', ')} (a plan of such a name: ./${SWEEP_WORDS[0]})`,
      values: SWEEP_WORDS,
      files: true,
    },
    { name: 'folder', help: 'after such a word: folder of the sweep (default: the only one in runs/)', optional: true },
  ],
  examples: [
    'coop-ts sweep plan.yaml --out runs/plan',
    'coop-ts sweep paper --root data --dry-run',
    'coop-ts report runs/plan',
    'coop-ts sweep plan.yaml --emit slurm',
    'coop-ts sweep status',
    'coop-ts sweep cancel runs/plan',
  ],
  options: {
    out: text('a folder').optional().register(flags, {
      flag: '--out',
      argument: 'DIR',
      help: 'folder of the runs',
      otherwise: 'runs/ and the name of the plan',
    }),
    root,
    parallel,
    queue: queueOfSweep,
    dryRun: toggle().register(flags, {
      flag: '--dry-run',
      help: 'show what the plan runs, and which of its data sets and models are missing, but run nothing',
    }),
    emit: oneOf(['slurm']).optional().register(flags, {
      flag: '--emit',
      argument: 'WHAT',
      help: 'slurm: do no runs, but write OUT/queue/sweep.sbatch, by which a SLURM cluster does them',
      otherwise: 'the runs are done here',
    }),
    workers: whole(1, MAX_PARALLEL).optional().register(flags, {
      flag: '--workers',
      argument: 'N',
      help: 'tasks in the script of --emit, each a worker with --threads threads',
      otherwise: '4',
    }),
    force: toggle().register(flags, {
      flag: '--force',
      help: 'repeat finished runs whose pictures or classes have changed since; write into a folder that holds other files, which stay',
    }),
    ...PICTURES,
    ...COMPUTING,
  },
  async run(settings, [plan = '', folder], hooks, given, command) {
    const word = await sweepWord(plan, folder, [...given.values()])
    if (word) return word
    const { sweepAsGiven } = await import('../../runs/sweep/sweep.ts')
    const result = await sweepAsGiven(plan, { ...settings, command: withoutAddress(command) }, hooks)
    const { out, runs, before, finished, failed, collapsed, seconds } = result
    if (settings.dryRun) return { json: result, text: dryText(plan, result) }
    if (settings.emit) return { json: result, text: scriptText(result) }
    const lines = columns([
      ['runs of the plan', String(runs)],
      ['finished before', String(before)],
      ['finished now', String(finished)],
      ...(failed.length > 0 ? [['failed', String(failed.length)]] : []),
    ])
    const failures = failed.map(({ id, error }) => `failed: ${id}: ${error}`)
    const guesses = collapsed.map((id) => `no better than guessing: ${id}`)
    const text = [
      `${lines}\n`,
      ...failures,
      ...guesses,
      `${took(seconds)}, saved in ${out}`,
      `See it: coop-ts report ${out}`,
    ].join('\n')
    return { json: result, text, failed: failed.length > 0 }
  },
})
