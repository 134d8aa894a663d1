import { join } from 'node:path'
import { anObject, aText, checkArguments, checkOptions, someHooks } from '../base/arguments.ts'
import { some } from '../base/count.ts'
import { UsageError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import type { Clip } from '../clip/types.ts'
import { checkDistinctClasses, placesAmong } from '../data/class-names.ts'
import type { Item } from '../data/items.ts'
import { type AnyMethod, METHODS } from '../methods/index.ts'
import { defaultCacheDir } from '../node/cache-dir.ts'
import { withClaim } from '../node/claim.ts'
import { readBytes, writeFileAtomic } from '../node/files.ts'
import { exists } from '../node/run-folder.ts'
import { checkClassNames } from '../prompt/layout.ts'
import type { RuntimeOptions } from '../runtime/types.ts'
import { classifierOf } from '../trained/classify.ts'
import { type SavedRun, writeLearned } from '../trained/learned.ts'
import { pictureSet } from '../trained/pictures.ts'
import { RUN_FILES } from '../trained/run-files.ts'
import { withRuntime } from './model.ts'
import { clipOf } from './open-run.ts'
import { pictureFiles } from './picture-files.ts'
import { encodeSets, type PictureOptions } from './pictures.ts'
import { readRecord, runFile } from './run-folder.ts'
import { readSavedRun } from './saved-run.ts'

/** Options of addClass. */
export interface AddClassOptions extends RuntimeOptions, Pick<PictureOptions, 'cache' | 'skipBadImages'> {
  /** Folder of pictures of the new class, for methods that learn a class from its pictures. */
  readonly pictures?: string
  /** Where the model of the run is now; default: where it was. */
  readonly model?: string
  /** Methods in addition to METHODS. */
  readonly methods?: readonly AnyMethod[]
}

/** What addClass did. */
export interface ClassAdded {
  /** Of the run, the new one last. */
  readonly classNames: readonly string[]
  /** Pictures that it was learned from; 0 where its name is enough. */
  readonly pictures: number
  /** The file in the run's folder that keeps what was learned before. */
  readonly former: string
}

const OPTIONS: Readonly<Record<keyof AddClassOptions, true>> = {
  pictures: true,
  model: true,
  methods: true,
  cache: true,
  skipBadImages: true,
  device: true,
  threads: true,
}

/**
 * Adds a class to a run, whose others stay as they were learned: by its name alone where the method's learning goes with any class
 * name, else from pictures, where the method can take them so. The run's learned file is replaced as a whole, and the former one kept
 * beside it; results.json still tells of the classes before.
 *
 * @throws UsageError for a name that it knows already, and where its method cannot: the reason, and what to do
 * @throws ClaimedError while another process works in the run's folder
 */
export async function addClass(
  run: string,
  name: string,
  options: AddClassOptions = {},
  hooks: Hooks = {},
): Promise<ClassAdded> {
  checkOptions('addClass', options, Object.keys(OPTIONS))
  return addClassAsGiven(run, name, options, hooks)
}

/** The same for a caller whose options have more in them, as a command has its flags. */
export async function addClassAsGiven(
  run: string,
  name: string,
  options: AddClassOptions = {},
  hooks: Hooks = {},
): Promise<ClassAdded> {
  checkArguments(
    'addClass',
    { run, name, options, hooks },
    { run: aText, name: aText, options: anObject, hooks: someHooks },
  )
  await readSavedRun(run, options.methods) // a folder that is no run is not claimed
  return withClaim(run, hooks, async (hooks) => {
    const saved = await readSavedRun(run, options.methods)
    const classNames = namesWith(saved, name)
    const opens = saved.method.transfers(saved.settings)
    checkOpen(saved, name, opens, options)
    const clip = await clipOf(saved, options.model, hooks)
    checkClassNames(clip.tokenizer, classNames)
    if (opens && options.pictures !== undefined) {
      const why = `${saved.method.title(saved.settings)} needs no pictures of a class, its name is enough`
      hooks.onWarning?.(`${why}: ${options.pictures} is not read`)
    }
    const { tensors, pictures } = opens
      ? { tensors: saved.tensors, pictures: 0 }
      : await learnedWith(saved, clip, options, hooks)
    const now = { ...saved, classNames, tensors, trust: trustAfter(saved, hooks) }
    // what cannot be opened again is not written
    await withRuntime(options, hooks, async (runtime) => (await classifierOf(now, clip, runtime)).dispose())
    const former = await keepFormer(saved)
    await writeFileAtomic(runFile(run, 'learned'), await writeLearned(now))
    return { classNames, pictures, former }
  })
}

/** The temperature stays; a threshold and label sets follow from pictures that were judged without the new class. */
function trustAfter({ run, trust }: SavedRun, { onWarning }: Hooks): SavedRun['trust'] {
  if (trust === undefined) return undefined
  if ((trust.reject ?? trust.sets) !== undefined) {
    onWarning?.(
      `${run}: its threshold and label sets were those of the classes before, and are gone; learn it again for new ones`,
    )
  }
  return { temperature: trust.temperature, truths: [] }
}

/** The class names with one more. */
function namesWith({ run, classNames }: SavedRun, name: string): string[] {
  const [place = -1] = placesAmong(classNames, [name])
  if (place !== -1) {
    throw new UsageError(`${run} knows the class "${classNames[place]}" already`, `its classes are ${some(classNames)}`)
  }
  const names = [...classNames, name]
  checkDistinctClasses(run, names, 'give the class another name')
  return names
}

/** Refuses a method whose classes are closed, and one that needs pictures where there are none. */
function checkOpen(saved: SavedRun, name: string, opens: boolean, { pictures }: AddClassOptions): void {
  const { run, method, settings, tensors } = saved
  if (opens) return
  const title = method.title(settings)
  if (method.addClass === undefined) {
    const what = tensors.has('ctx') ? 'a context for each of its classes' : 'to tell its own classes apart'
    const open = METHODS.filter((each) => each.addClass || each.transfers(each.settings.parse({})))
    throw new UsageError(
      `a class cannot be added to ${run}: ${title} learned ${what} together, and a new one would need them all to be learned anew`,
      `put pictures of ${name} beside the others and train again (coop-ts train), or use a method whose classes are open: ${open.map((each) => each.name).join(', ')}`,
    )
  }
  if (pictures === undefined) {
    throw new UsageError(
      `${title} learns a class from pictures of it, and none of ${name} are given`,
      `name a folder of them: coop-ts add ${run} ${JSON.stringify(name)} FOLDER`,
    )
  }
}

/** What was learned, with the new class from its pictures, in as many views as the run learned from. */
async function learnedWith(saved: SavedRun, clip: Clip, options: AddClassOptions, hooks: Hooks) {
  const { run, method, settings, classNames, transforms, exif, precision } = saved
  const { views = 0, seed = 1 } = (await readRecord(run)) ?? {}
  const turned = exif === 'turn' ? true : undefined
  const label = classNames.length
  const items = (await pictureFiles([options.pictures ?? ''], hooks)).map((path): Item => ({ path, label, turned }))
  const { cache = defaultCacheDir(), skipBadImages } = options
  const set = pictureSet(items, views, seed)
  return withRuntime(options, hooks, async (runtime) => {
    const [encoded] = await encodeSets(clip, runtime, [set], { cache, skipBadImages, transforms, precision }, hooks)
    const tensors = await method.addClass?.(saved, { features: encoded.features, label }, settings)
    if (tensors === undefined) throw new Error(`${method.name} has no addClass`)
    return { tensors, pictures: encoded.items.length }
  })
}

/** Keeps what the run knew before under a name that says how many classes that were. */
async function keepFormer({ run, classNames }: SavedRun): Promise<string> {
  const content = await readBytes(runFile(run, 'learned'))
  const base = join(run, RUN_FILES.learned.replace('.', `-${classNames.length}-classes.`))
  for (let copy = 1; ; copy++) {
    const file = copy === 1 ? base : base.replace('-classes.', `-classes-${copy}.`)
    const there = (await exists(file)) ? await readBytes(file) : undefined
    if (there?.every((byte, i) => byte === content[i]) && there.length === content.length) return file
    if (there !== undefined) continue
    await writeFileAtomic(file, content)
    return file
  }
}
