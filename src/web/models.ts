import type { Hooks } from '../base/progress.ts'
import type { ModelFiles } from '../clip/model-files.ts'

/** Options of urlModel and hubModel. */
export interface FetchOptions extends Hooks {
  /** Whether files are kept in the browser's storage, and taken from there; default: true. */
  readonly keep?: boolean
}

/** A model of the hub, before its weights are fetched. */
export interface WebHubModel extends ModelFiles {
  /** Of all files that loading it fetches. */
  readonly bytes: number
  /** Whether the browser has all of them. */
  readonly stored: boolean
}

/** A model in the browser's storage. */
export interface StoredModel {
  readonly name: string
  readonly bytes: number
}

export function urlModel(_folder: string | URL, _options: FetchOptions = {}): ModelFiles {
  throw new Error('not built yet')
}
export function fileModel(_files: readonly File[]): ModelFiles {
  throw new Error('not built yet')
}
export async function hubModel(_id: string, _options: FetchOptions = {}): Promise<WebHubModel> {
  throw new Error('not built yet')
}
export async function storedModels(): Promise<StoredModel[]> {
  throw new Error('not built yet')
}
export async function removeStoredModel(_name: string): Promise<void> {
  throw new Error('not built yet')
}
