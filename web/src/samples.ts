import { batch, signal } from '@preact/signals'
import { addClass, addPictures, clearClasses, type Part } from './state/classes.ts'
import { tellError } from './state/notices.ts'
import { DEFAULT_TEMPLATE, settings } from './state/task.ts'

/** A task that comes along: its classes and the names of their files below NAME/train/CLASS and NAME/test/CLASS. */
export interface Sample {
  readonly name: string
  readonly title: string
  /** Its hand-written prompt. */
  readonly template?: string
  readonly classes: readonly {
    readonly name: string
    readonly train: readonly string[]
    readonly test: readonly string[]
  }[]
}

export type Samples =
  | { readonly state: 'loading' }
  | { readonly state: 'there'; readonly samples: readonly Sample[] }
  | { readonly state: 'failed' }

export const samples = signal<Samples>({ state: 'loading' })
/** The name of the one that is being fetched. */
export const fetching = signal<string | undefined>(undefined)

const FOLDER = './samples'

export const pictureUrl = (sample: Sample, part: Part, className: string, file: string): string =>
  `${FOLDER}/${[sample.name, part, className, file].map(encodeURIComponent).join('/')}`

export async function listSamples(): Promise<void> {
  try {
    const { tasks } = await (await checked(`${FOLDER}/index.json`)).json()
    samples.value = { state: 'there', samples: tasks }
  } catch {
    samples.value = { state: 'failed' }
  }
}

/** The sample's classes instead of those on the page. */
export async function takeSample(sample: Sample): Promise<void> {
  if (fetching.value) return
  fetching.value = sample.name
  try {
    const all = await Promise.all(
      sample.classes.map(async ({ name, train, test }) => {
        const fetched = (part: Part, files: readonly string[]) =>
          Promise.all(files.map((file) => fetchFile(pictureUrl(sample, part, name, file), file)))
        return { name, train: await fetched('train', train), test: await fetched('test', test) }
      }),
    )
    batch(() => {
      clearClasses()
      for (const { name, train, test } of all) {
        const card = addClass(name)
        addPictures(card, train, 'train')
        addPictures(card, test, 'test')
      }
      settings.template.value = sample.template ?? DEFAULT_TEMPLATE
    })
  } catch (error) {
    tellError(error)
  } finally {
    fetching.value = undefined
  }
}

async function fetchFile(url: string, name: string): Promise<File> {
  const blob = await (await checked(url)).blob()
  return new File([blob], name, { type: blob.type })
}

async function checked(url: string): Promise<Response> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} could not be fetched: the server answered ${response.status}`)
  return response
}
