import { isAbsolute, relative, resolve, sep } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { nearestWord } from '../base/spelling.ts'
import { KNOWN_MODELS, MODEL_WORDS, modelOfWord } from '../clip/known-models.ts'
import { statIfThere } from '../node/files.ts'
import { HubError, hubModel, parseHubId } from '../node/hub/index.ts'
import { BUNDLED, bundledModel } from '../node/package.ts'
import type { RememberedModel, UsedModel } from '../trained/learned.ts'

/** A model that a word names, on this disk. */
export interface ResolvedModel extends UsedModel {
  /** Its folder, or the one file that it is (OpenAI's RN50.pt): see modelFilesAt. */
  readonly files: string
}

/** What a run in a folder writes down of its model; a path that was not given as an absolute one is from the current folder. */
export function rememberedModel({ name, path }: UsedModel, run: string, fingerprint: string): RememberedModel {
  if (path === undefined) return { name, fingerprint }
  const from = (folder: string) => relative(resolve(folder), resolve(path)).replaceAll(sep, '/')
  return { name: isAbsolute(name) ? name : from('.'), place: from(run), fingerprint }
}

/** Words by which a run's model may be found: the path from the current folder, then from the run's folder; each place once. */
export function waysTo({ name, place }: RememberedModel, run: string): string[] {
  return place === undefined ? [name] : [...new Set([resolve(name), resolve(run, place)])]
}

/** The hub id behind `fast`, `good` or `best`, any other word itself. Warns of a folder of such a name. */
export async function namedModel(word: string, { onWarning }: Hooks): Promise<string> {
  const id = modelOfWord(word)
  if (id !== word && (await statIfThere(word)))
    onWarning?.(`the model ${word} means ${id}; for the folder of that name write .${sep}${word}`)
  return id
}

/**
 * The model behind the word of `--model`: `bundled`, `fast`, `good`, `best`, a folder, one of OpenAI's files, or a model of the
 * hub (`owner/name`, `owner/name@revision`), which is fetched unless it is in the cache. A folder goes before a hub id of the
 * same letters. Throws FileError or HubError that say what was tried.
 */
export async function resolveModel(given: string, hooks: Hooks): Promise<ResolvedModel> {
  if (given === BUNDLED || resolve(given) === bundledModel()) return { files: bundledModel(), name: BUNDLED }
  const word = await namedModel(given, hooks)
  const found = await statIfThere(word)
  if (found) return { files: word, name: word, path: resolve(word) }
  const repo = parseHubId(word)
  if (repo === undefined) {
    throw new FileError(`the model ${word}: no such folder or file, and not a hub id (owner/name)${meant(word)}`, WAYS)
  }
  try {
    const model = await hubModel(repo, hooks)
    return { files: model.folder, name: `${repo.id}@${model.repo.revision}` }
  } catch (error) {
    throw error instanceof HubError && isGuess(word, error) ? withBothTries(word, error) : error
  }
}

/** Whether the word may have been meant as a folder. */
const isGuess = (word: string, { fault }: HubError): boolean =>
  !word.startsWith('hf-hub:') && (fault === 'no-repository' || fault === 'unreachable')

function withBothTries(word: string, cause: HubError): HubError {
  const hint = cause.fault === 'no-repository' ? meant(word) : ''
  const message = `the model ${word}: no such folder or file, and as a model on the hub: ${cause.message}${hint}`
  return new HubError(cause.fault, message, cause.remedy, { cause })
}

/** ` (did you mean ...?)`: the models of an architecture that was named, else the known word nearest to it. */
function meant(word: string): string {
  const alike = KNOWN_MODELS.filter(({ architecture }) => architecture.toLowerCase() === word.toLowerCase())
  const ids = KNOWN_MODELS.map(({ id }) => id)
  const near = nearestWord(word, [BUNDLED, ...Object.keys(MODEL_WORDS), ...ids])
  const found = alike.length > 0 ? alike.map(({ id }) => id) : near === undefined ? [] : [near]
  return found.length === 0 ? '' : ` (did you mean ${found.join(' or ')}?)`
}

const WAYS =
  'give fast, good or best (coop-ts models lists what they and others are), the folder of a CLIP in the Hugging Face or OpenCLIP layout, an OpenAI file such as RN50.pt, or a model on the hub such as openai/clip-vit-base-patch32 (--model)'
