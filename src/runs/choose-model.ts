import type { AskingHooks, Hooks } from '../base/progress.ts'
import { KNOWN_MODELS, type KnownModel, MODEL_WORDS, parametersOf } from '../clip/known-models.ts'
import type { Item } from '../data/items.ts'
import { findOfficialDataset } from '../datasets/official/table.ts'
import { cachedHubModel, hubSettings, parseHubId } from '../node/hub/index.ts'
import { BUNDLED } from '../node/package.ts'
import { namedModel } from './model-word.ts'

/** A model for some pictures. */
export interface ChosenModel {
  /** What results call it: never `fast`, `good` or `best`, but what they stand for. */
  readonly model: string
  /** What it is opened by: one that was found in the cache by its commit, so that nothing is fetched. */
  readonly place: string
}

/**
 * The model that was named, else the bundled one, which knows drawings. Photographs of one's own data set, where no model was
 * named, take one that knows them: from the cache of the hub if there is one, else `fast` if `onQuestion` says so. What was
 * taken in place of the bundled model is said, and so is that the bundled one is no good for photographs.
 */
export async function chooseModel(
  named: string | undefined,
  data: string,
  pictures: readonly Item[],
  hooks: AskingHooks,
): Promise<ChosenModel> {
  const isOwn = findOfficialDataset(data) === undefined
  const other = named === undefined && isOwn && arePhotographs(pictures) ? await photographModel(hooks) : undefined
  if (other !== undefined) return other
  const model = await namedModel(named ?? BUNDLED, hooks)
  warnOfPhotographs(model, pictures, hooks)
  return { model, place: model }
}

/** Warns where the bundled model, which was trained on drawings, is given photographs. */
export function warnOfPhotographs(model: string, pictures: readonly Item[], { onWarning }: Hooks): void {
  if (model !== BUNDLED || !arePhotographs(pictures)) return
  onWarning?.(
    'THE BUNDLED MODEL KNOWS DRAWINGS ONLY, and most of these pictures look like photographs: the result will be poor. Take a ' +
      `model that knows them: --model fast (${aboutText(FAST)})`,
  )
}

const known = (id: string): KnownModel => {
  const found = KNOWN_MODELS.find((model) => model.id === id)
  if (found === undefined) throw new Error(`${id} is not among the known models`)
  return found
}

const FAST = known(MODEL_WORDS.fast)

/** In which order a model of the cache is taken: those with a word of their own, then the others, the best first. */
const BY_CHOICE: readonly KnownModel[] = [
  ...new Set([
    ...Object.values(MODEL_WORDS).map(known),
    ...KNOWN_MODELS.toSorted((a, b) => b.scores.mean38 - a.scores.mean38),
  ]),
]

const aboutText = ({ id, architecture, maker, licence, config }: KnownModel): string => {
  const size = `${Math.round((4 * parametersOf(config)) / 1e6)} MB to download once`
  return `${id}, ${[`${maker}'s ${architecture}`, licence && `licence ${licence}`, size].filter(Boolean).join(', ')}`
}

/** A model that knows photographs: one of the cache, or one that may be fetched; undefined where there is neither. */
async function photographModel({ onWarning, onQuestion }: AskingHooks): Promise<ChosenModel | undefined> {
  for (const { id } of BY_CHOICE) {
    const place = await placeInCache(id)
    if (place === undefined) continue
    onWarning?.(
      `most of these pictures look like photographs, which the bundled model does not know: taking ${id}, which is in the ` +
        'cache (for another give --model)',
    )
    return { model: id, place }
  }
  if (onQuestion === undefined || (await hubSettings()).offline) return undefined
  const isWanted = await onQuestion(
    'Most of these pictures look like photographs, and the bundled model knows drawings only.\n' +
      `Take one that knows them: ${aboutText(FAST)}?`,
  )
  return isWanted ? { model: FAST.id, place: FAST.id } : undefined
}

/** By what a model is opened without a download; undefined where the cache does not hold it, or cannot be read. */
async function placeInCache(id: string): Promise<string | undefined> {
  const repo = parseHubId(id)
  const cached = repo && (await cachedHubModel(repo).catch(() => undefined))
  return cached && `${id}@${cached.repo.revision}`
}

/** Whether most pictures are files that cameras and phones write, or as which the web shows photographs. */
const arePhotographs = (pictures: readonly Item[]): boolean =>
  pictures.filter(({ path }) => PHOTOGRAPH.test(path)).length > pictures.length / 2

/** Drawings are more often PNG or GIF. */
const PHOTOGRAPH = /\.(jpe?g|hei[cf]|webp|avif)$/i
