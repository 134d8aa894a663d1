import { resolve } from 'node:path'
import { FileError } from '../base/errors.ts'
import type { Hooks } from '../base/progress.ts'
import { statIfThere } from '../node/files.ts'
import { HubError, hubModel, parseHubId } from '../node/hub/index.ts'
import { BUNDLED, bundledModel } from '../node/package.ts'

/** A model that a word names, on this disk. */
export interface ResolvedModel {
  /** Its folder, or the one file that it is (OpenAI's RN50.pt): see modelFilesAt. */
  readonly path: string
  /** A word for the same model from anywhere and at any time: an absolute path, or a hub id with its commit. */
  readonly name: string
}

/** Whether a word may name a model that is no folder. */
export const isModelWord = (word: string): boolean => word === BUNDLED || parseHubId(word) !== undefined

/**
 * The model behind the word of `--model`: `bundled`, a folder, one of OpenAI's files, or a model of the hub (`owner/name`,
 * `owner/name@revision`), which is fetched unless it is in the cache. A folder goes before a hub id of the same letters.
 * Throws FileError or HubError that say what was tried.
 */
export async function resolveModel(word: string, hooks: Hooks): Promise<ResolvedModel> {
  if (word === BUNDLED) return { path: bundledModel(), name: BUNDLED }
  const found = await statIfThere(word)
  if (found) return { path: word, name: resolve(word) }
  const repo = parseHubId(word)
  if (repo === undefined) {
    throw new FileError(`the model ${word}: no such folder or file, and not a hub id (owner/name)`, WAYS)
  }
  try {
    const model = await hubModel(repo, hooks)
    return { path: model.folder, name: `${repo.id}@${model.repo.revision}` }
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
