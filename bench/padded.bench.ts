import { z } from 'zod'
import type { Runtime } from '../src/runtime/types.ts'
import { absent, type Bench, type BenchOptions, type Figure, figure, NOT_INSTALLED } from './bench.ts'
import { inProcess } from './child.ts'
import { classNames, piecesOf } from './class-names.ts'
import { interleaved, ratios } from './measure.ts'
import { runPeer, waitingPeer } from './peer.ts'
import { expectEqual, feedsFor, layoutFor, M, plainForm, stepAnswer, stepClip, stepProgram } from './training-step.ts'

/** Relative to the largest entry. */
const BOUND = 1e-4
/** What PyTorch takes for 397 classes needs more memory than most machines have. */
const COUNTS = [10, 47, 100]
export const TORCH = 'official method, PyTorch'

export const padded: Bench = {
  name: 'padded',
  about: `a training step (M = ${M}, at CLIP's text width) with packed prompts, with prompts padded to 77 tokens as the official code has them, and by the official method in PyTorch (BENCH_PYTHON)`,
  async run(runtime, options) {
    const figures: Figure[] = []
    for (const classes of options.quick ? COUNTS.slice(0, 1) : COUNTS) {
      figures.push(...(await stepsOf(classes, runtime, options)), ...(await memoryOf(classes, options)))
    }
    return { figures, notes: [`packed and padded have the same loss and gradient, to ${BOUND} of the largest entry`] }
  },
}

async function stepsOf(classes: number, runtime: Runtime, { quick, threads }: BenchOptions): Promise<Figure[]> {
  const clip = await stepClip()
  const layout = layoutFor(clip, plainForm(classes))
  const feeds = feedsFor(clip, layout)
  const [packed, padded] = [
    await runtime.load(stepProgram(clip, layout, false)),
    await runtime.load(stepProgram(clip, layout, true)),
  ]
  const [a, b] = [await packed.run(feeds), await padded.run(feeds)]
  for (const name of ['loss', 'gradient.ctx'] as const) expectEqual(name, a[name], b[name], BOUND)
  const torch = await waitingPeer('coop_torch.py', [...torchArguments(classes), '--wait'], threads)
  const tasks = [packed, padded].map((session) => () => session.run(feeds))
  const [short = [], long = [], peer = []] = await interleaved(
    [...tasks, ...(torch === undefined ? [] : [() => torch.run()])],
    quick ? 2 : 5,
  )
  await torch?.close()
  await packed.dispose()
  await padded.dispose()
  return [
    figure('packed', classes, 'step', 'ms', short),
    figure('padded', classes, 'step', 'ms', long),
    figure('padded', classes, 'times packed', 'x', ratios(long, short)),
    ...(torch === undefined
      ? [absent(TORCH, classes, NOT_INSTALLED)]
      : [figure(TORCH, classes, 'step', 'ms', peer), figure(TORCH, classes, 'times packed', 'x', ratios(peer, short))]),
  ]
}

const torchArguments = (classes: number) => {
  const lengths = classNames(classes).map((name) => piecesOf(name).length)
  return ['--classes', String(classes), '--context', String(M), '--name-tokens', lengths.join()]
}

/** Of processes of their own. */
async function memoryOf(classes: number, { threads }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const padded of [false, true]) {
    const task = { ...plainForm(classes), padded, threads, rounds: 0, products: false }
    const answer = await inProcess('step-process.ts', task, stepAnswer)
    const name = padded ? 'padded' : 'packed'
    figures.push(
      answer.kind === 'measured'
        ? figure(name, classes, 'memory', 'MB', [answer.memory])
        : absent(name, classes, answer.why),
    )
  }
  const torch = await runPeer('coop_torch.py', [...torchArguments(classes), '--runs', '1'], threads)
  const answer = z.object({ memory: z.number() }).optional().parse(torch)
  return answer === undefined ? figures : [...figures, figure(TORCH, classes, 'memory', 'MB', [answer.memory])]
}
