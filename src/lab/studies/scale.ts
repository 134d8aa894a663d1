import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../../base/errors.ts'
import { type Random, randomFor } from '../../base/random.ts'
import { OFFICIAL_DATASETS } from '../../datasets/official/table.ts'
import { readRecord } from '../../runs/run-folder.ts'
import { runsFolder } from '../../runs/sweep-folder.ts'
import { markdown } from './kept-rows.ts'
import { type Cluster, type Simulated, type SimulatedRun, simulate } from './simulate-queue.ts'
import type { Study } from './study.ts'

/** The eleven data sets of the paper: pictures that are tested on, and classes. */
const DATASETS = OFFICIAL_DATASETS.filter(({ testOnly }) => !testOnly).map(({ name, counts }) => ({
  name,
  pictures: counts.test,
  classes: counts.classes,
}))
const SEEDS = 10
const MACHINES = [1, 4, 16, 100, 400]

/**
 * Measured on two cores of an AMD EPYC (docs/scale.md says by which commands). The recorded runs are of 100 classes; those
 * of other data sets are taken for as many times longer as they have classes.
 */
const MEASURED = {
  cores: 2,
  /** Pictures a second and core, encoded by an RN50. */
  picturesPerSecond: 8.9,
  /** Seconds of a core that queue and worker take for a run beside the run itself. */
  overhead: 0.004,
  /** Commands of Redis for a run, and a second for each busy core. */
  commandsPerRun: 79,
  commandsPerSecond: 59,
} as const

/** What a cluster would make of the paper's plan with ten seeds and the methods of a sweep that was measured. */
export const scale: Study = {
  name: 'scale',
  about: 'a simulation of many machines, with the run times of a sweep folder (--root FOLDER)',

  async run(_, { root, say }) {
    if (root === undefined) throw new UsageError('--root names the folder of a sweep that has finished')
    const recorded = await recordedRuns(root)
    say(`${recorded.length} recorded runs`)
    const runs = DATASETS.flatMap(({ name, classes }) =>
      Array.from({ length: SEEDS }, (_, seed) => recorded.map((run) => ({ ...run, dataset: name, classes, seed })))
        .flat()
        .map(
          ({ dataset, classes, seconds, seed }): SimulatedRun => ({
            dataset,
            seconds: (seconds * classes * around(randomFor('scale', dataset, seed, seconds))) / 100,
          }),
        ),
    )
    const rows = MACHINES.flatMap((machines) =>
      [true, false].map((shared) => {
        const cluster: Cluster = { ...MEASURED, machines, shared, lostAfter: 24 * 3600, unseen: 20 }
        return row(cluster, simulate(DATASETS, runs, cluster))
      }),
    )
    return [
      `${runs.length} runs, ${hours(runs.reduce((sum, { seconds }) => sum + seconds, 0))} hours of a core`,
      markdown(
        ['machines', 'cache', 'hours', 'busy', 'encoding', 'lost', 'runs a minute', 'Redis, commands a second'],
        rows,
      ),
    ].join('\n\n')
  },
}

/** Two runs never take the same time: within a tenth. */
const around = (random: Random) => 0.9 + 0.2 * random.next()
const hours = (seconds: number) => (seconds / 3600).toFixed(2)
const share = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`

function row({ machines, shared, cores, commandsPerRun, commandsPerSecond }: Cluster, made: Simulated): string[] {
  const { seconds, busy, encoding, lost, runs } = made
  const total = seconds * machines * cores
  const commands = (runs * commandsPerRun + busy * commandsPerSecond) / seconds
  return [
    String(machines),
    shared ? 'shared' : 'own',
    hours(seconds),
    share(busy, total),
    share(encoding, total),
    String(lost),
    ((60 * runs) / seconds).toFixed(1),
    commands.toFixed(0),
  ]
}

/** Seconds of the finished runs of a sweep's folder, of one seed. */
async function recordedRuns(folder: string): Promise<{ readonly seconds: number }[]> {
  const records = []
  for (const id of (await readdir(runsFolder(folder))).sort()) {
    const record = await readRecord(join(runsFolder(folder), id))
    if (record !== undefined && record.seed === 1) records.push({ seconds: record.seconds })
  }
  return records
}
