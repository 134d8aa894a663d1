import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CoopError } from '../src/base/errors.ts'
import * as graph from '../src/graph/index.ts'
import * as core from '../src/public/index.ts'
import * as node from '../src/public/node.ts'
import { tinyClip } from '../src/testing/tiny-clip.ts'

// What callers without types give is refused by an error of ours, with what is wrong and what to do.

const clip = await tinyClip()
const runtime = await node.nodeRuntime({ threads: 1 })
beforeAll(() => vi.stubEnv('HF_HUB_OFFLINE', '1'))
afterAll(async () => {
  vi.unstubAllEnvs()
  await runtime.close()
})

const { embedDim } = clip.config
const features = core.floatTensor([2, 1, embedDim], new Float32Array(2 * embedDim).fill(1))
const task = { clip, runtime, classNames: ['cat', 'dog'], train: { features, labels: [0, 1] }, method: 'class-mean' }
const nan = { ...features, data: new Float32Array(2 * embedDim).fill(Number.NaN) }

const exported = { ...core, ...node, ...graph }

/** Calls as JavaScript does, where nothing checks types. */
const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
  const f: unknown = Reflect.get(exported, name)
  if (typeof f !== 'function') throw new Error(`there is no ${name}`)
  return Reflect.apply(f, undefined, args)
}

/** What a call ends with: the error that it throws, or undefined. */
const refusalOf = (name: string, args: readonly unknown[]): Promise<unknown> =>
  call(name, args).then(
    () => undefined,
    (error: unknown) => error,
  )

const g = new graph.Graph()
const matrix = g.input('matrix', [2, 3])
const rows = g.input('rows', [2], 'int64')
const mask = graph.positive(matrix)
const image = g.input('image', [1, 1, 4, 4])
const channels = g.input('channels', [3])
const loss = graph.sum(matrix, [0, 1])
const program = graph.program(g, { loss })
const alien = new graph.Graph().input('alien', [2, 3])

const unary = { args: [matrix] }
const binary = { args: [matrix, matrix] }
const reduction = { args: [matrix, [0]], more: [true] }
const prompt = core.learnedPrompt(
  clip.fingerprint,
  ['cat', 'dog'],
  { M: 2, position: 'end', classSpecific: false },
  core.floatTensor([2, clip.config.text.width]),
)
const layout = core.promptLayout(clip.tokenizer, prompt.classNames, prompt)
const ctx = g.input('ctx', core.contextShape(clip, layout))
const packed = g.input('packed', [layout.packing.slots.length, clip.config.text.width])
const parameters = core.constantParameters(g, clip.weights)
const { size } = clip.config.preprocess
const picture = { width: 2, height: 1, data: new Uint8Array(6) }
const set = { features, labels: [0, 1] }
const classes = { clip, runtime, classNames: ['cat', 'dog'], templates: ['a {}.'] }
const method = core.methodNamed('class-mean')
const exportedClassifier = {
  clip,
  classifier: core.textClassifier(classes, core.floatTensor([2, embedDim])),
  method: { name: 'class-mean', title: 'nearest class mean', settings: {} },
  modelName: 'tiny',
  transforms: '2021-10',
  exif: 'turn',
} as const
const source = core.bytesSource('a file', new Uint8Array(3))
const files = node.folderModelFiles('nowhere')
const gradientTask = {
  runtime,
  program: () => program,
  start: new Map(),
  feeds: core.featureFeeds(set),
  epochs: 0,
  batchSize: 1,
  order: core.inOrder,
  optimiser: core.sgd(),
  learningRate: () => 0.1,
}
const settings = { ...core.PAPER_SETTINGS, epochs: 1 }
const dataset = { classNames: ['cat'], train: [{ path: 'a.png', label: 0 }], val: [], test: [] }
const plan = await node.readPlan('paper')
const repo = { type: 'model', id: 'owner/name', revision: 'main' }
const worker = { post: () => 0, onAnswer: () => 0, onFailure: () => 0, terminate: async () => 0 }

/** Right arguments of a function, and of those that may be left out. */
interface Right {
  readonly args: readonly unknown[]
  readonly more?: readonly unknown[]
}

/** A row for every function of the package. */
const RIGHT: Readonly<Record<string, Right>> = {
  accuracyOf: {
    args: [
      ['a', 'b'],
      [0, 1],
      [0, 1],
    ],
  },
  addClass: { args: ['no-run', 'zebra'], more: [{}, {}] },
  adamW: { args: [{ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 }] },
  bytesSource: { args: ['a file', new Uint8Array(3)] },
  checkTrainingSet: { args: [set, 2, embedDim] },
  classFeatures: { args: [clip, layout, ctx] },
  classFeaturesProgram: { args: [clip, layout] },
  constantParameters: { args: [g, clip.weights] },
  classifierFile: { args: [exportedClassifier, 'float32'], more: [{}] },
  contextShape: { args: [clip, layout] },
  coopStep: { args: [clip, layout, 2] },
  defaultEpochs: { args: [4] },
  defineMethod: { args: [method] },
  embedRows: { args: [clip, [1], [0]] },
  encodeTexts: { args: [clip, runtime, ['a cat']], more: [100] },
  featureFeeds: { args: [set] },
  fillTemplate: { args: ['a {}.', 'cat'] },
  floatTensor: { args: [[1]], more: [new Float32Array(1)] },
  graphClassifier: { args: [classes, () => matrix], more: ['features'] },
  imageEncoder: { args: [clip, runtime, 2] },
  imageLogits: { args: [clip, matrix, matrix] },
  imageTower: { args: [parameters, clip.config, g.input('pixels', [1, 3, size, size])], more: [(x: unknown) => x] },
  inOrder: { args: [0, 3] },
  intTensor: { args: [[2], [1, 2]] },
  labelLoss: { args: [new graph.Graph().input('logits', [2, 3])] },
  learnByGradients: { args: [gradientTask], more: [{}] },
  learnFewShot: { args: [task], more: [{}] },
  learnedPrompt: { args: [clip.fingerprint, prompt.classNames, prompt, prompt.ctx] },
  learnedTensor: { args: [{ tensors: new Map([['ctx', prompt.ctx]]) }, 'ctx', prompt.ctx.shape] },
  learningRateOf: { args: [{ epochs: 10, learningRate: 0.1 }, 0] },
  loadClip: { args: [files] },
  methodNamed: { args: ['coop'], more: [[method]] },
  nearestWords: { args: [clip, runtime, prompt.ctx], more: [{}] },
  openRuntime: { args: [worker, { threads: 1 }] },
  pack: { args: [[[1, 2]]], more: [true, 1] },
  pixelFeeds: { args: [{ images: 2, pixels: () => 0 }, [0, 1]] },
  positionRows: { args: [clip, [0]] },
  preprocess: { args: [picture, clip.config.preprocess] },
  promptClassifier: { args: [clip, runtime, prompt] },
  promptFeatures: { args: [clip, runtime, prompt] },
  promptLayout: { args: [clip.tokenizer, ['cat'], prompt] },
  randomFor: { args: ['key'] },
  readClipTables: { args: [source] },
  readPrompt: { args: [source] },
  readSettings: { args: [method, {}] },
  serveRuns: { args: [[{ run: 'no-run' }]], more: [{}] },
  sgd: { args: [], more: [{ momentum: 0.9, weightDecay: 0 }] },
  shuffled: { args: [1] },
  startTokens: { args: [clip, 'a photo'] },
  stepOf: { args: [loss, new Map([['matrix', matrix]])], more: [{}] },
  textClassifier: { args: [classes, core.floatTensor([2, embedDim])] },
  textTower: { args: [parameters, clip.config.text, embedDim, layout.packing, packed], more: [{}] },
  tokenRows: { args: [clip, [1]] },
  trainPrompt: { args: [{ ...classes, set, settings }], more: [{}] },
  withTemplates: { args: [classes, {}] },
  writePrompt: { args: [prompt], more: [{}] },
  zeroShotClassifier: { args: [classes] },
  zeroShotFeatures: { args: [classes] },

  bundledModel: { args: [] },
  checkLearnable: { args: [dataset] },
  decodeImage: { args: [picture], more: ['a picture', {}] },
  drawFewShot: { args: [dataset.train, dataset.val, 1, 1] },
  encodePng: { args: [picture] },
  encodeSets: { args: [clip, runtime, [{ items: [] }]], more: [{}, {}] },
  evaluateRun: { args: ['no-run', 'photos'], more: [{}, {}] },
  inspectRun: { args: ['no-run'], more: [{}, {}] },
  evaluateZeroShot: { args: ['no photos'], more: [{}, {}] },
  jsonLog: { args: [{ write: () => true }] },
  exportRun: { args: ['no-run', { format: 'onnx', out: 'exported' }], more: [{}] },
  featuresOfData: { args: ['no photos'], more: [{}, {}] },
  fileSource: { args: ['no file'] },
  folderModelFiles: { args: ['nowhere'] },
  holdOutVal: { args: [dataset] },
  hubFile: { args: [repo, '../x'], more: [{}] },
  hubFiles: { args: [repo], more: [{}] },
  hubModel: { args: [repo], more: [{}] },
  imageRows: { args: [{ features }], more: ['features'] },
  jobsOf: { args: [plan], more: [[]] },
  nodeRuntime: { args: [], more: [{}] },
  openDataset: { args: ['no photos', {}], more: [{}] },
  openRun: { args: ['no-run'], more: [{}] },
  parseHubId: { args: ['owner/name'], more: ['model'] },
  promptOfRun: { args: ['no-run'] },
  readImageFolder: { args: ['no photos'], more: [{}, {}] },
  readPlan: { args: ['no plan'], more: [[]] },
  reportSweeps: { args: [['no-sweep'], {}], more: [{}] },
  runOne: { args: [{ method: 'coop', settings: {} }, { out: '' }], more: [{}] },
  sweep: { args: ['no plan'], more: [{}, {}] },
  train: { args: ['no photos'], more: [{}, {}] },
  writeFeatures: { args: ['no-folder-of-mine/features.txt', {}] },
  writeFileAtomic: { args: ['/dev/null/no', 'text'], more: [{}] },

  add: binary,
  argmax: unary,
  averagePool: { args: [image, 2] },
  batchNorm: { args: [matrix, channels, channels, 1, 1e-5] },
  checkProgram: { args: [program] },
  concat: { args: [[matrix, matrix], 0] },
  conv2d: { args: [image, g.input('kernel', [1, 1, 2, 2])], more: [{}] },
  crossEntropy: binary,
  dims: { args: [matrix, 2] },
  div: binary,
  encodeOnnx: { args: [program] },
  equals: binary,
  erf: unary,
  exp: unary,
  expand: { args: [matrix, [4, 2, 3]] },
  flip: { args: [matrix, [0]] },
  frozenBatchNorm: { args: [matrix, channels, channels, channels, channels, 1e-5] },
  gather: { args: [matrix, rows] },
  gelu: unary,
  gradients: { args: [loss, [matrix]] },
  l2Normalise: unary,
  layerNorm: { args: [matrix, channels, channels, 1e-5] },
  log: unary,
  logSoftmax: unary,
  matmul: { args: [matrix, graph.transpose(matrix, [1, 0])], more: [{}] },
  max: reduction,
  mean: reduction,
  mul: binary,
  neg: unary,
  normalisedProduct: { args: [matrix, channels, channels, 1e-5, matrix] },
  pad: { args: [matrix, [0, 1], [0, 1]] },
  positive: unary,
  printProgram: { args: [program] },
  program: { args: [g, { loss }] },
  quickGelu: unary,
  reciprocal: unary,
  relu: unary,
  reshape: { args: [matrix, [3, 2]] },
  scale: { args: [matrix, 2] },
  scatterAdd: { args: [[4, 3], rows, matrix] },
  sigmoid: unary,
  silu: unary,
  sizeOf: { args: [[1]] },
  slice: { args: [matrix, 1, 0, 2] },
  softmax: unary,
  split: { args: [matrix, 1, [1, 2]] },
  sqrt: unary,
  sub: binary,
  sum: reduction,
  sumOfCopies: { args: [4, [3, 0], matrix] },
  sumSquares: reduction,
  transpose: { args: [matrix, [1, 0]] },
  where: { args: [mask, matrix, matrix] },
  withGradient: { args: [matrix, [matrix], () => []] },
}

const isClass = (f: unknown) => typeof f === 'function' && /^class\b/.test(Function.prototype.toString.call(f))

it('every function of the package has its row', () => {
  const functions = Object.entries(exported).filter(([, f]) => typeof f === 'function' && !isClass(f))
  expect(functions.map(([name]) => name).sort()).toEqual(Object.keys(RIGHT).sort())
})

/** Of each kind a value that is wrong for all other kinds. */
const WRONG = {
  text: 'text',
  number: 7,
  truth: true,
  list: [null],
  object: {},
  function: () => undefined,
  null: null,
  NaN: Number.NaN,
}

function kindOf(right: unknown): keyof typeof WRONG {
  if (Array.isArray(right)) return 'list'
  if (typeof right === 'string') return 'text'
  if (typeof right === 'number') return 'number'
  if (typeof right === 'boolean') return 'truth'
  return typeof right === 'function' ? 'function' : 'object'
}

/** What is not in place of a right argument: other kinds, and of its own kind what has nothing in it. */
function wrongFor(right: unknown): unknown[] {
  const kind = kindOf(right)
  const others = Object.entries(WRONG).flatMap(([name, value]) => (name === kind ? [] : [value]))
  if (kind === 'list' && Object(right).length > 0) return [...others, WRONG.list]
  return kind === 'object' && Object.keys(Object(right)).length > 0 ? [...others, WRONG.object] : others
}

/** What these take is not wrong: either of two kinds, or any. */
const TAKES: Readonly<Record<string, readonly unknown[]>> = {
  decodeImage: ['text'],
  randomFor: [7],
  withTemplates: [WRONG.object],
}

describe.each(Object.entries(RIGHT))('%s', (name, { args, more = [] }) => {
  const all = [...args, ...more]
  const calls = all.flatMap((right, i) => {
    const wrong = [...wrongFor(right), ...(i < args.length ? [undefined] : [])]
    return wrong
      .filter((value) => !TAKES[name]?.includes(value))
      .map((value) => ({ i, value, args: all.with(i, value) }))
  })
  it('refuses what is wrong in the place of each argument', async () => {
    const accepted = []
    for (const { i, value, args } of calls) {
      const refusal = await refusalOf(name, args)
      if (refusal instanceof CoopError) continue
      accepted.push(`argument ${i + 1}, ${JSON.stringify(value) ?? value}: ${refusal ?? 'accepted'}`)
    }
    expect(accepted).toEqual([])
  })
})

describe.each<[string, ...(readonly unknown[])[]]>([
  [
    'accuracyOf',
    [],
    [['a', 'b'], [0, 1], [0]],
    [['a', 'b'], [0], [2]],
    [
      [0, 1],
      [1, 0],
      ['a', 'b'],
    ],
    [['a'], [-1], [0]],
  ],
  ['textClassifier', [], [undefined, 3]],
  ['graphClassifier', [{}, 1], [{ clip, runtime, classNames: ['a'] }, undefined]],
  ['encodeTexts', [], [clip, runtime, 'a cat'], [clip, runtime, [1]], [clip, undefined, ['a']]],
  ['imageEncoder', [], [clip, runtime, 0], [clip, runtime, Number.NaN]],
  ['embedRows', [], [clip, 'cat', [0]]],
  ['tokenRows', [clip, [0.5]]],
  ['positionRows', [clip]],
  ['promptLayout', [], [clip.tokenizer, [], { M: 4 }], [clip.tokenizer, 'cat', { M: 4 }]],
  ['nearestWords', [], [clip, runtime, [1, 2]]],
  ['readPrompt', ['prompt.safetensors']],
  ['writePrompt', []],
  ['methodNamed', [], [7], ['coup']],
  ['readSettings', [], [{}, undefined]],
  [
    'learnFewShot',
    [],
    [{}],
    [{ ...task, classNames: [] }],
    [{ ...task, classNames: 'cat' }],
    [{ ...task, classNames: ['cat', 'CAT'] }],
    [{ ...task, train: undefined }],
    [{ ...task, train: { features: [1, 2], labels: [0, 1] } }],
    [{ ...task, train: { features, labels: ['cat', 'dog'] } }],
    [{ ...task, train: { features: nan, labels: [0, 1] } }],
    [{ ...task, method: 'coup' }],
    [{ ...task, settings: 5 }],
  ],
  ['drawFewShot', [], [[], [], 0, 1], [[], [], Number.NaN, 1]],
  ['checkLearnable', [], [{}]],
  ['fileSource', [], [5]],
  ['folderModelFiles', [], [['a']]],
  ['writeFileAtomic', [], ['']],
  ['nodeRuntime', [5], [{ device: 'gpu' }], [{ threads: 'two' }], [{ threads: -1 }]],
  ['openDataset', [], [5, {}], ['photos']],
  ['readImageFolder', [], [5]],
  ['promptOfRun', [], [{}]],
  ['reportSweeps', [], ['runs'], [[]]],
  ['encodeSets', [], [clip, runtime, undefined]],
  ['featuresOfData', [], [5], ['photos', { modle: 'bundled' }], ['no-features.npy']],
  ['writeFeatures', [], ['features.txt', {}], ['features.npy', []], [5, {}], ['features.csv', {}]],
  ['addClass', [], ['run'], ['no-run', 'zebra'], ['run', 'zebra', { picture: 'zebras' }]],
  ['train', [], [5], [''], ['photos', { shot: 4 }], ['photos', { method: 'coup' }], ['photos', 'out']],
  ['sweep', [], [[]], ['plan.yaml', { paralel: 2 }]],
  ['evaluateRun', [], ['run'], ['run', 'photos', { transfr: true }]],
  ['inspectRun', [], [5], ['run', { dta: 'photos' }], ['run', { out: 'photo.png' }]],
  ['evaluateZeroShot', [], ['photos', { template: 'a {}' }]],
  ['openRun', [], [5], ['run', { method: [] }]],
  ['runOne', [], [{}]],
  ['readPlan', [], [{}]],
  ['add', [matrix, alien], [matrix, image], [{ shape: [2, 3] }, matrix]],
  ['matmul', [matrix, channels], [matrix, matrix], [matrix, alien]],
  ['concat', [[matrix, channels], 0], [[], 0], [[matrix, alien], 0]],
  ['where', [matrix, matrix, matrix]],
  ['gradients', [matrix, [matrix]], [loss, [alien]]],
  ['program', [g, { alien }], [g, {}]],
  ['slice', [matrix, 2, 0, 1], [matrix, 0, 1, 5]],
  ['averagePool', [image, 3], [image, -1]],
  ['floatTensor', [[2], new Float32Array(3)], [[-1]], [[1.5]], [[1e6, 1e6]]],
  ['intTensor', [[1], [0.5]], [[2], [1]], [[1], ['a']]],
  ['checkTrainingSet', [{ features, labels: [0] }, 2, embedDim], [set, 1, embedDim], [set, 2, 3]],
  ['featureFeeds', [{ features, labels: [0] }]],
  ['pixelFeeds', [{ images: 3, pixels: () => 0 }, [0]]],
  ['pack', [[]], [[[]]], [[[1], [1, 2], [1]], true, 2]],
  ['preprocess', [{ ...picture, width: 3 }, clip.config.preprocess]],
  ['encodePng', [{ ...picture, height: 0 }], [{ ...picture, width: 1.5, height: 4 / 3 }]],
  ['decodeImage', [{ ...picture, width: 3 }], [new Uint8Array()]],
  ['fillTemplate', ['a cat', 'cat']],
  ['zeroShotFeatures', [{ ...classes, templates: [] }], [{ ...classes, classNames: [] }]],
])('%s', (name, ...calls) => {
  it.each(calls.map((args, i) => [i + 1, args] as const))('refuses call %i', async (_, args) => {
    expect(await refusalOf(name, args)).toBeInstanceOf(CoopError)
  })
})

it('an option that there is not is named, with the one that was meant', async () => {
  await expect(call('train', ['photos', { shot: 4 }])).rejects.toThrow(
    'train has no option "shot" (did you mean "shots"?)',
  )
})

it.each([
  ['train', 'seed', [-1, 2 ** 32, 1.5, '1', Number.NaN], 'a whole number from 0 to 4294967295'],
  ['train', 'shots', [0, -1, 1e9, 'every'], 'a whole number from 1 to 1000000, or all'],
  ['train', 'views', [-1, 1001, 1e9, 'offline'], 'a whole number from 0 to 1000, or online'],
  ['train', 'threads', [0, 1025, 1e9], 'a whole number from 1 to 1024'],
  ['train', 'checkpointSeconds', [-1, 1e9, Number.POSITIVE_INFINITY, '1'], 'a number of seconds from 0 to 1000000'],
  ['sweep', 'parallel', [0, 257, 1e9, '2'], 'a whole number from 1 to 256'],
  ['sweep', 'threads', [0, 1025], 'a whole number from 1 to 1024'],
  ['sweep', 'workers', [0, 257, '2'], 'a whole number from 1 to 256'],
  ['sweep', 'emit', ['pbs', true], "'slurm'"],
  ['sweep', 'checkpointSeconds', [-1, 1e9], 'a number of seconds from 0 to 1000000'],
  ['runOne', 'seed', [-1, 2 ** 32], 'a whole number from 0 to 4294967295'],
  ['runOne', 'views', [1e9], 'a whole number from 0 to 1000, or online'],
  ['runOne', 'shots', [1e9], 'a whole number from 1 to 1000000, or all'],
  ['learnFewShot', 'seed', [-1, 2 ** 32], 'a whole number from 0 to 4294967295'],
  ['learnFewShot', 'shots', [0, 1e9], 'a whole number from 1 to 1000000'],
])('%s: %s has bounds, which are said before any work', async (name, option, values, bounds) => {
  const job = { method: 'zero-shot', settings: {}, seed: 1, shots: 0, views: 0 }
  for (const value of values) {
    const wrong = { [option]: value }
    const args: Record<string, unknown[]> = {
      train: ['photos', wrong],
      sweep: ['plan.yaml', wrong],
      runOne: [{ ...job, ...wrong }, { out: 'run' }],
      learnFewShot: [{ ...task, ...wrong }],
    }
    await expect(call(name, args[name] ?? [])).rejects.toThrow(`${name}: ${option} must be ${bounds}`)
  }
})

it('settings that a method does not know are refused by each of its functions', () => {
  expect(() => method.title({ M: 16 })).toThrow(/settings of class-mean: .*M.*/)
  expect(() => core.methodNamed('coop').transfers({ M: 'many' })).toThrow(CoopError)
})

it('what sessions, classifiers and random streams are given is checked, too', async () => {
  const session = await runtime.load(program)
  const classifier = core.textClassifier(classes, core.floatTensor([2, embedDim]))
  const untyped = async (f: (...args: never[]) => unknown, ...args: unknown[]) => Reflect.apply(f, undefined, args)
  for (const wrong of [undefined, null, 5, 'x', {}, []]) {
    await expect(untyped(runtime.load.bind(runtime), wrong)).rejects.toThrow(CoopError)
    await expect(untyped(session.run, wrong)).rejects.toThrow(CoopError)
    await expect(untyped(session.run, { matrix: wrong })).rejects.toThrow(CoopError)
    await expect(untyped(classifier.logits, wrong)).rejects.toThrow(CoopError)
    await expect(untyped(classifier.predict, wrong)).rejects.toThrow(CoopError)
    const random = core.randomFor('key')
    for (const f of wrong === 5 ? [] : [random.int, random.permutation])
      await expect(untyped(f, wrong)).rejects.toThrow(CoopError)
  }
  await Promise.all([session.dispose(), classifier.dispose()])
})

it('what is right is accepted', async () => {
  expect(core.accuracyOf(['a', 'b'], [0, 1], [0, 0])).toEqual({ accuracy: 0.5, perClass: [0.5, Number.NaN] })
  const { classifier } = await core.learnFewShot(task)
  expect(classifier.classNames).toEqual(['cat', 'dog'])
  await classifier.dispose()
})
