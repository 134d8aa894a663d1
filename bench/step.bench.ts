import { absent, type Bench, type BenchOptions, type BenchResult, type Figure, figure } from './bench.ts'
import { inProcess } from './child.ts'
import { ratios } from './measure.ts'
import { M, plainForm, type StepForm, stepAnswer } from './training-step.ts'

/** Those of EuroSAT, DTD, Caltech101 (nearly), SUN397 and ImageNet, and what a catalogue of products may have. */
const COUNTS = [10, 47, 100, 397, 1000, 5000]
const QUICK = [10, 47]

export const step: Bench = {
  name: 'step',
  about: `a training step by number of classes (M = ${M}, at CLIP's text width), the bare products of its linear layers beside it, and its memory`,
  run: (_, options) => stepsOf(options, (options.quick ? QUICK : COUNTS).map(plainForm)),
}

const LAYOUTS: readonly Pick<StepForm, 'position' | 'classSpecific'>[] = [
  { position: 'end', classSpecific: true },
  { position: 'middle', classSpecific: false },
  { position: 'middle', classSpecific: true },
  { position: 'front', classSpecific: false },
  { position: 'front', classSpecific: true },
]

export const layouts: Bench = {
  name: 'layouts',
  about: 'the same with the class name in the middle or in front, and with contexts of their own for the classes',
  long: true,
  run: (_, options) =>
    stepsOf(
      options,
      LAYOUTS.flatMap((layout) =>
        (options.quick ? QUICK.slice(0, 1) : COUNTS).map((classes) => ({ ...plainForm(classes), ...layout })),
      ),
    ),
}

async function stepsOf(options: BenchOptions, forms: readonly StepForm[]): Promise<BenchResult> {
  const figures: Figure[] = []
  for (const form of forms) figures.push(...(await figuresOf(form, options)))
  return {
    figures,
    notes: [
      'bare products: those of the step with weights of the text tower, forward and gradient, as one program of nothing else, in turns with the step',
      'memory: of the whole process after two steps, model and all; a session: the program encoded, weights copied and packed',
    ],
  }
}

/** Long steps are measured fewer times. */
const roundsFor = (classes: number) => (classes <= 100 ? 9 : classes <= 397 ? 5 : 3)

export const nameOf = ({ position, classSpecific }: Pick<StepForm, 'position' | 'classSpecific'>): string =>
  classSpecific ? `${position}, class-specific` : position

async function figuresOf(form: StepForm, { quick, threads }: BenchOptions): Promise<Figure[]> {
  const [name, size] = [nameOf(form), form.classes]
  const task = { ...form, threads, rounds: quick ? 3 : roundsFor(size), products: true }
  const answer = await inProcess('step-process.ts', task, stepAnswer).catch((error: Error) => error)
  if (answer instanceof Error) return [absent(name, size, `failed: ${answer.message}`)]
  if (answer.kind === 'too large') return [absent(name, size, answer.why)]
  const { rows, flops, memory, build, session, step, products } = answer
  const shares = ratios(products, step).map((ratio) => 100 * ratio)
  return [
    figure(name, size, 'step', 'ms', step),
    figure(name, size, 'bare products', 'ms', products),
    figure(name, size, 'share of the bare products', '%', shares),
    figure(
      name,
      size,
      'speed of the bare products',
      'GFLOP/s',
      products.map((ms) => flops / ms / 1e6),
    ),
    figure(name, size, 'memory', 'MB', [memory]),
    figure(name, size, 'program', 'ms', [build]),
    figure(name, size, 'session', 'ms', [session]),
    figure(name, size, 'rows', 'rows', [rows]),
  ]
}
