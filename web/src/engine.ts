// What the page needs of the library. This is the only file that knows it.

import {
  type Clip,
  classifierFile,
  type FloatTensor,
  floatTensor,
  type ImageClassifier,
  imageEncoder,
  loadClip,
  type ModelFiles,
  nearestWords,
  preprocess,
  type Runtime,
  zeroShotClassifier,
} from 'coop-ts'
import {
  browserRuns,
  decodeImage,
  filesDataset,
  hubModel,
  imageFeatures,
  openRun,
  type RunStore,
  readRun,
  train,
  urlModel,
  type WebItem,
  webRuntime,
} from 'coop-ts/web'

/** What the model sees in a picture: its features, and those before the image tower's last projection. */
export interface Feature {
  readonly features: Float32Array
  readonly trunk: Float32Array
}

/** Something that tells classes apart: a hand-written prompt, or a learned one. */
export interface Prompt {
  readonly classNames: readonly string[]
  /** A probability for each class, of each picture. */
  answer(features: readonly Feature[]): Promise<number[][]>
  dispose(): Promise<void>
}

/** The learned vectors of one context, each with its values and the words nearest to it. */
export interface Context {
  /** Where each class has a context of its own. */
  readonly className?: string
  readonly vectors: readonly { readonly values: Float32Array; readonly words: readonly Word[] }[]
}

/** A word of the vocabulary and how far it is from a vector. */
export interface Word {
  readonly word: string
  readonly distance: number
}

/** A prompt that was learned, with its file. */
export interface LearnedPrompt extends Prompt {
  /** `learned.safetensors`, as a run folder of Node has it. */
  readonly file: Uint8Array
  /** That its logits are divided by; 1 where nothing was calibrated, as of a prompt that is learned here. */
  readonly temperature: number
  contexts(): Promise<Context[]>
  /** Image tower and classifier as one ONNX file, for programs without coop-ts. */
  onnx(): Promise<Uint8Array>
}

export interface LearnOptions {
  readonly classNames: readonly string[]
  readonly train: readonly LabelledFile[]
  readonly test: readonly LabelledFile[]
  readonly template: string
  readonly seed: number
  readonly recipe: 'fast' | 'paper'
  /** Pictures of each class to learn from at most; 0: all. */
  readonly shots: number
  readonly classSpecific: boolean
  /** Random crops of each picture to learn from; 0: the pictures as they are. */
  readonly views: number
  readonly signal: AbortSignal
  readonly onPhase: (text: string, share: number) => void
  /** The losses so far, and how many steps there will be. */
  readonly onSteps: (losses: readonly { readonly step: number; readonly value: number }[], of: number) => void
  /** Share of the held-out pictures that the prompt gets right so far, and its first vectors. */
  readonly onAccuracy: (step: number, accuracy: number, vectors: readonly Float32Array[]) => void
  readonly onWarning: (text: string) => void
}

export interface LabelledFile {
  readonly file: File
  readonly label: number
}

export type DeviceChoice = 'auto' | 'cpu' | 'webgpu'

/** The model that comes along, one of the hub by its id, or files below an address. */
export type ModelChoice =
  | { readonly from: 'page' }
  | { readonly from: 'hub'; readonly id: string }
  | { readonly from: 'server'; readonly name: string; readonly url: string }

export interface EngineOptions {
  readonly model: ModelChoice
  readonly device: DeviceChoice
  readonly onPhase: (text: string, share?: number) => void
}

/** A model on a device. */
export interface Engine {
  /** What it computes on, in words; `auto` may find out while it learns. */
  device(): { readonly short: string; readonly long: string }
  /** Whether the device still computes. */
  works(): Promise<boolean>
  /** A feature for each picture, or why there is none. */
  look(files: readonly File[]): Promise<(Feature | Error)[]>
  handWritten(classNames: readonly string[], template: string): Promise<Prompt>
  learn(options: LearnOptions): Promise<LearnedPrompt>
  open(file: Blob): Promise<LearnedPrompt>
  close(): Promise<void>
}

/** What the bundled model is called by Node, too. */
const BUNDLED = 'bundled'
/** Its files: the page asks for no others, so that a server logs no misses. */
const BUNDLED_FILES = [
  'open_clip_config.json',
  'open_clip_model.safetensors',
  'vocab.json',
  'merges.txt',
  'tokenizer_config.json',
  'special_tokens_map.json',
]

/** Fewer pictures are encoded one by one, as a batch costs what it holds at most. */
const FEW = 8
/** Steps between two points of the accuracy curve. */
const MEASURE_EVERY = 5
/** Of a training that a closed tab may cut off. */
const CHECKPOINT_SECONDS = 3
/** Words that are shown of each vector. */
const WORDS = 3
const STORE = 'playground'

/** What the page says while a training does something else than learning. */
const PHASES: Readonly<Record<string, string>> = {
  features: 'Looking at the pictures',
  folds: 'Learning without a part of the pictures, to see how sure it can be',
}

export async function openEngine({ model, device, onPhase }: EngineOptions): Promise<Engine> {
  onPhase('Starting to compute')
  const runtime = await webRuntime({ device })
  try {
    onPhase('Opening the model')
    const clip = await loadClip(await filesOf(model, onPhase))
    return engineOf(clip, runtime, nameOf(model))
  } catch (error) {
    await runtime.close()
    throw error
  }
}

async function filesOf(model: ModelChoice, onPhase: EngineOptions['onPhase']): Promise<ModelFiles> {
  const onProgress = (event: { readonly kind: string; readonly done: number; readonly total: number }) => {
    if (event.kind === 'download') onPhase('Fetching the model', event.done / event.total)
  }
  if (model.from === 'hub') return hubModel(model.id, { onProgress })
  if (model.from === 'server') return urlModel(new URL(model.url, document.baseURI), { onProgress, keep: false })
  const files = urlModel(new URL('./models/small-clip/', document.baseURI), { onProgress, keep: false })
  return { ...files, has: async (file) => BUNDLED_FILES.includes(file) }
}

function nameOf(model: ModelChoice): string {
  if (model.from === 'hub') return model.id
  return model.from === 'server' ? model.name : BUNDLED
}

/** What fetching a model of the hub would take. */
export async function sizeOfModel(id: string): Promise<{ readonly bytes: number; readonly stored: boolean }> {
  const { bytes, stored } = await hubModel(id)
  return { bytes, stored }
}

function engineOf(clip: Clip, runtime: Runtime, modelName: string): Engine {
  const { preprocess: config } = clip.config
  const single = imageEncoder(clip, runtime, 1)

  /** Its feature, or why there is none. */
  async function lookAtOne(file: File): Promise<Feature | Error> {
    try {
      const image = await decodeImage(file, file.name, { exif: 'turn' })
      return await featureOf(await single.trunk([preprocess(image, config)]))
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  const featureOf = async (trunk: Float32Array): Promise<Feature> => ({ trunk, features: await single.project(trunk) })

  function promptOf(
    { classNames, takes, logits, dispose }: Pick<ImageClassifier, 'classNames' | 'takes' | 'logits' | 'dispose'>,
    temperature = 1,
  ): Prompt {
    if (takes === 'pixels') throw new Error('This run looks at pixels, and the page keeps features of pictures alone.')
    return {
      classNames,
      async answer(features) {
        const [first] = features
        if (first === undefined) return []
        const width = first[takes].length
        const rows = floatTensor([features.length, width])
        for (const [i, feature] of features.entries()) rows.data.set(feature[takes], i * width)
        const { data } = await logits(rows)
        return features.map((_, i) =>
          softmax(data.subarray(i * classNames.length, (i + 1) * classNames.length), temperature),
        )
      },
      dispose,
    }
  }

  async function open(given: Blob | Uint8Array<ArrayBuffer>): Promise<LearnedPrompt> {
    const run = await openRun(given, { model: clip, runtime })
    const file = given instanceof Blob ? new Uint8Array(await given.arrayBuffer()) : given
    let contexts: Promise<Context[]> | undefined
    return {
      ...promptOf(run, run.temperature),
      temperature: run.temperature,
      file,
      contexts: () => {
        contexts ??= contextsOf(file)
        return contexts
      },
      onnx: () => onnxOf(file),
    }
  }

  async function onnxOf(file: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const {
      method,
      settings,
      classNames,
      templates,
      transforms,
      exif = 'ignore',
      trust,
      ...saved
    } = await readRun(file)
    const classifier = await method.classifier({ clip, runtime, classNames, templates }, settings, saved)
    const about = { name: method.name, title: method.title(settings), settings }
    try {
      return classifierFile(
        {
          ...{ clip, classifier, method: about, modelName: saved.model.name, transforms, exif },
          temperature: trust?.temperature,
        },
        'float32',
      )
    } finally {
      await classifier.dispose()
    }
  }

  async function contextsOf(file: Uint8Array<ArrayBuffer>): Promise<Context[]> {
    const { tensors, classNames } = await readRun(file)
    const ctx = tensors.get('ctx')
    if (ctx === undefined) return [] // a method that learns no vectors
    const [M = 0, width = 0] = ctx.shape.slice(-2)
    const near = await nearestWords(clip, runtime, ctx, { count: WORDS })
    const vectors = near.map((words, i) => ({ values: ctx.data.subarray(i * width, (i + 1) * width), words }))
    if (ctx.shape.length === 2) return [{ vectors }]
    return classNames.map((className, c) => ({ className, vectors: vectors.slice(c * M, (c + 1) * M) }))
  }

  return {
    device: () => wordsOf(runtime),

    works: () =>
      zeroShotClassifier({ clip, runtime, classNames: ['yes', 'no'], templates: ['{}'] }).then(
        (classifier) => classifier.dispose().then(() => true),
        () => false,
      ),

    async look(files) {
      if (files.length < FEW) return Promise.all(files.map(lookAtOne))
      // where none can be read, it throws
      const rows = await imageFeatures(clip, runtime, files, { takes: 'trunk' }).catch(() => [])
      return Promise.all(
        files.map((file, i) => {
          const trunk = rows[i]
          return trunk === undefined ? lookAtOne(file) : featureOf(trunk)
        }),
      )
    },

    async handWritten(classNames, template) {
      return promptOf(await zeroShotClassifier({ clip, runtime, classNames, templates: [template] }))
    },

    async learn({
      classNames,
      train: learned,
      test,
      template,
      seed,
      recipe,
      shots,
      classSpecific,
      views,
      signal,
      onPhase,
      onSteps,
      onAccuracy,
      onWarning,
    }) {
      const items = (files: readonly LabelledFile[]) =>
        files.map(({ file, label }): WebItem => ({ path: file, label, name: file.name }))
      const steps = { total: 0 }
      const result = await train(
        { name: 'playground', classNames, train: items(learned), test: items(test), templates: [template] },
        {
          model: clip,
          modelName,
          runtime,
          method: 'coop',
          settings: { recipe, classSpecific },
          // it would be learned four times
          calibrate: false,
          shots: shots === 0 ? 'all' : shots,
          seed,
          views,
          measureEvery: MEASURE_EVERY,
          checkpointSeconds: CHECKPOINT_SECONDS,
          store: await storeForGoingOn(onWarning),
          signal,
        },
        {
          onWarning,
          onProgress(event) {
            if (event.kind === 'train') steps.total = event.total
            else onPhase(PHASES[event.kind] ?? 'Measuring', event.done / event.total)
          },
          onSteps: (all) =>
            onSteps(
              all.map(({ step, loss }) => ({ step, value: loss })),
              steps.total,
            ),
          onMeasured: ({ step, accuracy, tensors }) => onAccuracy(step, accuracy, vectorsOf(tensors.get('ctx'))),
        },
      )
      const file = result.files.get('learned.safetensors')
      if (file === undefined) throw new Error('the run has no learned.safetensors')
      await forgetStarted()
      return open(file)
    },

    open,

    async close() {
      await single.dispose()
      await runtime.close()
    },
  }
}

/** Of the first context, copied. */
function vectorsOf(ctx: FloatTensor | undefined): Float32Array[] {
  const [M = 0, width = 0] = ctx?.shape.slice(-2) ?? []
  return Array.from({ length: M }, (_, i) => ctx?.data.slice(i * width, (i + 1) * width) ?? new Float32Array())
}

/** Where a training keeps its checkpoint; without storage it learns all the same. */
async function storeForGoingOn(onWarning: (text: string) => void): Promise<RunStore | undefined> {
  try {
    return await browserRuns().open(STORE)
  } catch {
    onWarning('The browser gives this page no storage: a training cannot go on after the tab was closed.')
    return undefined
  }
}

/** Whether a training was begun and neither finished nor given up. */
export async function isStarted(): Promise<boolean> {
  const runs = await browserRuns().list()
  return runs.some(({ name, finished }) => name === STORE && !finished)
}

export const forgetStarted = (): Promise<void> => browserRuns().remove(STORE)

/** Which pictures of each class are held out: by the names of the files, as of a folder in Node. */
export async function heldOut<P extends { readonly file: File }>(
  classes: readonly { readonly name: string; readonly pictures: readonly P[] }[],
  testShare: number,
) {
  const of = new Map(
    classes.flatMap(({ pictures }) => pictures.map((picture): [unknown, P] => [picture.file, picture])),
  )
  const { train, test = [] } = await filesDataset(
    classes.map(({ name, pictures }) => ({ name, files: pictures.map(({ file }) => file) })),
    { testShare },
  )
  const labelled = (items: readonly WebItem[]) =>
    items.flatMap(({ path, label }) => {
      const picture = of.get(path)
      return picture === undefined ? [] : [{ picture, label }]
    })
  return { train: labelled(train), test: labelled(test) }
}

function wordsOf({ device, note = '' }: Runtime): { readonly short: string; readonly long: string } {
  if (device === 'webgpu') return { short: 'GPU', long: note }
  const threads = /(\d+) threads?/.exec(note)?.[0] ?? '1 thread'
  return { short: `CPU, ${threads}`, long: note }
}

function softmax(logits: Float32Array, temperature: number): number[] {
  const most = Math.max(...logits)
  const terms = Array.from(logits, (x) => Math.exp((x - most) / temperature))
  const sum = terms.reduce((a, b) => a + b, 0)
  return terms.map((term) => term / sum)
}
