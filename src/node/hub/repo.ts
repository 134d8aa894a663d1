import { z } from 'zod'
import { aWord, checkArguments, withMembers } from '../../base/arguments.ts'

/** A repository of the hub at one revision. */
export interface HubRepo {
  readonly type: 'model' | 'dataset'
  /** `owner/name`; old data sets have a name only. */
  readonly id: string
  /** A branch, a tag, a commit, or a ref such as `refs/convert/parquet`. */
  readonly revision: string
}

const aRepoType = z.enum(['model', 'dataset'], { error: 'model or dataset' })
/** For arguments. */
export const aRepo = withMembers('a repository, as parseHubId gives it', 'type', 'id', 'revision')

const PREFIXES = /^(?:hf-hub:|hf:\/\/(?:models\/|datasets\/)?)/
const NAME = /^(?!.*(?:--|\.\.))[A-Za-z0-9_][\w.-]*$/
const COMMIT = /^[0-9a-f]{40}$/

export const isCommit = (revision: string): boolean => COMMIT.test(revision)

/**
 * `owner/name`, `owner/name@revision`, or either with `hf-hub:` in front. Undefined for anything else; whether there is
 * such a repository is another question.
 */
export function parseHubId(word: string, type: HubRepo['type'] = 'model'): HubRepo | undefined {
  checkArguments('parseHubId', { word, type }, { word: aWord, type: aRepoType })
  const bare = word.replace(PREFIXES, '')
  const [id = '', revision = 'main', ...more] = bare.split('@')
  const names = id.split('/')
  const isId = names.length === 2 || (names.length === 1 && bare !== word)
  if (!isId || !names.every((name) => NAME.test(name) && name.length <= 96) || more.length > 0) return undefined
  return isSafePath(revision) ? { type, id, revision } : undefined
}

/** Whether a path of a repository stays inside the folder that it is put into, on every system. */
export function isSafePath(path: string): boolean {
  const parts = path.split('/')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\:\u0000-\u001f]/.test(part))
}

/** What messages call it: `openai/clip-vit-base-patch16`, with `@revision` where it is not the main branch. */
export const repoName = ({ id, revision }: HubRepo): string => (revision === 'main' ? id : `${id}@${revision}`)

/** `models--owner--name` */
export const repoFolderName = ({ type, id }: HubRepo): string => [`${type}s`, ...id.split('/')].join('--')

const path = (text: string) => text.split('/').map(encodeURIComponent).join('/')

/** The page of a repository, for people. */
export const repoPage = (endpoint: string, { type, id }: HubRepo): string =>
  `${endpoint}/${type === 'dataset' ? 'datasets/' : ''}${path(id)}`

/** Where a file of a repository is fetched from. */
export const fileUrl = (endpoint: string, repo: HubRepo, file: string): string =>
  `${repoPage(endpoint, repo)}/resolve/${encodeURIComponent(repo.revision)}/${path(file)}`

/** What the hub's API says of a repository: commit and files. */
export const infoUrl = (endpoint: string, { type, id, revision }: HubRepo): string =>
  `${endpoint}/api/${type}s/${path(id)}/revision/${encodeURIComponent(revision)}`

/** The list of a repository's files, in pages. */
export const treeUrl = (endpoint: string, { type, id, revision }: HubRepo): string =>
  `${endpoint}/api/${type}s/${path(id)}/tree/${encodeURIComponent(revision)}?recursive=true`
