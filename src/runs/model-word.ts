import { isAbsolute, relative, resolve, sep } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
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

/**
 * The model behind the word of `--model`: `bundled`, a folder, one of OpenAI's files, or a model of the hub (`owner/name`,
 * `owner/name@revision`), which is fetched unless it is in the cache. A folder goes before a hub id of the same letters.
 * Throws FileError or HubError that say what was tried.
 */
export async function resolveModel(word: string, hooks: Hooks): Promise<ResolvedModel> {
  if (word === BUNDLED || resolve(word) === bundledModel()) return { files: bundledModel(), name: BUNDLED }
  const found = await statIfThere(word)
  if (found) return { files: word, name: word, path: resolve(word) }
  const repo = parseHubId(word)
  if (repo === undefined) {
    throw new FileError(`the model ${word}: no such folder or file, and not a hub id (owner/name)`, WAYS)
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
  const message = `the model ${word}: no such folder or file, and as a model on the hub: ${cause.message}`
  return new HubError(cause.fault, message, cause.remedy, { cause })
}

const WAYS =
  'give the folder of a CLIP in the Hugging Face or OpenCLIP layout, an OpenAI file such as RN50.pt, or a model on the hub such as openai/clip-vit-base-patch32 (--model)'
