import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { randomFor } from '../src/base/random.ts'
import { floatTensor } from '../src/graph/index.ts'
import type { LabelledRows } from '../src/learning/labelled-rows.ts'
import { searchedProbe } from '../src/methods/linear-probe/probe.ts'
import { type Bench, type Figure, figure } from './bench.ts'
import { timed } from './measure.ts'

const [CLASSES, WIDTH, VAL_SHOTS] = [100, 512, 4]
const PEER = fileURLToPath(new URL('peers/linear_probe.py', import.meta.url))
/** A Python that has scikit-learn. */
const PYTHON = process.env.BENCH_PYTHON || 'python3'

export const linearProbe: Bench = {
  name: 'linear-probe',
  about: `the linear probe's search for C on ${CLASSES} classes of ${WIDTH} values, beside scikit-learn's (BENCH_PYTHON)`,
  long: true,
  async run(runtime, { quick }) {
    const figures: Figure[] = []
    const notes: string[] = []
    for (const shots of quick ? [1] : [1, 4, 16]) {
      const [train, val] = [rowsOf(shots, 'train'), rowsOf(Math.min(shots, VAL_SHOTS), 'val')]
      const ours: { ms: number; cpu: number }[] = []
      const theirs: { ms: number; cpu: number }[] = []
      for (let round = 0; round < (quick ? 1 : 3); round++) {
        const before = process.cpuUsage()
        const { ms } = await timed(() => searchedProbe(runtime, train, val, CLASSES))
        const { user, system } = process.cpuUsage(before)
        ours.push({ ms, cpu: (user + system) / 1000 })
        const peer = await scikitLearn(train, val)
        if (peer) theirs.push(peer)
      }
      if (theirs.length === 0) notes.push('scikit-learn is not installed: set BENCH_PYTHON to a Python that has it')
      for (const [who, times] of [
        ['ours', ours],
        ['scikit-learn', theirs],
      ] as const) {
        if (times.length === 0) continue
        figures.push(
          figure(
            `${shots} shots, ${who}`,
            'ms',
            times.map(({ ms }) => ms),
          ),
        )
        figures.push(
          figure(
            `${shots} shots, ${who}: CPU`,
            'ms',
            times.map(({ cpu }) => cpu),
          ),
        )
      }
    }
    return { figures, notes: [...new Set(notes)] }
  },
}

/** Rows as encoders give them: a mean in common, some directions far wider than others. */
function rowsOf(shots: number, key: string): LabelledRows {
  const labels = Array.from({ length: CLASSES * shots }, (_, i) => i % CLASSES)
  const x = floatTensor([labels.length, WIDTH])
  for (const [i, label] of labels.entries()) {
    const [centre, noise] = [randomFor('centre', label), randomFor(key, i)]
    for (let j = 0; j < WIDTH; j++) x.data[i * WIDTH + j] = 0.3 + (centre.normal() + 2 * noise.normal()) / (10 + j)
  }
  return { x, labels }
}

const peerSchema = z.object({ ms: z.number(), cpu: z.number() })

/** Undefined where it is not installed. */
async function scikitLearn(train: LabelledRows, val: LabelledRows): Promise<z.output<typeof peerSchema> | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'coop-bench-'))
  for (const [name, { x, labels }] of Object.entries({ train, val })) {
    await writeFile(join(folder, `${name}.f32`), new Uint8Array(new Float32Array(x.data).buffer))
    await writeFile(join(folder, `${name}.json`), JSON.stringify(labels))
  }
  const text = await new Promise<string>((resolve) => {
    const child = spawn(PYTHON, [PEER, folder, String(WIDTH)], { stdio: ['ignore', 'pipe', 'ignore'] })
    let out = ''
    child.stdout.on('data', (piece) => {
      out += piece
    })
    child.on('error', () => resolve('')).on('close', () => resolve(out))
  })
  await rm(folder, { recursive: true })
  return text === '' ? undefined : peerSchema.parse(JSON.parse(text))
}
