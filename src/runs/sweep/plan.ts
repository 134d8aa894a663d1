import { existsSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type Document, isMap, isPair, isScalar, isSeq, type LineCounter, type Node, type Scalar, visit } from 'yaml'
import { z } from 'zod'
import { aText, checkArguments } from '../../base/arguments.ts'
import { MANY, MAX_SEED } from '../../base/bounds.ts'
import { UsageError } from '../../base/errors.ts'
import { nearestWord } from '../../base/spelling.ts'
import { modelOfWord } from '../../clip/known-models.ts'
import type { Shots } from '../../data/fewshot.ts'
import { CLASS_SPLITS } from '../../data/halves.ts'
import { type AnyMethod, METHODS, methodNamed, settingNames } from '../../methods/index.ts'
import { wholeNumber } from '../../methods/numbers.ts'
import { readText } from '../../node/files.ts'
import { BUNDLED, bundledPlan } from '../../node/package.ts'
import { readYaml, type Yaml } from '../../node/yaml.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS_NAMES } from '../../pictures/transforms.ts'
import { type Views, viewsSchema } from '../../pictures/views.ts'
import { isTemplatesFile, templatesOf } from '../templates-file.ts'

/** `x` is short for `[x]`. */
const oneOrMore = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(item).min(1))

const word = z
  .string({ error: 'expected a word' })
  .min(1)
  // results are objects with these words as keys
  .refine((text) => !(text in {}), {
    error: ({ input }) => `"${input}" is a word that JavaScript keeps: write ./${input}`,
  })
const shots = oneOrMore(
  z.union([wholeNumber(1, MANY), z.literal('all')], {
    error: `expected a whole number of images from 1 to ${MANY}, or all`,
  }),
)
const seeds = oneOrMore(wholeNumber(0, MAX_SEED))

const SETTINGS_EXPECTED = 'expected settings by data set: { eurosat: { alpha: 2 } }'

/** A method and its settings; a list of values stands for one method with each value. */
const method = z.preprocess(
  (value) => (typeof value === 'string' ? { method: value } : value),
  z.looseObject(
    {
      method: word,
      shots: shots.optional(),
      seeds: seeds.optional(),
      views: viewsSchema.optional(),
      perDataset: z
        .record(z.string(), z.record(z.string(), z.unknown(), { error: SETTINGS_EXPECTED }), {
          error: SETTINGS_EXPECTED,
        })
        .optional(),
    },
    { error: 'expected the name of a method, or method: NAME with its settings' },
  ),
)

const planSchema = z.strictObject({
  /** What `coop-ts train` takes: official data sets, folders, lists, parquet files. */
  datasets: oneOrMore(word),
  /** Folder that contains the official data sets; relative to the plan. */
  root: word.optional(),
  /** Folders (relative to the plan), files, hub ids, or a word for one; `bundled` is the small CLIP that comes along. */
  models: oneOrMore(word).prefault([BUNDLED]),
  methods: z.array(method, { error: 'expected a list of methods' }).min(1),
  shots: shots.prefault([1, 2, 4, 8, 16]),
  seeds: seeds.prefault([1, 2, 3]),
  views: viewsSchema.optional(),
  transforms: z.enum(TRANSFORMS_NAMES).default(DEFAULT_TRANSFORMS),
  /** `base`: learn from the first half of the classes, and measure on the other half as well (elsewhere.new). */
  split: z.enum(CLASS_SPLITS).default('all'),
  /** Whether probabilities of methods that take long are calibrated as well: each is then learned several times. */
  calibrate: z.boolean({ error: 'expected true or false' }).default(false),
  /** Other data sets that each run is measured on: shifted ones, or a transfer to other classes. */
  elsewhere: z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(word)).default([]),
})

export interface PlannedMethod {
  readonly method: string
  readonly shots?: readonly Shots[]
  readonly seeds?: readonly number[]
  readonly views?: Views
  /** Complete settings of each point of the grid. */
  readonly grid: readonly Readonly<Record<string, unknown>>[]
  /** The same for data sets that have settings of their own, by their words in the plan. */
  readonly perDataset?: ReadonlyMap<string, PlannedMethod['grid']>
}

/** A plan that was read: data sets, models, methods, shots and seeds to combine. */
export interface Plan extends Omit<z.output<typeof planSchema>, 'methods'> {
  /** The file's text, prompts in the place of the files that it names: kept with the results. */
  readonly text: string
  readonly file: string
  readonly methods: readonly PlannedMethod[]
}

/** Keys of a method's entry that are not settings of the method. */
const RESERVED = ['method', 'shots', 'seeds', 'views', 'perDataset']

/**
 * Reads a plan: a YAML file, or the name of one that comes with the package (`paper`). `methods` are known in addition to
 * METHODS. `templates: FILE` stands for what is in the file, which is relative to the plan.
 *
 * @throws UsageError with the line of each key that is unknown or wrong; FileError for what cannot be read
 */
export async function readPlan(plan: string, methods?: readonly AnyMethod[]): Promise<Plan> {
  checkArguments('readPlan', { plan }, { plan: aText })
  const file = /^[\w-]+$/.test(plan) && existsSync(bundledPlan(plan)) ? bundledPlan(plan) : plan
  const text = await readText(file)
  const yaml = readYaml(text)
  if (yaml.faults.length > 0 || !(await readTemplates(yaml.document, file))) return planOf(yaml, text, file, methods)
  return planOf({ ...yaml, value: yaml.document.toJS({ maxAliasCount: -1 }) }, String(yaml.document), file, methods)
}

/** Puts prompts in the place of the names of their files; whether there was any. */
async function readTemplates(document: Document.Parsed, file: string): Promise<boolean> {
  const named: { readonly name: string; put(prompts: Node): void }[] = []
  visit(document, {
    Scalar(key, { value: name, anchor }: Scalar, path) {
      const [pair, parent] = [path.findLast(isPair), path.at(-1)]
      const isOne = isScalar(pair?.key) && pair.key.value === 'templates' && key !== 'key'
      if (!isOne || typeof name !== 'string' || !isTemplatesFile(name)) return
      const put = (prompts: Node) => {
        if (isPair(parent)) parent.value = prompts
        else if (isSeq(parent)) parent.set(key, prompts)
      }
      named.push({ name, put: (prompts) => put(Object.assign(prompts, { anchor })) })
    },
  })
  for (const { name, put } of named) {
    put(document.createNode(await templatesOf([resolve(dirname(file), name)])))
  }
  return named.length > 0
}

export const parsePlan = (text: string, file: string, more?: readonly AnyMethod[]): Plan =>
  planOf(readYaml(text), text, file, more)

function planOf(yaml: Yaml, text: string, file: string, more: readonly AnyMethod[] = []): Plan {
  const faults = new Faults(file, yaml.document, yaml.lines)
  for (const { offset, message } of yaml.faults) faults.at(offset, message)
  faults.throwAny()

  const result = planSchema.safeParse(yaml.value ?? {}, { reportInput: true })
  if (!result.success) faults.add([], result.error.issues, Object.keys(planSchema.shape))
  faults.throwAny()
  const plan = planSchema.parse(yaml.value)
  checkCount(plan, faults, more)
  const methods = plan.methods.map((entry, i) => readMethod(entry, ['methods', i], plan.datasets, faults, more))
  faults.throwAny()
  // paths in a plan are relative to it
  const root = plan.root === undefined ? undefined : resolve(dirname(file), plan.root)
  return { ...plan, models: plan.models.map(modelOfWord), root, methods, text, file }
}

function readMethod(
  entry: z.output<typeof method>,
  path: readonly (string | number)[],
  datasets: readonly string[],
  faults: Faults,
  more: readonly AnyMethod[],
): PlannedMethod {
  const { method: name, shots, seeds, views, perDataset = {} } = entry
  const known = [...METHODS, ...more].map((each) => each.name)
  if (!known.includes(name)) {
    faults.add([...path, 'method'], [{ path: [], message: `there is no method "${name}"${meant(name, known)}` }], known)
    return { method: name, grid: [] }
  }
  const found = methodNamed(name, more)
  const points = product(choicesOf(entry, found))
  const gridOf = (own: Readonly<Record<string, unknown>>, path: readonly (string | number)[]) =>
    points.flatMap((settings) => {
      const result = found.settings.safeParse({ ...settings, ...own })
      if (!result.success) {
        faults.add(path, result.error.issues, settingNames(found))
        return []
      }
      return [Object.fromEntries(Object.entries(Object(result.data)))]
    })
  const own = Object.entries(perDataset).map(([dataset, settings]) => {
    const at = [...path, 'perDataset', dataset]
    const strange = `"${dataset}" is none of the plan's data sets${meant(dataset, datasets)}`
    if (!datasets.includes(dataset)) faults.at(faults.offsetOf(at), strange)
    return [dataset, gridOf(settings, at)] as const
  })
  return { method: name, shots, seeds, views, grid: gridOf({}, path), perDataset: new Map(own) }
}

/** Runs of the largest plan; the paper's whole study has some thousands. */
const MAX_RUNS = 100_000

/** Refuses, before they are made, more runs than a sweep can do. */
function checkCount(plan: z.output<typeof planSchema>, faults: Faults, more: readonly AnyMethod[]): void {
  let all = 0
  for (const [i, entry] of plan.methods.entries()) {
    const found = [...METHODS, ...more].find(({ name }) => name === entry.method)
    const lists = [plan.datasets, plan.models, entry.shots ?? plan.shots, entry.seeds ?? plan.seeds]
    const choices = found ? choicesOf(entry, found).map(({ values }) => values) : []
    all += [...lists, ...choices].reduce((product, { length }) => product * length, 1)
    if (all <= MAX_RUNS) continue
    faults.at(faults.offsetOf(['methods', i]), `the plan has ${all} runs up to here; the most are ${MAX_RUNS}`)
    break
  }
  faults.throwAny()
}

/** The settings of an entry, each with the values that it is to have. */
function choicesOf(entry: z.output<typeof method>, { settings }: AnyMethod) {
  return Object.entries(entry).flatMap(([key, value]) => {
    if (RESERVED.includes(key)) return []
    // a list that is one value of its setting stays whole, such as the templates of zero-shot
    const whole = !Array.isArray(value) || settings.safeParse({ [key]: value }).success
    return [{ key, values: whole ? [value] : value }]
  })
}

function product(choices: readonly { key: string; values: readonly unknown[] }[]): Record<string, unknown>[] {
  return choices.reduce<Record<string, unknown>[]>(
    (rows, { key, values }) => rows.flatMap((row) => values.map((value) => ({ ...row, [key]: value }))),
    [{}],
  )
}

const meant = (word: string, known: readonly string[]): string => {
  const near = nearestWord(word, known)
  return near === undefined ? `; known are ${known.join(', ')}` : ` (did you mean "${near}"?)`
}

type Issue = Pick<z.core.$ZodIssue, 'path' | 'message'> & { readonly code?: string; readonly keys?: readonly string[] }

/** What is wrong with a plan, each with its line. */
class Faults {
  readonly #found = new Set<string>()
  readonly #file: string
  readonly #document: Document.Parsed
  readonly #lines: LineCounter

  constructor(file: string, document: Document.Parsed, lines: LineCounter) {
    this.#file = file
    this.#document = document
    this.#lines = lines
  }

  at(offset: number, message: string): void {
    this.#found.add(`${this.#file}:${this.#lines.linePos(offset).line}: ${message}`)
  }

  add(base: readonly (string | number)[], issues: readonly Issue[], known: readonly string[]): void {
    for (const { path, message, keys } of issues) {
      const full = [...base, ...path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
      if (keys === undefined) this.at(this.offsetOf(full), `${full.join('.') || 'the plan'}: ${message}`)
      else for (const key of keys) this.at(this.offsetOf([...full, key]), `unknown key "${key}"${meant(key, known)}`)
    }
  }

  throwAny(): void {
    if (this.#found.size === 0) return
    throw new UsageError(
      [...this.#found].join('\n'),
      `correct ${basename(this.#file)}; coop-ts sweep --help shows a plan`,
    )
  }

  /** Where the deepest part of a path that is there begins; a key's own place rather than its value's. */
  offsetOf(path: readonly (string | number)[]): number {
    for (let length = path.length; length > 0; length--) {
      const parent: unknown =
        length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, length - 1), true)
      const last = path[length - 1]
      if (isMap(parent)) {
        const pair = parent.items.find(({ key }) => isScalar(key) && key.value === last)
        if (pair !== undefined && isScalar(pair.key) && pair.key.range) return pair.key.range[0]
      }
      const node: unknown = this.#document.getIn(path.slice(0, length), true)
      const range = rangeOf(node)
      if (range !== undefined) return range
    }
    return 0
  }
}

function rangeOf(node: unknown): number | undefined {
  const range = (node as Partial<Node> | undefined)?.range
  return range?.[0]
}
