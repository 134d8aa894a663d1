import { z } from 'zod'
import { UsageError } from '../errors.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'

/** How an option looks on the command line. */
export interface Flag {
  readonly flag: `--${string}`
  /** Name of the value in the help; a flag without one is a switch. */
  readonly argument?: string
  /** May be given several times; the values are collected. */
  readonly repeat?: boolean
  readonly help: string
  /** What stands in the help for a default that is decided later. */
  readonly otherwise?: string
}

const flags = z.registry<Flag>()

// Every message below completes the sentence "--flag expects ..., received ...".
const isNumber = (text: string) => text.trim() !== '' && Number.isFinite(Number(text))
const inRange = (min: number, max: number) => (value: number) => value >= min && value <= max

function whole(min: number, max = Number.MAX_SAFE_INTEGER) {
  const error = `a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`
  return z
    .string({ error })
    .refine((text) => isNumber(text) && Number.isInteger(Number(text)) && inRange(min, max)(Number(text)), { error })
    .transform(Number)
}

function positive() {
  const error = 'a number above 0'
  return z
    .string({ error })
    .refine((text) => isNumber(text) && Number(text) > 0, { error })
    .transform(Number)
}

/** Any text but that of a flag: in `--out --resume` the folder was forgotten. */
function text(error: string) {
  return z.string({ error }).refine((value) => value.trim() !== '' && !value.startsWith('--'), { error })
}

function oneOf<const T extends readonly [string, ...string[]]>(...words: T) {
  return z.enum(words, { error: `one of ${words.join(', ')}` })
}

/** `a,b,c`, each part read by `part`. */
function list<T extends z.ZodType<unknown, string>>(part: T, what: string) {
  const error = `${what}, separated by commas`
  return z
    .string({ error })
    .transform((value) => value.split(',').map((item) => item.trim()))
    .pipe(z.array(part, { error }).min(1))
}

const template = text('a prompt').refine((value) => value.includes('{}'), {
  error: 'a prompt with {} where the class name goes',
})

const toggle = () => z.boolean().default(false)

/** The one table of options: a row gives type, default, flag and help; `SETTINGS` says which command takes which. */
const OPTIONS = z.object({
  // every command
  json: toggle().register(flags, { flag: '--json', help: 'print the result as JSON on standard output, nothing else' }),
  quiet: toggle().register(flags, { flag: '--quiet', help: 'no progress and no warnings' }),
  verbose: toggle().register(flags, { flag: '--verbose', help: 'show the stack of an error' }),
  threads: whole(1, 1024)
    .optional()
    .register(flags, { flag: '--threads', argument: 'N', help: 'processor threads', otherwise: 'one for each core' }),
  device: oneOf('cpu', 'webgpu', 'cuda', 'auto')
    .default('cpu')
    .register(flags, { flag: '--device', argument: 'NAME', help: 'where to compute: cpu, webgpu, cuda or auto' }),

  // a CLIP and a folder of pictures
  model: text('a folder').optional().register(flags, {
    flag: '--model',
    argument: 'DIR',
    help: 'folder of a CLIP in the Hugging Face or OpenCLIP layout',
    otherwise: 'the bundled small CLIP',
  }),
  runModel: text('a folder').optional().register(flags, {
    flag: '--model',
    argument: 'DIR',
    help: 'folder of the CLIP that the run was trained on, where it has moved',
    otherwise: 'the one named in the run',
  }),
  cache: text('a folder')
    .default(defaultCacheDir())
    .register(flags, { flag: '--cache', argument: 'DIR', help: 'folder for what can be computed again' }),
  skipBadImages: toggle().register(flags, {
    flag: '--skip-bad-images',
    help: 'leave out images that cannot be read, with a warning each',
  }),
  template: z.array(template).default(['a photo of a {}.']).register(flags, {
    flag: '--template',
    argument: 'TEXT',
    repeat: true,
    help: 'hand-written prompt, {} for the class name; given several times, the prompts are averaged',
  }),

  // learning a prompt
  shots: whole(1)
    .default(16)
    .register(flags, { flag: '--shots', argument: 'K', help: 'training images of each class' }),
  seed: whole(0, 2 ** 32 - 1)
    .default(1)
    .register(flags, { flag: '--seed', argument: 'S', help: 'seed of all that is drawn at random' }),
  out: text('a folder').optional().register(flags, {
    flag: '--out',
    argument: 'RUN',
    help: 'folder that the run is written to',
    otherwise: 'runs/<name of DIR>-<shots>-<seed>',
  }),
  contextLength: whole(1, 75)
    .default(16)
    .register(flags, { flag: '--context-length', argument: 'M', help: 'number of learned context vectors' }),
  position: oneOf('end', 'middle', 'front').default('end').register(flags, {
    flag: '--position',
    argument: 'WHERE',
    help: 'class name at the end, in the middle or in front',
  }),
  classSpecific: toggle().register(flags, { flag: '--class-specific', help: 'a context of its own for each class' }),
  init: text('words such as "a photo of a"').optional().register(flags, {
    flag: '--init',
    argument: 'TEXT',
    help: 'start from these words; their number replaces --context-length',
    otherwise: 'random vectors',
  }),
  epochs: whole(1).optional().register(flags, {
    flag: '--epochs',
    argument: 'N',
    help: 'passes over the training images',
    otherwise: '50 for 1 shot, 100 up to 4, 200 above',
  }),
  lr: positive()
    .default(0.002)
    .register(flags, { flag: '--lr', argument: 'RATE', help: 'learning rate at its highest' }),
  batchSize: whole(1).default(32).register(flags, { flag: '--batch-size', argument: 'N', help: 'images in a step' }),
  views: whole(0).default(4).register(flags, {
    flag: '--views',
    argument: 'N',
    help: 'augmented views of each training image; 0: the image as it is',
  }),
  resume: toggle().register(flags, { flag: '--resume', help: 'go on from the last checkpoint of the run' }),
  force: toggle().register(flags, { flag: '--force', help: 'write over a run that is there already' }),

  // asking a classifier
  top: whole(1).default(5).register(flags, { flag: '--top', argument: 'N', help: 'labels shown for each image' }),

  // the demo
  quick: toggle().register(flags, { flag: '--quick', help: 'fewer tasks and one seed: two minutes on two cores' }),
  tasks: list(text('names of tasks'), 'names of tasks').optional().register(flags, {
    flag: '--tasks',
    argument: 'NAMES',
    help: 'tasks to run, such as sports,gestures',
    otherwise: 'all',
  }),
  shotsList: list(oneOf('1', '2', '4', '8', '16').transform(Number), 'some of 1, 2, 4, 8, 16')
    .optional()
    .register(flags, { flag: '--shots', argument: 'LIST', help: 'shots to learn from', otherwise: '1,2,4,8,16' }),
  seeds: list(whole(0, 2 ** 32 - 1), 'whole numbers of at least 0')
    .optional()
    .register(flags, {
      flag: '--seeds',
      argument: 'LIST',
      help: 'seeds of the runs',
      otherwise: '1,2,3; 1 with --quick',
    }),
  reportFile: text('a file')
    .default('coop-demo.html')
    .register(flags, { flag: '--out', argument: 'FILE.html', help: 'page that the table and figures are written to' }),

  figure: text('a file').optional().register(flags, {
    flag: '--figure',
    argument: 'FILE.svg',
    help: 'write the few-shot figure by itself as well',
    otherwise: 'not written',
  }),

  // training the bundled CLIP
  pretrainOut: text('a folder')
    .default('runs/pretrain')
    .register(flags, { flag: '--out', argument: 'RUN', help: 'folder for checkpoints, metrics and the trained model' }),
  steps: whole(1).optional().register(flags, {
    flag: '--steps',
    argument: 'N',
    help: 'steps of the whole schedule',
    otherwise: 'the recipe of the model card',
  }),
  hours: positive().optional().register(flags, {
    flag: '--hours',
    argument: 'H',
    help: 'stop after this time; --resume goes on',
    otherwise: 'no limit',
  }),
})

const EVERY = { json: true, quiet: true, verbose: true, threads: true, device: true } as const
const PICTURES = { cache: true, skipBadImages: true } as const

/** The settings of each command, as parts of the table. */
export const SETTINGS = {
  demo: OPTIONS.pick({
    quick: true,
    tasks: true,
    shotsList: true,
    seeds: true,
    reportFile: true,
    figure: true,
    model: true,
    ...EVERY,
  }),
  train: OPTIONS.pick({
    shots: true,
    seed: true,
    out: true,
    contextLength: true,
    position: true,
    classSpecific: true,
    init: true,
    epochs: true,
    lr: true,
    batchSize: true,
    views: true,
    resume: true,
    force: true,
    template: true,
    model: true,
    ...PICTURES,
    ...EVERY,
  }),
  evaluate: OPTIONS.pick({ runModel: true, ...PICTURES, ...EVERY }),
  'zero-shot': OPTIONS.pick({ template: true, model: true, ...PICTURES, ...EVERY }),
  classify: OPTIONS.pick({ top: true, runModel: true, ...PICTURES, ...EVERY }),
  pretrain: OPTIONS.pick({
    pretrainOut: true,
    hours: true,
    steps: true,
    seed: true,
    resume: true,
    force: true,
    cache: true,
    ...EVERY,
  }),
} as const

export type CommandName = keyof typeof SETTINGS
export type Settings<C extends CommandName> = z.output<(typeof SETTINGS)[C]>

/** An option of one command: its name among the settings, its looks, its default as text. */
export interface CommandOption extends Flag {
  readonly key: string
  readonly defaultText: string | undefined
}

/** The options of a command in the order of the help. */
export function optionsOf(command: CommandName): CommandOption[] {
  return Object.entries(SETTINGS[command].shape).map(([key, schema]) => {
    const flag = flags.get(schema)
    if (!flag) throw new Error(`the option ${key} has no flag`)
    return { ...flag, key, defaultText: flag.otherwise ?? defaultText(schema) }
  })
}

function defaultText(schema: z.ZodType): string | undefined {
  const value = schema.safeParse(undefined).data
  if (value === undefined || value === false) return undefined
  return Array.isArray(value) ? value.map((item) => JSON.stringify(item)).join(' ') : String(value)
}

/** What was typed, by the settings' names: text, texts of a repeatable flag, or true for a switch. */
export type Typed = Readonly<Record<string, string | readonly string[] | true | undefined>>

/** Turns what was typed into settings; throws one UsageError that names every wrong value. */
export function readSettings<C extends CommandName>(command: C, typed: Typed): Settings<C>
export function readSettings(command: CommandName, typed: Typed): Settings<CommandName> {
  const result = SETTINGS[command].safeParse(typed)
  if (result.success) return result.data
  const options = optionsOf(command)
  const lines = result.error.issues.map(({ path, message }) => {
    const key = String(path[0])
    const flag = options.find((option) => option.key === key)?.flag ?? key
    const value = typed[key]
    const received = Array.isArray(value) && typeof path[1] === 'number' ? value[path[1]] : value
    return `${flag} expects ${message}, received ${JSON.stringify(received)}`
  })
  throw new UsageError([...new Set(lines)].join('\n'), `coop ${command} --help lists the flags`)
}
