import { chmod } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, resolve } from 'node:path'
import { shellQuoted, shellWord } from '../../base/shell.ts'
import { writeFileAtomic } from '../../node/files.ts'
import { queueFile } from './control.ts'

/** Tasks of an array, where nobody says how many. */
const TASKS = 4

interface SlurmOptions {
  /** Runs that are left. */
  readonly runs: number
  readonly workers?: number
  readonly threads?: number
  /** Flags of `coop-ts worker`, a word each. */
  readonly flags: readonly string[]
}

/**
 * Writes the script that has SLURM do the runs of a sweep's list: an array of a few tasks, each a worker that takes runs
 * until none is left. Shortly before its time is up a task is told so, its worker keeps checkpoints, and the task is put
 * into the queue again. Returns where the script is.
 */
export async function writeSlurmScript(out: string, options: SlurmOptions): Promise<string> {
  const file = queueFile(out, 'sweep.sbatch')
  await writeFileAtomic(file, scriptText(resolve(out), options))
  await chmod(file, 0o755)
  return file
}

/** The Node and the program that this process is, with what Node was given. */
const thisProgram = () => [process.execPath, ...process.execArgv, resolve(process.argv[1] ?? '')]

function scriptText(out: string, { runs, workers = TASKS, threads, flags }: SlurmOptions): string {
  const name = basename(out).replaceAll(/[^\w.-]+/g, '-')
  const worker = [...thisProgram(), 'worker', out, ...flags].map(shellQuoted).join(' ')
  return `#!/bin/bash
# Each task takes runs from the list of this sweep until none is left. Edit the lines of SBATCH as your cluster
# wants them (--partition, --account, --mem), then: sbatch ${shellWord(queueFile(out, 'sweep.sbatch'))}
#SBATCH --job-name=coop-ts-${name}
#SBATCH --array=0-${Math.min(workers, runs) - 1}
#SBATCH --cpus-per-task=${threads ?? availableParallelism()}
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=${sbatchQuoted(queueFile(out.replaceAll('%', '%%'), 'slurm-%a.log'))}

cd ${shellQuoted(process.cwd())} || exit 1
time_up=
worker=
# the time is nearly up: the runs keep a checkpoint, and the task waits for its next turn
trap 'time_up=yes; kill -TERM "$worker"' USR1
# cancelled or preempted: SLURM knows what comes next
trap 'kill -TERM "$worker"' TERM
${worker} --threads "\${SLURM_CPUS_PER_TASK:-1}" &
worker=$!
# a signal ends the waiting, not the worker
while
  wait "$worker"
  status=$?
  kill -0 "$worker" 2>/dev/null
do :; done
if [ "$status" -eq 75 ] || { [ -n "$time_up" ] && [ "$status" -ne 0 ]; }; then
  scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
`
}

/** A path as a line of SBATCH has it: in double quotes, where some signs are escaped. */
const sbatchQuoted = (path: string): string => `"${path.replaceAll(/["\\]/g, '\\$&')}"`
