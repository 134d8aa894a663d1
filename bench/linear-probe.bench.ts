import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { countOf } from '../src/base/count.ts'
import { randomFor } from '../src/base/random.ts'
import { drawFewShot } from '../src/data/fewshot.ts'
import { openOfficialDataset } from '../src/datasets/official/open.ts'
import { floatTensor } from '../src/graph/index.ts'
import { bundledClip } from '../src/lab/bundled-clip.ts'
import { type LabelledRows, meanViews } from '../src/learning/labelled-rows.ts'
import { type Solver, searchedProbe } from '../src/methods/linear-probe/probe.ts'
import { encodeSets } from '../src/runs/pictures.ts'
import type { Runtime } from '../src/runtime/types.ts'
import { absent, type Bench, type Figure, figure, NOT_INSTALLED } from './bench.ts'
import { ratios, timed } from './measure.ts'
import { runPeer } from './peer.ts'

const [CLASSES, WIDTH, VAL_SHOTS] = [100, 128, 4]
/** The folder that holds caltech-101. */
const DATA = process.env.COOP_DATA

/** A search: the C chosen, the share of the validation images that is right there, and what it took. */
const searchSchema = z.object({ C: z.number(), valAccuracy: z.number(), ms: z.number(), cpu: z.number() })
type Search = z.output<typeof searchSchema>

/** Rows to learn from and to choose by. */
type Sets = Readonly<Record<'train' | 'val', LabelledRows>>

export const linearProbe: Bench = {
  name: 'linear-probe',
  about:
    "the linear probe's search for C, beside scikit-learn's (BENCH_PYTHON); of Caltech101 where COOP_DATA holds it",
  long: true,
  async run(runtime, { quick, threads }) {
    const figures: Figure[] = []
    const notes = [
      `size: shots of ${CLASSES} classes; ${DATA === undefined ? 'features made up' : 'features of Caltech101 by the bundled model, seed 1'}`,
    ]
    for (const shots of quick ? [1] : [1, 4, 16]) {
      const sets = DATA === undefined ? madeUp(shots) : await ofCaltech(runtime, DATA, shots)
      const searchers = [
        searcher('exact', () => ours(runtime, sets, 'exact')),
        searcher('scikit-learn', () => scikitLearn(sets, 'float64', threads)),
        searcher('scikit-learn in float32', () => scikitLearn(sets, 'float32', threads)),
      ]
      for (let round = 0; round < (quick ? 1 : 3); round++) {
        for (const { run } of round % 2 === 0 ? searchers : searchers.toReversed()) await run()
      }
      if (shots === 1) {
        const lpclip = searcher('lpclip', () => ours(runtime, sets, 'lpclip'))
        await lpclip.run()
        searchers.push(lpclip)
      }
      for (const { who, searches } of searchers) {
        const what = `${countOf(shots, 'shot')}, ${who}`
        figures.push(...figuresOf(who, shots, searches, searchers[0]?.searches ?? []))
        for (const { C, valAccuracy } of searches.slice(0, 1)) {
          notes.push(`${what}: C ${C.toPrecision(6)}, ${(100 * valAccuracy).toFixed(2)} % of the validation images`)
        }
      }
    }
    return { figures, notes }
  },
}

/** A way to search, and the searches that were made by it. */
function searcher(who: string, search: () => Promise<Search | undefined>) {
  const searches: Search[] = []
  const run = async () => {
    const made = await search()
    if (made) searches.push(made)
  }
  return { who, searches, run }
}

/** Time and CPU time of searches, and how many times that of the others, made in the same rounds, they are. */
function figuresOf(who: string, shots: number, searches: readonly Search[], others: readonly Search[]): Figure[] {
  if (searches.length === 0) return [absent(who, shots, NOT_INSTALLED)]
  return (['ms', 'cpu'] as const).flatMap((of) => {
    const metric = of === 'cpu' ? 'processor time' : 'time'
    const timesOf = (all: readonly Search[]) => all.map((search) => search[of])
    const taken = figure(who, shots, metric, 'ms', timesOf(searches))
    if (searches === others) return [taken]
    return [taken, figure(who, shots, `${metric}, times exact's`, 'x', ratios(timesOf(searches), timesOf(others)))]
  })
}

async function ours(runtime: Runtime, { train, val }: Sets, solver: Solver): Promise<Search> {
  const before = process.cpuUsage()
  const { result, ms } = await timed(() => searchedProbe(runtime, train, val, CLASSES, { solver }))
  const { user, system } = process.cpuUsage(before)
  const { C, tried } = result
  const valAccuracy = tried.find((fit) => fit.C === C)?.valAccuracy ?? Number.NaN
  return { C, valAccuracy, ms, cpu: (user + system) / 1000 }
}

/** The features of the few-shot subset that a run has. */
async function ofCaltech(runtime: Runtime, root: string, shots: number): Promise<Sets> {
  const dataset = await openOfficialDataset('caltech101', root)
  const { train, val } = drawFewShot(dataset.train, dataset.val ?? [], shots, 1)
  const encoded = await encodeSets(await bundledClip(), runtime, [{ items: train }, { items: val }])
  return { train: await meanViews(encoded[0]), val: await meanViews(encoded[1]) }
}

export function madeUp(shots: number, width = WIDTH): Sets {
  return { train: rowsOf(shots, 'train', width), val: rowsOf(Math.min(shots, VAL_SHOTS), 'val', width) }
}

/** Rows as encoders give them: a mean in common, some directions far wider than others. */
function rowsOf(shots: number, key: string, width: number): LabelledRows {
  const labels = Array.from({ length: CLASSES * shots }, (_, i) => i % CLASSES)
  const x = floatTensor([labels.length, width])
  for (const [i, label] of labels.entries()) {
    const [centre, noise] = [randomFor('centre', label), randomFor(key, i)]
    for (let j = 0; j < width; j++) x.data[i * width + j] = 0.3 + (centre.normal() + 2 * noise.normal()) / (10 + j)
  }
  return { x, labels }
}

/** Undefined where it is not installed. */
export async function scikitLearn(
  sets: Sets,
  dtype: 'float32' | 'float64',
  threads: number,
): Promise<Search | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'coop-bench-'))
  for (const [name, { x, labels }] of Object.entries(sets)) {
    await writeFile(join(folder, `${name}.f32`), new Uint8Array(new Float32Array(x.data).buffer))
    await writeFile(join(folder, `${name}.json`), JSON.stringify(labels))
  }
  const said = await runPeer('linear_probe.py', [folder, String(sets.train.x.shape[1]), dtype], threads)
  await rm(folder, { recursive: true })
  return searchSchema.optional().parse(said)
}
